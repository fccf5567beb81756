"""One AMQP connection of a client: bytes in, events to the broker, bytes out.

The protocol engine knows nothing of sockets and the broker nothing of AMQP frames; this is where
they meet. A client that sends nonsense is answered with the AMQP error for it and loses its own
connection, nothing else. Deliveries stop while the client does not read what it was sent.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from syncline.amqp import (
    Connection,
    ConnectionOpened,
    Coordinator,
    DeliveryReceived,
    DeliveryUpdated,
    Error,
    ErrorCondition,
    Event,
    Int,
    LinkDetached,
    LinkFlow,
    LinkRequested,
    ReceivingLink,
    SendingLink,
    Session,
    SessionFlow,
    Source,
    Target,
)
from syncline.emulator.addresses import CLAIMS_NODE, Address, parse_address, strip_host
from syncline.emulator.claims import Claims, TokenVerifier, put_token
from syncline.emulator.entities import check_may_send
from syncline.emulator.errors import EmulatorError, EntityNotFoundError, InvalidEntityError
from syncline.emulator.faults import Faults
from syncline.emulator.links import Inlet, LinkHandler, Outlet, as_error, open_outlet
from syncline.emulator.management import answer_management
from syncline.emulator.namespace import Namespace
from syncline.emulator.requests import Request, RequestLink, Response, ResponseLink
from syncline.emulator.sessions import Session as MessageSession

logger = logging.getLogger(__name__)

READ_SIZE = 256 * 1024
WRITE_SIZE = 128 * 1024
MOST_BUFFERED = 1024 * 1024
"""How many bytes may wait for a client before its deliveries stop."""

LINGER = 1.0
"""How many seconds a closed connection waits for the client to have read everything."""

CLOSE_GRACE = 2.0
"""How many seconds a client has to answer a close before the socket is cut."""


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """Limits of a connection: sizes in bytes, times in seconds."""

    max_frame_size: int = 65_536
    max_request_size: int = 16 * 1024 * 1024
    idle_timeout: float = 240.0
    session_wait: float = 60.0


class AmqpConnection:
    """Serves one client. `claims` are what it has shown tokens for."""

    def __init__(
        self,
        namespace: Namespace,
        verifier: TokenVerifier,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        options: ConnectionOptions,
    ) -> None:
        self.namespace = namespace
        self.options = options
        self.claims = Claims()
        self._verifier = verifier
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._engine = Connection.server(
            namespace.name, max_frame_size=options.max_frame_size, idle_timeout=options.idle_timeout
        )
        self._links: dict[int, SendingLink | ReceivingLink] = {}
        self._pumps: set[Outlet] = set()
        self._flush_asked = False
        self._unwritten = 0
        self._draining: asyncio.Task[None] | None = None
        self._claims_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None

    @property
    def faults(self) -> Faults:
        """The faults in force."""
        return self.namespace.faults

    async def serve(self, first: bytes) -> None:
        """Serve the client until one side closes; `first` are bytes that were read already."""
        data = first
        try:
            while True:
                delay = self.faults.delay()
                if delay:
                    await asyncio.sleep(delay)
                self._handle(self._engine.receive_data(data, self._loop.time()))
                self._flush()
                await self._writer.drain()
                if self._engine.closed:
                    await self._linger()
                    return
                data = await self._read()
                if not data:
                    return
        except OSError as error:
            # Not only ConnectionError: a socket that was cut in the meantime says it is "not connected".
            logger.debug("A client's connection broke: %s", error)
        except Exception:
            self._engine.close(Error(ErrorCondition.INTERNAL_ERROR, "The emulator failed; its log says how."))
            self._flush()
            raise
        finally:
            self._finish()

    def close(self, error: Error | None = None) -> None:
        """Close the connection, telling the client why; the socket is cut if it does not answer."""
        self._engine.close(error)
        self._flush()
        if self._close_timer is None:
            self._close_timer = self._loop.call_later(CLOSE_GRACE, self.abort)

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._writer.transport.abort()

    def expire_claims(self) -> None:
        """Let every authorisation of the client end now."""
        self.claims.revoke_all()
        self._check_claims()
        self._flush()

    def detach_links(self, entity: str | None) -> None:
        """Detach the links to an entity and to what is below it, or all links."""
        error = Error(ErrorCondition.DETACH_FORCED, "The link is detached: it was idle for too long.", {})
        for link in tuple(self._links.values()):
            handler = link.data
            if isinstance(handler, LinkHandler) and (
                entity is None or handler.path == entity or handler.path.startswith(f"{entity}/")
            ):
                handler.on_detached()
                link.detach(error)
        self._flush()

    # For the handlers of links

    def request_flush(self) -> None:
        """Send what the engine has to send, once the present work is done."""
        if not self._flush_asked:
            self._flush_asked = True
            self._loop.call_soon(self._flush)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back after some time."""
        return self._loop.call_later(seconds, callback)

    def is_congested(self, link: SendingLink) -> bool:
        """Whether enough bytes wait for the client already."""
        waiting = self._writer.transport.get_write_buffer_size() + link.session.backlog_bytes
        return waiting > MOST_BUFFERED

    def count_sent(self, size: int) -> None:
        """Bytes were handed to the engine; they are written out before they become many."""
        self._unwritten += size
        if self._unwritten >= WRITE_SIZE:
            self._flush()
        else:
            self.request_flush()

    def await_drain(self) -> None:
        """Wake the outlets again once the client has read what waits for it."""
        if self._draining is None or self._draining.done():
            self._draining = self._loop.create_task(self._drain())

    def pump_when_drained(self, outlet: Outlet) -> None:
        """Wake that outlet, too, when the client has caught up."""
        self._pumps.add(outlet)

    def forget_pump(self, outlet: Outlet) -> None:
        """That outlet is over."""
        self._pumps.discard(outlet)

    def response_link(self, path: str, reply_to: str | None, session: Session) -> ResponseLink | None:
        """The link for answers of a node: the one the request names, or one of the same session."""
        found = [
            link for link in self._links.values() if isinstance(link.data, ResponseLink) and link.data.path == path
        ]
        named = [link for link in found if reply_to and _address(link.target) == reply_to]
        near = [link for link in found if link.session is session]
        chosen = next(iter(named or near or found), None)
        return None if chosen is None else chosen.data

    def forget_link(self, link: SendingLink) -> None:
        """That link was refused after all."""
        self._links.pop(id(link), None)

    def owns(self, session: MessageSession) -> bool:
        """Whether a link of this connection holds the session."""
        return isinstance(session.owner, Outlet) and session.owner.connection is self

    # The engine's events

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case DeliveryReceived(link=link, delivery=delivery):
                    _handler(link).on_delivery(delivery)
                case LinkFlow(link=link):
                    _handler(link).on_flow()
                case DeliveryUpdated(link=link, deliveries=deliveries, state=state, settled=settled):
                    _handler(link).on_update(deliveries, state, settled)
                case LinkRequested(link=link):
                    self._open_link(link)
                case LinkDetached(link=link):
                    self._links.pop(id(link), None)
                    _handler(link).on_detached()
                case SessionFlow():
                    self._wake_outlets()
                case ConnectionOpened(open=opened):
                    logger.debug("A client opened a connection: %s", opened.container_id)
                case _:
                    pass

    def _open_link(self, link: SendingLink | ReceivingLink) -> None:
        try:
            handler = self._handler_for(link)
        except EmulatorError as error:
            link.refuse(as_error(error))
            return
        if handler is None:
            link.refuse(Error(ErrorCondition.NOT_IMPLEMENTED, "Transactions are not available in the emulator."))
            return
        self._links[id(link)] = link
        link.data = handler

    def _handler_for(self, link: SendingLink | ReceivingLink) -> LinkHandler | None:
        terminus = link.source if isinstance(link, SendingLink) else link.target
        if isinstance(terminus, Coordinator):
            return None
        text = _address(terminus)
        if not isinstance(text, str) or not text:
            raise InvalidEntityError("The link names no address. Give its source or target the name of an entity.")
        if strip_host(text).lower() == CLAIMS_NODE:
            return self._node_link(link, Address(CLAIMS_NODE))
        address = parse_address(text)
        if address.is_management:
            self._check_management(address)
            return self._node_link(link, address)
        if isinstance(link, SendingLink):
            return open_outlet(self, link, address)
        if address.subscription is not None or address.sub_queue is not None:
            raise EntityNotFoundError(f"Nothing can be sent to '{address.path}'. Send to its queue or topic.")
        self.claims.check(address.path, "Send")
        self.faults.check_attach(address.path)
        entity = self.namespace.destination(address.entity)
        check_may_send(entity.path, entity.description.status)
        return Inlet(self, link, entity)

    def _check_management(self, address: Address) -> None:
        self.claims.check(address.path, None)
        if address.subscription is None and address.sub_queue is None:
            self.namespace.destination(address.entity)
        else:
            self.namespace.source(address)

    def _node_link(self, link: SendingLink | ReceivingLink, address: Address) -> LinkHandler:
        if isinstance(link, SendingLink):
            return ResponseLink(self, link, address.path)
        node = answer_management if address.is_management else _answer_claims
        return RequestLink(self, link, address, node)

    def put_token(self, request: Request) -> Response:
        """Answer a request to `$cbs`."""
        code, description = put_token(self.claims, self._verifier, request.properties, request.body)
        self._watch_claims()
        return Response({"status-code": Int(code), "status-description": description})

    # Claims and their end

    def _watch_claims(self) -> None:
        if self._claims_timer is not None:
            self._claims_timer.cancel()
            self._claims_timer = None
        expiry = self.claims.next_expiry
        if expiry is not None:
            seconds = max(0.0, (expiry - datetime.now(UTC)).total_seconds())
            self._claims_timer = self._loop.call_later(min(seconds, 86_400.0), self._claims_expired)

    def _claims_expired(self) -> None:
        self._claims_timer = None
        self._check_claims()
        self._watch_claims()
        self._flush()

    def _check_claims(self) -> None:
        for link in tuple(self._links.values()):
            handler = link.data
            if not isinstance(handler, LinkHandler) or handler.path == CLAIMS_NODE:
                continue
            try:
                self.claims.check(handler.path, handler.claim)
            except EmulatorError as error:
                handler.on_detached()
                link.detach(as_error(error))

    # The socket

    async def _read(self) -> bytes:
        """The next bytes of the client, b"" at the end; keeps the engine's deadlines meanwhile."""
        while True:
            now = self._loop.time()
            deadline = self._engine.next_deadline()
            if deadline is not None and deadline <= now:
                self._handle(self._engine.handle_timeout(now))
                self._flush()
                if self._engine.closed:
                    return b""
                continue
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._reader.read(READ_SIZE)
            except TimeoutError:
                continue

    async def _linger(self) -> None:
        """Let the client read the close frame: cutting the socket with bytes unread would take it away."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while await self._reader.read(READ_SIZE):
                    pass

    def _flush(self) -> None:
        self._flush_asked = False
        self._unwritten = 0
        data = self._engine.data_to_send(self._loop.time())
        if data and not self._writer.is_closing():
            self._writer.write(data)

    async def _drain(self) -> None:
        try:
            await self._writer.drain()
        except ConnectionError:
            return
        self._loop.call_soon(self._wake_outlets)

    def _wake_outlets(self) -> None:
        for outlet in tuple(self._pumps):
            outlet.wake()

    def _finish(self) -> None:
        self._handle(self._engine.receive_eof(self._loop.time()))
        for timer in (self._claims_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        if self._draining is not None:
            self._draining.cancel()
        self._flush()


def _answer_claims(connection: AmqpConnection, _address: Address, request: Request) -> Response:
    return connection.put_token(request)


def _address(terminus: Source | Target | Coordinator | None) -> str | None:
    return None if terminus is None or isinstance(terminus, Coordinator) else terminus.address


_NO_HANDLER = LinkHandler("", None)


def _handler(link: SendingLink | ReceivingLink) -> LinkHandler:
    """What hangs on the link; on one that is refused, or not answered yet, nothing happens."""
    return link.data if isinstance(link.data, LinkHandler) else _NO_HANDLER
