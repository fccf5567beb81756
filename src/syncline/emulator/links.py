"""The links of a connection, each bound to what it sends to or receives from.

A handler hangs on its link as `link.data` and is told of what happens there. `Inlet` takes the
messages that a client sends into an entity, `Outlet` delivers those that it receives, and
`SessionWaiter` holds back the answer to an attach until a session is free.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from syncline.amqp import (
    Accepted,
    AmqpException,
    Data,
    Delivery,
    DeliveryState,
    Described,
    Error,
    ErrorCondition,
    IncomingDelivery,
    Message,
    Modified,
    ReceiverSettleMode,
    ReceivingLink,
    Rejected,
    Released,
    SenderSettleMode,
    SendingLink,
    Source,
    ULong,
)
from syncline.emulator.addresses import Address
from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.conditions import (
    MessageTooLargeError,
    OperationTimeoutError,
    UnreadableMessageError,
    condition_of,
)
from syncline.emulator.descriptions import Claim
from syncline.emulator.entities import Queue
from syncline.emulator.errors import EmulatorError, EntityNotFoundError
from syncline.emulator.message_store import MessageStore
from syncline.emulator.sessions import Session, session_lock_lost
from syncline.emulator.topics import Topic

if TYPE_CHECKING:
    from syncline.emulator.amqp_connection import AmqpConnection

SESSION_FILTER = "com.microsoft:session-filter"
BATCH_FORMAT = 0x80013700
"""The message format of a batch: a data section for each encoded message."""

INLET_CREDIT = 1000
OVERSIZE_TOLERANCE = 1024 * 1024
"""How many bytes beyond its limit a message may have and still be read, to be rejected."""

_TICKS_AT_1970 = 621_355_968_000_000_000
_TICKS_IN_A_MILLISECOND = 10_000


def as_error(error: EmulatorError) -> Error:
    """What is told to a client about an error.

    The empty information stays in: the Python SDK hangs on a rejection that ends before it.
    """
    return Error(condition_of(error), error.message, {})


def fits(link: SendingLink, payload: bytes) -> bool:
    """Whether the client takes a message of that size on the link."""
    limit = link.remote_max_message_size
    return limit is None or len(payload) <= limit


class LinkHandler:
    """What hangs on a link. `path` and `claim` are what its use needs to be authorised for."""

    def __init__(self, path: str, claim: Claim | None) -> None:
        self.path = path
        self.claim = claim

    def on_flow(self) -> None:
        """The client changed its credit."""

    def on_delivery(self, delivery: IncomingDelivery) -> None:
        """The client sent a message."""

    def on_update(self, deliveries: Iterable[Delivery], state: DeliveryState | Described | None, settled: bool) -> None:
        """The client said what became of messages it received."""

    def on_detached(self) -> None:
        """The link is over."""


class Inlet(LinkHandler):
    """Takes what a client sends into a queue or topic."""

    def __init__(self, connection: "AmqpConnection", link: ReceivingLink, entity: Queue | Topic) -> None:
        super().__init__(entity.path.lower(), "Send")
        self._connection = connection
        self._link = link
        self._entity = entity
        limit = entity.description.max_message_size_in_kilobytes * 1024
        link.accept(max_message_size=limit, properties={"com.microsoft:max-message-batch-size": ULong(limit)})
        # A message a little too large is rejected, with words; only beyond that is the link at stake.
        link.max_message_size = limit + OVERSIZE_TOLERANCE
        link.grant(INLET_CREDIT)

    def on_delivery(self, delivery: IncomingDelivery) -> None:
        """Put the message, or the batch, into the entity and say how that went."""
        try:
            if self._entity.is_deleted:
                raise EntityNotFoundError(f"The messaging entity '{self._entity.path}' was deleted.")
            self._connection.faults.check_send(self.path)
            self._entity.send(read_messages(delivery, self._entity.description.max_message_size_in_kilobytes * 1024))
        except EntityNotFoundError as error:
            delivery.settle(Rejected(as_error(error)))
            self._link.detach(as_error(error))
            return
        except EmulatorError as error:
            delivery.settle(Rejected(as_error(error)))
        else:
            delivery.settle(Accepted())
        if self._link.credit < INLET_CREDIT // 2:
            self._link.grant(INLET_CREDIT - self._link.credit)


def read_messages(delivery: IncomingDelivery, limit: int) -> list[BrokeredMessage]:
    """The messages of one transfer of at most `limit` bytes: one, or those of a batch."""
    if len(delivery.payload) > limit:
        raise MessageTooLargeError(
            f"The transfer has {len(delivery.payload)} bytes; at most {limit} are taken. Send less at a time."
        )
    if delivery.message_format != BATCH_FORMAT:
        return [BrokeredMessage(delivery.payload)]
    try:
        body = Message.decode(delivery.payload).body
    except AmqpException as error:
        raise UnreadableMessageError(f"The batch cannot be read: {error}") from error
    if not isinstance(body, Data):
        raise UnreadableMessageError("A batch has a data section for each encoded message, and this one has none.")
    return [BrokeredMessage(bytes(section)) for section in body.sections]


class Outlet(LinkHandler):
    """Delivers the messages of a store, or of one session in it, as far as the client's credit goes."""

    def __init__(
        self,
        connection: "AmqpConnection",
        link: SendingLink,
        store: MessageStore,
        path: str,
        session: Session | None = None,
    ) -> None:
        super().__init__(path, "Listen")
        self.link = link
        self.session = session
        self.connection = connection
        self._store = store
        self._locks = link.snd_settle_mode != SenderSettleMode.SETTLED
        store.subscribe(self)
        connection.pump_when_drained(self)

    def wake(self) -> None:
        """Deliver what there is, until credit, the window or the socket says stop."""
        if self.link.detached:
            return
        while self.link.credit > 0:
            if self.connection.is_congested(self.link):
                self.connection.await_drain()
                return
            stored = self._store.acquire(lock=True, session=self.session)
            if stored is None or stored.lock_token is None:
                break
            token, payload = stored.lock_token, stored.encode(tell_lock=self._locks)
            if not fits(self.link, payload):
                self._refuse_to_send(token, len(payload))
                return
            self.link.send(payload, delivery_tag=token, settled=not self._locks)
            if not self._locks:
                self._store.complete(token)
            self.connection.count_sent(len(payload))
        if self.link.drain:
            self.link.drained()
            self.connection.request_flush()

    def stop(self, error: EmulatorError) -> None:
        """Detach the link: there is nothing to receive here any more."""
        self.link.detach(as_error(error))
        self.on_detached()
        self.connection.request_flush()

    def on_flow(self) -> None:
        """Deliver with the new credit."""
        self.wake()

    def on_update(self, deliveries: Iterable[Delivery], state: DeliveryState | Described | None, settled: bool) -> None:
        """Settle the messages as the client says, and confirm it where the client waits for that."""
        done: list[Delivery] = []
        for delivery in deliveries:
            try:
                outcome = self._settle(delivery.delivery_tag, state, settled)
            except EmulatorError as error:
                if not settled:
                    self.link.disposition([delivery], Rejected(as_error(error)))
            else:
                if outcome:
                    done.append(delivery)
        if done and not settled:
            # The outcome is echoed without its error: an error here would say that it failed.
            echo = Rejected() if isinstance(state, Rejected) else state
            self.link.disposition(done, echo if not isinstance(echo, Described) else None)
        self.wake()

    def on_detached(self) -> None:
        """Stop delivering; a session is given up, single messages stay locked until their time."""
        self._store.unsubscribe(self)
        self.connection.forget_pump(self)
        session, self.session = self.session, None
        if session is not None and session.owner is self:
            self._store.release_session(session)

    def on_session_lost(self) -> None:
        """The session's lock ran out: detach, saying so."""
        if self.session is not None:
            error = session_lock_lost(self.session.identifier)
            self.session = None
            self.stop(error)

    def _refuse_to_send(self, token: bytes, size: int) -> None:
        # Detached first: giving the message back wakes the receivers, and this one is none any more.
        self.link.detach(
            Error(
                ErrorCondition.MESSAGE_SIZE_EXCEEDED,
                f"The next message has {size} bytes, more than the link takes. Attach with a larger max-message-size.",
            )
        )
        self._store.abandon(token, {}, failed=False)
        self.on_detached()
        self.connection.request_flush()

    def _settle(self, token: bytes, state: DeliveryState | Described | None, settled: bool) -> bool:
        """Carry out one outcome; whether it was one (and not news of progress)."""
        if not self._locks:
            return True
        if self.session is not None and self.session.owner is not self:
            raise session_lock_lost(self.session.identifier)
        match state:
            case Accepted():
                self._store.complete(token)
            case Rejected(error=error):
                self._dead_letter(token, error)
            case Modified(undeliverable_here=True, message_annotations=properties):
                self._store.defer(token, properties or {})
            case Modified(message_annotations=properties):
                self._store.abandon(token, properties or {})
            case Released():
                self._store.abandon(token, {}, failed=False)
            case None if settled:
                self._store.abandon(token, {}, failed=False)
            case _:
                return False
        return True

    def _dead_letter(self, token: bytes, error: Error | None) -> None:
        info = dict(error.info or {}) if error else {}
        reason = info.pop("DeadLetterReason", None) or (error.condition if error else "Rejected")
        description = info.pop("DeadLetterErrorDescription", None)
        if description is None and error is not None:
            description = error.description
        self._store.dead_letter(
            token, str(reason), None if description is None else str(description), {str(k): v for k, v in info.items()}
        )


