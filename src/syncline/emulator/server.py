"""The emulator's listeners: AMQP and the administration API on one port, in the clear or over TLS.

The first bytes of a connection tell what it is: AMQP starts with its own name, HTTP with a method.
"""

import asyncio
import logging
import ssl
from typing import Protocol

from syncline.amqp import Error, ErrorCondition
from syncline.emulator.amqp_connection import AmqpConnection, ConnectionOptions
from syncline.emulator.claims import TokenVerifier
from syncline.emulator.namespace import Namespace
from syncline.emulator.timeline import Timeline

logger = logging.getLogger(__name__)

FIRST_BYTES_TIMEOUT = 30.0
"""How many seconds a client has to say its first word."""

_HTTP_METHODS = (b"GET ", b"PUT ", b"POST", b"DELE", b"HEAD", b"OPTI", b"PATC")
_PREFIX_LENGTH = 4


class HttpApi(Protocol):
    """What serves the connections that speak HTTP."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, initial: bytes) -> None:
        """Serve one connection whose first bytes, `initial`, were read already."""


class Server:
    """Accepts connections for a namespace and keeps its timeline going."""

    def __init__(
        self,
        namespace: Namespace,
        verifier: TokenVerifier,
        http: HttpApi,
        options: ConnectionOptions | None = None,
    ) -> None:
        self._namespace = namespace
        self._verifier = verifier
        self._http = http
        self._options = options or ConnectionOptions()
        self._listeners: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[AmqpConnection] = set()
        self._runner = TimelineRunner(namespace.timeline)

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Accept connections; returns the port, which the system chooses for port 0."""
        self._runner.start()
        self._namespace.faults.on_drop_connections = self._drop_connections
        self._namespace.faults.on_expire_token = self._expire_tokens
        self._namespace.faults.on_detach_links = self._detach_links
        listener = await asyncio.start_server(self._accept, host, port, ssl=tls)
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop: no new connections, and those that are open are closed with `amqp:connection:forced`."""
        for listener in self._listeners:
            listener.close()
        error = Error(ErrorCondition.CONNECTION_FORCED, "The emulator is being stopped. Connect again later.")
        for connection in tuple(self._connections):
            connection.close(error)
        if self._connections:
            await asyncio.wait(self._tasks, timeout=0.5)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._listeners:
            await listener.wait_closed()
        self._listeners.clear()
        self._runner.stop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own, not one of asyncio's streams, which would report its cancellation as an error.
        task = asyncio.get_running_loop().create_task(self._run(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self._namespace.faults.refuses_connection():
                await self._serve(reader, writer)
        except (ConnectionError, TimeoutError, ssl.SSLError) as error:
            logger.debug("A connection ended early: %s", error)
        except Exception:
            # One client's connection is lost to a mistake of ours; everybody else's goes on.
            logger.exception("A connection failed")
        finally:
            await _close(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(FIRST_BYTES_TIMEOUT):
            first = await _read_prefix(reader)
        if not first:
            return
        if first.startswith(_HTTP_METHODS):
            await self._http.serve(reader, writer, first)
            return
        # Anything else is answered as AMQP answers: with its own header, then the end.
        connection = AmqpConnection(self._namespace, self._verifier, reader, writer, self._options)
        self._connections.add(connection)
        try:
            await connection.serve(first)
        finally:
            self._connections.discard(connection)

    def _drop_connections(self) -> None:
        for connection in tuple(self._connections):
            connection.abort()

    def _expire_tokens(self) -> None:
        for connection in tuple(self._connections):
            connection.expire_claims()

    def _detach_links(self, entity: str | None) -> None:
        for connection in tuple(self._connections):
            connection.detach_links(entity)


class TimelineRunner:
    """Runs a timeline on the event loop: one timer, for whatever is due next."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._timeline.on_earlier = self._arm
        self._arm()

    def stop(self) -> None:
        """Let nothing happen any more."""
        self._timeline.on_earlier = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._timeline.next_due
        if due is not None:
            seconds = max(0.0, (due - self._timeline.clock()) / 1000)
            # A loop cannot sleep for years; it looks again in a day.
            self._timer = asyncio.get_running_loop().call_later(min(seconds, 86_400.0), self._run)

    def _run(self) -> None:
        self._timer = None
        try:
            self._timeline.run_due()
        finally:
            self._arm()


async def _read_prefix(reader: asyncio.StreamReader) -> bytes:
    first = b""
    while len(first) < _PREFIX_LENGTH:
        data = await reader.read(65_536)
        if not data:
            break
        first += data
    return first


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except (ConnectionError, ssl.SSLError) as error:
        logger.debug("A connection broke while it was being closed: %s", error)
