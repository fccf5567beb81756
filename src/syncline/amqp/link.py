"""The state of a link (part 2, section 2.6), what sending and receiving links share."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from syncline.amqp.deliveries import Delivery
from syncline.amqp.delivery_states import DeliveryState, Error
from syncline.amqp.endpoints import Coordinator, Source, Target
from syncline.amqp.errors import LocalProtocolError
from syncline.amqp.performatives import (
    RECEIVER,
    SENDER,
    Attach,
    Detach,
    Disposition,
    Flow,
    ReceiverSettleMode,
    SenderSettleMode,
)
from syncline.amqp.serial import serial_distance

if TYPE_CHECKING:
    from syncline.amqp.connection import Connection
    from syncline.amqp.session import Session


class Link(ABC):
    """One end of a link. `data` is the caller's own.

    Until it is accepted, `source`, `target` and the settle modes are what the peer asked for.
    """

    is_sender: bool

    def __init__(self, session: "Session", name: str, handle: int) -> None:
        self.session = session
        self.name = name
        self.handle = handle
        self.remote_handle: int | None = None
        self.remote_attach: Attach | None = None
        self.source: Source | None = None
        self.target: Target | Coordinator | None = None
        self.snd_settle_mode = SenderSettleMode.MIXED
        self.rcv_settle_mode = ReceiverSettleMode.FIRST
        self.max_message_size: int | None = None
        self.delivery_count = 0
        self.available = 0
        self.data: Any = None
        self.attach_sent = False
        self.refused_here = False
        self.refused_there = False
        self.local_detach: Detach | None = None
        self.over = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} handle={self.handle} attached={self.attached}>"

    @property
    def connection(self) -> "Connection":
        """The connection below the link's session."""
        return self.session.connection

    @property
    def attached(self) -> bool:
        """Whether both sides have attached and neither has detached."""
        return (
            self.attach_sent
            and self.remote_attach is not None
            and self.local_detach is None
            and not self.refused_there
            and not self.detached
        )

    @property
    def detached(self) -> bool:
        """Whether the link is over, with or without its session."""
        return self.over or self.session.ended

    @property
    def properties(self) -> dict[Any, Any]:
        """The properties that the peer attached with."""
        return (self.remote_attach.properties if self.remote_attach else None) or {}

    @property
    def remote_max_message_size(self) -> int | None:
        """The largest message that the peer takes, in bytes; None for any."""
        return (self.remote_attach.max_message_size if self.remote_attach else None) or None

    def accept(
        self,
        *,
        source: Source | None = None,
        target: Target | Coordinator | None = None,
        snd_settle_mode: int | None = None,
        rcv_settle_mode: int | None = None,
        max_message_size: int | None = None,
        properties: dict[Any, Any] | None = None,
        initial_delivery_count: int = 0,
        offered_capabilities: tuple[str, ...] = (),
    ) -> None:
        """Accept a link that the peer asked for. What is not given is as the peer asked.

        `max_message_size` is in bytes. Raises LocalProtocolError when the link was answered before; does
        nothing when the peer has gone meanwhile.
        """
        if self.detached:
            return
        if self.remote_attach is None or self.attach_sent:
            raise LocalProtocolError(f"link {self.name!r} was not asked for by the peer or is answered already")
        self.source = source or self.source
        self.target = target or self.target
        if snd_settle_mode is not None:
            self.snd_settle_mode = SenderSettleMode(snd_settle_mode)
        if rcv_settle_mode is not None:
            self.rcv_settle_mode = ReceiverSettleMode(rcv_settle_mode)
        if max_message_size is not None:
            self.max_message_size = max_message_size
        if self.is_sender:
            self.delivery_count = initial_delivery_count
        self.send_attach(properties=properties, offered_capabilities=offered_capabilities)

    def refuse(self, error: Error) -> None:
        """Refuse a link that the peer asked for: attach without a terminus, then detach (section 2.6.3)."""
        if self.detached:
            return
        if self.remote_attach is None or self.attach_sent:
            raise LocalProtocolError(f"link {self.name!r} was not asked for by the peer or is answered already")
        self.refused_here = True
        if self.is_sender:
            self.source = None
        else:
            self.target = None
        self.send_attach()
        self.detach(error)

    def detach(self, error: Error | None = None, closed: bool = True) -> None:
        """Detach, `closed` for good. Transfers still waiting for the session's window are dropped."""
        if self.detached or self.local_detach is not None:
            return
        if not self.attach_sent:
            raise LocalProtocolError(f"link {self.name!r} is not attached yet: accept or refuse it first")
        self.local_detach = Detach(self.handle, closed, error)
        self.session.drop_backlog(self)
        self.session.send(self.local_detach)

    def disposition(self, deliveries: Iterable[Delivery], state: DeliveryState | None, settled: bool = True) -> None:
        """Tell the peer the state of deliveries of this link, one frame for each run of adjoining ids.

        Deliveries that are over already are left out.
        """
        if self.detached or self.local_detach is not None:
            return
        unsettled = self.session.unsettled(outgoing=self.is_sender)
        alive = [each.delivery_id for each in deliveries if unsettled.get(each.delivery_id) is each]
        if settled:
            for delivery_id in alive:
                unsettled.pop(delivery_id).settled = True
        if len(alive) > 1:
            first_id = alive[0]
            alive.sort(key=lambda delivery_id: serial_distance(first_id, delivery_id))
        role = SENDER if self.is_sender else RECEIVER
        for first, last in _runs(alive):
            self.session.send(Disposition(role, first, last if last != first else None, settled, state))

    def send_attach(self, properties: dict[Any, Any] | None = None, offered_capabilities: tuple[str, ...] = ()) -> None:
        """Send this side's attach."""
        self.attach_sent = True
        self.session.send(
            Attach(
                name=self.name,
                handle=self.handle,
                role=SENDER if self.is_sender else RECEIVER,
                snd_settle_mode=self.snd_settle_mode,
                rcv_settle_mode=self.rcv_settle_mode,
                source=self.source,
                target=self.target,
                initial_delivery_count=self.delivery_count if self.is_sender else None,
                max_message_size=self.max_message_size,
                offered_capabilities=offered_capabilities,
                properties=properties,
            )
        )

    def receive_attach(self, attach: Attach) -> None:
        """Take over the peer's attach."""
        self.remote_attach = attach
        self.remote_handle = attach.handle
        if not self.attach_sent or attach.source is not None:
            self.source = attach.source
        if not self.attach_sent or attach.target is not None:
            self.target = attach.target
        self.snd_settle_mode = _mode(SenderSettleMode, attach.snd_settle_mode, self.snd_settle_mode)
        self.rcv_settle_mode = _mode(ReceiverSettleMode, attach.rcv_settle_mode, self.rcv_settle_mode)
        if not self.is_sender:
            self.delivery_count = attach.initial_delivery_count or 0

    @abstractmethod
    def receive_flow(self, flow: Flow) -> None:
        """Take over the link's part of a flow."""

    @abstractmethod
    def send_flow(self, *, echo: bool = False) -> None:
        """Tell the peer this side's state of the link."""


def _mode(kind: Any, asked: int, otherwise: Any) -> Any:
    return kind(asked) if asked in kind.__members__.values() else otherwise


def _runs(ids: list[int]) -> Iterable[tuple[int, int]]:
    start = 0
    for index in range(1, len(ids) + 1):
        if index == len(ids) or serial_distance(ids[index - 1], ids[index]) != 1:
            yield ids[start], ids[index - 1]
            start = index


def terminus_missing(attach: Attach) -> bool:
    """Whether a peer's answer to an attach refuses it: a detach with the reason follows (section 2.6.3)."""
    return attach.target is None if attach.role == RECEIVER else attach.source is None