class SessionWaiter(LinkHandler):
    """Waits for a session that is free, for a client that asked for the next one, whichever it is."""

    def __init__(
        self,
        connection: "AmqpConnection",
        link: SendingLink,
        store: MessageStore,
        path: str,
        seconds: float,
    ) -> None:
        super().__init__(path, "Listen")
        self._connection = connection
        self._link = link
        self._store = store
        self._timer = connection.call_later(seconds, self._give_up)
        store.subscribe(self)

    def wake(self) -> None:
        """Take a session when one is free now."""
        if self._link.detached:
            self._stop_waiting()
            return
        outlet = accept_session(self._connection, self._link, self._store, self.path, None)
        if outlet is not None:
            self._stop_waiting()
            self._connection.request_flush()

    def stop(self, error: EmulatorError) -> None:
        """Refuse the link: the entity is gone or disabled."""
        self._stop_waiting()
        self._link.refuse(as_error(error))
        self._connection.forget_link(self._link)
        self._connection.request_flush()

    def on_detached(self) -> None:
        """The client does not wait any longer."""
        self._stop_waiting()

    def _give_up(self) -> None:
        self.stop(OperationTimeoutError("No session with messages became free in time. Try again, or wait for longer."))

    def _stop_waiting(self) -> None:
        self._timer.cancel()
        self._store.unsubscribe(self)


