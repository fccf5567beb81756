"""HTTP on one network connection, with bounds: uvicorn's own protocol waits for slow clients as long as they like."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from syncline.api.answers import error_response
from syncline.api.errors import ApiError, ServiceUnavailable

MOST_HEAD_BYTES = 64 * 1024
"""Largest head of a request: its first line and its headers."""

SPARE_CONNECTIONS = 100
"""Connections beyond the limit that are answered with 503; those beyond them are closed without an answer."""

SLOWEST_READ = 30.0
"""Seconds that a client may leave an answer lying in the server."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client may take of the server."""

    head_timeout: float
    """Seconds from the begin of a connection, or from the first byte of a later request, to the end of the head."""
    most_connections: int
    """Open connections at once, of all clients."""


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, which closes connections whose client is too slow, sends too much, or is one too many.

    What it does not bound are idle connections (uvicorn does) and how long a body takes (the gate does).
    """

    def __init__(self, *arguments: Any, bounds: Bounds, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._bounds = bounds
        self._head_bytes = 0
        self._head_limit: asyncio.TimerHandle | None = None
        """Runs while a request's head is awaited."""
        self._read_limit: asyncio.TimerHandle | None = None
        """Runs while an answer lies in the server."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection up, if there is room."""
        super().connection_made(transport)
        excess = len(self.connections) - self._bounds.most_connections
        if excess > SPARE_CONNECTIONS:
            transport.abort()
        elif excess > 0 and not self._close_an_idle_one():
            self.app = _refuse
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        super().connection_lost(exc)
        self._stop_head_limit()
        self._stop_read_limit()

    def data_received(self, data: bytes) -> None:
        """Take in what came. Whatever comes between two requests is the begin of a head."""
        if self._head_limit is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_limit is not None and self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head(
                431, f"The head of the request is larger than {MOST_HEAD_BYTES} bytes. Send a smaller one."
            )

    def on_headers_complete(self) -> None:
        """The head is complete: its clock stops."""
        self._stop_head_limit()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The answer is written; it may still lie here."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._await_reader()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """The client has read most of it."""
        super().resume_writing()
        self._stop_read_limit()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, in the envelope."""
        self._refuse_head(400, msg)

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_limit = self.loop.call_later(self._bounds.head_timeout, self._end_head)

    def _end_head(self) -> None:
        self._head_limit = None
        if self._head_bytes:
            limit = self._bounds.head_timeout
            self._refuse_head(408, f"The head of the request did not arrive within {limit:g} seconds. Send it at once.")
        else:
            self.transport.close()

    def _refuse_head(self, status: int, message: str) -> None:
        content = orjson.dumps({"code": "RequestTimeout" if status == 408 else "InvalidInput", "message": message})
        head = (
            b"content-type: application/json\r\nconnection: close\r\n"
            b"content-length: " + str(len(content)).encode() + b"\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[status] + head + content)
        self.transport.close()

    def _await_reader(self) -> None:
        self._stop_read_limit()
        self._read_limit = self.loop.call_later(SLOWEST_READ, self._end_reading)

    def _end_reading(self) -> None:
        self._read_limit = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _stop_head_limit(self) -> None:
        if self._head_limit is not None:
            self._head_limit.cancel()
            self._head_limit = None

    def _stop_read_limit(self) -> None:
        if self._read_limit is not None:
            self._read_limit.cancel()
            self._read_limit = None

    def _close_an_idle_one(self) -> bool:
        """Close a connection that waits for its client's next request; False when there is none."""
        for other in self.connections:
            if isinstance(other, BoundedProtocol) and other.timeout_keep_alive_task is not None:
                other._unset_keepalive_if_required()
                other.transport.close()
                return True
        return False


def bounded(bounds: Bounds) -> Callable[..., BoundedProtocol]:
    """What uvicorn takes as `http`: makes a protocol for each connection."""

    def make(*arguments: Any, **options: Any) -> BoundedProtocol:
        return BoundedProtocol(*arguments, bounds=bounds, **options)

    return make


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    busy = ServiceUnavailable("The server has as many connections as it can have.")
    error = ApiError(busy.status, busy.code, busy.message, headers={**busy.headers, "Connection": "close"})
    await error_response(error)(scope, receive, send)
