"""The administration API alone, on a thread of its own, for tests that talk to it over HTTP."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from syncline.emulator.administration import AdministrationApi
from syncline.emulator.descriptions import AccessPolicy
from syncline.emulator.namespace import Namespace
from syncline.emulator.tokens import JsonWebTokenVerifier

ROOT = AccessPolicy("RootManageSharedAccessKey", "SAS_KEY_VALUE")
READER = AccessPolicy("reader", "reader-key", frozenset({"Listen"}))


@dataclass(frozen=True)
class AdministrationServer:
    """Where the API is served, and the namespace behind it."""

    namespace: Namespace
    plain_port: int
    tls_port: int
    authority_file: Path

    @property
    def plain_address(self) -> str:
        return f"http://127.0.0.1:{self.plain_port}"

    def connection_string(self, policy: AccessPolicy = ROOT) -> str:
        return (
            f"Endpoint=sb://127.0.0.1:{self.tls_port};SharedAccessKeyName={policy.key_name};"
            f"SharedAccessKey={policy.key};UseDevelopmentEmulator=true;"
        )


def tls_context(authority_file: Path) -> ssl.SSLContext:
    """A server's context for 127.0.0.1 whose authority is written to the file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(authority_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@contextmanager
def serve_administration(
    folder: Path, json_web_tokens: JsonWebTokenVerifier | None = None
) -> Iterator[AdministrationServer]:
    """Serve an empty namespace with the policies ROOT and READER, plain and over TLS."""
    authority_file = folder / "authority.pem"
    context = tls_context(authority_file)
    namespace = Namespace("test-namespace", [ROOT, READER])
    api = AdministrationApi(namespace, json_web_tokens=json_web_tokens)
    loop = asyncio.new_event_loop()
    started = threading.Event()
    ports: list[int] = []
    stop = asyncio.Event()

    writers: set[asyncio.StreamWriter] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        await api.serve(reader, writer, await reader.read(1))
        writers.discard(writer)

    async def main() -> None:
        plain = await asyncio.start_server(accept, "127.0.0.1", 0)
        tls = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
        async with plain, tls:
            ports.extend(server.sockets[0].getsockname()[1] for server in (plain, tls))
            started.set()
            await stop.wait()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(main())

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(10)
    try:
        yield AdministrationServer(namespace, ports[0], ports[1], authority_file)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