def accept_session(
    connection: "AmqpConnection", link: SendingLink, store: MessageStore, path: str, identifier: str | None
) -> Outlet | None:
    """Lock a session and deliver its messages on the link; None when none is free now."""
    session = store.accept_session(identifier, link)
    if session is None:
        return None
    source = link.source or Source()
    filters = dict(source.filter or {})
    asked = filters.get(SESSION_FILTER)
    filters[SESSION_FILTER] = (
        Described(asked.descriptor, session.identifier) if isinstance(asked, Described) else session.identifier
    )
    link.accept(
        source=Source(address=source.address, filter=filters),
        properties={"com.microsoft:locked-until-utc": session.locked_until * _TICKS_IN_A_MILLISECOND + _TICKS_AT_1970},
    )
    outlet = Outlet(connection, link, store, path, session)
    session.owner = outlet
    session.on_lost = outlet.on_session_lost
    link.data = outlet
    outlet.wake()
    return outlet


def open_outlet(connection: "AmqpConnection", link: SendingLink, address: Address) -> LinkHandler:
    """Answer a client that wants to receive from an entity."""
    namespace = connection.namespace
    path = address.path
    connection.claims.check(path, "Listen")
    connection.faults.check_attach(path)
    entity = namespace.source(address)
    entity.check_may_receive()
    store = entity.store_of(address.sub_queue)
    filters = (link.source.filter if link.source else None) or {}
    if SESSION_FILTER in filters:
        return _open_session(connection, link, store, path, filters[SESSION_FILTER])
    store.check_sessionless()
    link.accept(snd_settle_mode=link.snd_settle_mode, rcv_settle_mode=_settle_mode(link))
    return Outlet(connection, link, store, path)


def _open_session(
    connection: "AmqpConnection", link: SendingLink, store: MessageStore, path: str, asked: object
) -> LinkHandler:
    identifier = asked.value if isinstance(asked, Described) else asked
    outlet = accept_session(connection, link, store, path, None if identifier is None else str(identifier))
    if outlet is not None:
        return outlet
    timeout = (link.properties or {}).get("com.microsoft:timeout")
    seconds = timeout / 1000 if isinstance(timeout, int) and timeout > 0 else connection.options.session_wait
    return SessionWaiter(connection, link, store, path, seconds)


def _settle_mode(link: SendingLink) -> ReceiverSettleMode:
    return ReceiverSettleMode(link.rcv_settle_mode or ReceiverSettleMode.FIRST)
