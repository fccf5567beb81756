"""HTTP/1.1 for the administration API: h11 on an asyncio stream, bounded in size and time."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

import h11

logger = logging.getLogger(__name__)

MAXIMUM_BODY_SIZE = 1024 * 1024
"""The largest body of a request, in bytes; no description comes near it."""

IDLE_TIMEOUT = 120.0
"""How long a connection may wait for its client, in seconds."""

_READ_SIZE = 65536
_LINGER = 1.0


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request that came in whole. Names of headers are in lower case; `path` is decoded."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """The path without the query, percent-decoded."""
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one, the last."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True, max_num_fields=100))


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What to answer: a status code, a body and its media type."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[HttpRequest], HttpResponse]
FailureWriter = Callable[[int, str], HttpResponse]


class _TooLargeError(Exception):
    """The body of a request is larger than is allowed."""


async def serve_http(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    initial: bytes,
    handle: Handler,
    fail: FailureWriter,
) -> None:
    """Answer the requests of one connection until either side ends it, then close it.

    `initial` holds the bytes that were already read. `fail` writes the answer to what is not HTTP,
    is too large or makes `handle` raise; the error itself goes to the log alone.
    """
    connection = _Connection(reader, writer, initial)
    try:
        while (request := await connection.next_request()) is not None:
            await connection.respond(_handled(handle, fail, request))
            if not connection.start_next_cycle():
                break
    except _TooLargeError:
        await connection.respond_last(fail(413, f"The body is larger than {MAXIMUM_BODY_SIZE} bytes."))
        await connection.discard()
    except h11.RemoteProtocolError as error:
        await connection.respond_last(fail(error.error_status_hint, f"The request is not HTTP/1.1: {error}."))
    except (TimeoutError, ConnectionError):
        logger.debug("an administration client went away or stayed silent")
    finally:
        writer.close()


def _handled(handle: Handler, fail: FailureWriter, request: HttpRequest) -> HttpResponse:
    try:
        return handle(request)
    except Exception:
        # The last line of defence: one request that meets a mistake of ours does not end the rest.
        logger.exception("the administration API failed on %s %s", request.method, request.path)
        return fail(500, "The emulator failed on this request; its log has the reason.")


class _Connection:
    """One connection as h11 sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, initial: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.SERVER)
        self._body_is_unwanted = False
        if initial:
            self._protocol.receive_data(initial)

    async def next_request(self) -> HttpRequest | None:
        """The next whole request, or None when the client has ended the connection."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            match event := await self._next_event():
                case h11.Request():
                    head = event
                    self._body_is_unwanted = event.method == b"HEAD"
                    if self._protocol.they_are_waiting_for_100_continue:
                        await self._send(h11.InformationalResponse(status_code=100, headers=[]))
                case h11.Data():
                    body += event.data
                    if len(body) > MAXIMUM_BODY_SIZE:
                        raise _TooLargeError
                case h11.EndOfMessage() if head is not None:
                    return HttpRequest(
                        method=head.method.decode("ascii"),
                        target=head.target.decode("latin-1"),
                        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers},
                        body=bytes(body),
                    )
                case _:
                    return None

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(IDLE_TIMEOUT):
                self._protocol.receive_data(await self._reader.read(_READ_SIZE))
        return event  # type: ignore[return-value]

    async def respond(self, response: HttpResponse) -> None:
        """Send a response with its length, and a type when it has a body."""
        headers = {**response.headers, "Content-Length": str(len(response.body)), "Server": "syncline-emulator"}
        if response.content_type is not None:
            headers["Content-Type"] = response.content_type
        await self._send(h11.Response(status_code=response.status, headers=list(headers.items())))
        if response.body and not self._body_is_unwanted:
            await self._send(h11.Data(data=response.body))
        await self._send(h11.EndOfMessage())

    async def respond_last(self, response: HttpResponse) -> None:
        """Send a response to a broken request if one is still due; the connection ends after it."""
        if self._protocol.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        try:
            await self.respond(
                HttpResponse(response.status, response.body, response.content_type, {"Connection": "close"})
            )
        except (TimeoutError, ConnectionError):
            logger.debug("an administration client went away before its error was sent")

    async def discard(self) -> None:
        """Read on for a moment: closing with bytes unread would take the answer from the client."""
        try:
            async with asyncio.timeout(_LINGER):
                while await self._reader.read(_READ_SIZE):
                    pass
        except (TimeoutError, ConnectionError):
            logger.debug("an administration client did not stop sending after its answer")

    def start_next_cycle(self) -> bool:
        """Make ready for another request; false when the connection must end."""
        if self._protocol.our_state is not h11.DONE or self._protocol.their_state is not h11.DONE:
            return False
        self._protocol.start_next_cycle()
        return True

    async def _send(self, event: h11.Event) -> None:
        data = self._protocol.send(event)
        if data:
            self._writer.write(data)
            async with asyncio.timeout(IDLE_TIMEOUT):
                await self._writer.drain()
