"""Servers on this machine that are hardly any."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def saying(banner: bytes) -> Iterator[int]:
    """The port of a server that answers anything with the same bytes and hangs up."""

    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                made, _ = server.accept()
                made.recv(4096)
                made.sendall(banner)
                made.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def untouched_port() -> Iterator[int]:
    """The port of a server that nobody may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
