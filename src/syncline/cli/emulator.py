"""`syncline emulator`: Azure Service Bus on your own machine."""

import asyncio
import signal
import ssl
from pathlib import Path
from typing import Annotated

import typer

from syncline.cli.processes import write_ready_file
from syncline.cli.terminal import console, fail
from syncline.emulator.emulator import Emulator
from syncline.emulator.errors import InvalidEntityError
from syncline.emulator.topology import Topology, load_topology

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def emulator(
    config: Annotated[
        Path | None, typer.Option(help="Topology, a JSON file in the format of Microsoft's emulator.", dir_okay=False)
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for AMQP and HTTP; 0 picks a free one.")] = 5672,
    tls_certificate: Annotated[Path | None, typer.Option(help="Certificate chain (PEM) for a TLS listener.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key (PEM) of the certificate.")] = None,
    tls_port: Annotated[int, typer.Option(help="Port of the TLS listener.")] = 5671,
    ready_file: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run Azure Service Bus on this machine, in memory, until Ctrl-C."""
    try:
        topology = load_topology(config) if config else None
        tls = _tls_context(tls_certificate, tls_key)
        asyncio.run(_serve(topology, host, port, tls, tls_port, ready_file))
    except (InvalidEntityError, OSError) as error:
        fail(str(error))


def _tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None:
        fail("--tls-key needs --tls-certificate", status=2)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def _serve(
    topology: Topology | None, host: str, port: int, tls: ssl.SSLContext | None, tls_port: int, ready_file: Path | None
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Emulator(topology, host=host, port=port, tls=tls, tls_port=tls_port) as running:
        connection_string = running.connection_string()
        console.print(f"Service Bus emulator on {host}:{running.port} (AMQP and HTTP)")
        console.print(f"connection string: {connection_string}", soft_wrap=True)
        if tls is not None:
            console.print(f"TLS on {host}:{running.tls_port}: {running.connection_string(tls=True)}", soft_wrap=True)
        if ready_file is not None:
            write_ready_file(ready_file, {"connection_string": connection_string})
        await stopped.wait()
