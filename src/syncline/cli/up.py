"""`syncline up`: the server."""

import asyncio
import resource
import signal
import socket
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from syncline.accounts.first_start import FirstKey, prepare
from syncline.api.http_protocol import Bounds, bounded
from syncline.cli.processes import write_ready_file
from syncline.cli.terminal import USER_ERRORS, console, fail, load_settings
from syncline.logs import configure_logging
from syncline.server import create_app
from syncline.settings import Settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_BACKLOG = 1024


@app.command()
def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless set.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 8000 unless set, 0 picks a free one.")] = None,
    ready_file: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the server until Ctrl-C: API, scheduler and local executor in one process."""
    settings = load_settings(host=host, port=port)
    configure_logging(settings)
    listener = _listen(settings)
    try:
        first_key = asyncio.run(prepare(settings))
    except USER_ERRORS as error:
        fail(str(error))
    url = _url(listener)
    _greet(settings, url, first_key)
    server = _Server(settings, url, ready_file)
    # The server ends in good order at these and then raises them again, which would look like a crash.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listener])
    if not server.started:
        fail("the server did not start; the lines above say why")


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, settings: Settings, url: str, ready_file: Path | None) -> None:
        most_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        bounds = Bounds(settings.request_head_timeout, min(settings.most_connections, most_files // 2))
        super().__init__(
            uvicorn.Config(
                create_app(settings),
                loop="uvloop",
                http=bounded(bounds),  # type: ignore[arg-type]
                ws="none",
                log_config=None,
                access_log=False,
                timeout_keep_alive=settings.keep_alive_timeout,  # type: ignore[arg-type]
                timeout_graceful_shutdown=5,
            )
        )
        self._url = url
        self._ready_file = ready_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._ready_file is not None:
            write_ready_file(self._ready_file, {"url": self._url})


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        fail(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}. Choose another with --port or --host."
        )
    listener.listen(_BACKLOG)
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


def _greet(settings: Settings, url: str, first_key: FirstKey | None) -> None:
    if first_key is not None:
        console.print("This is the first start: an account, its owner and an API key were made.")
        console.print(f"  API key     {first_key.key}")
        console.print(f"  API secret  {first_key.secret}   (shown this once)")
        console.print(f"  both are in {first_key.path}, which only you can read", soft_wrap=True)
    console.print(f"Syncline listens on {url}; its state is in {settings.home}. Ctrl-C ends it.", soft_wrap=True)
