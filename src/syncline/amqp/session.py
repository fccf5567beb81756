"""The state of a session: its windows, its links and the deliveries that are not settled (part 2, section 2.5)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from syncline.amqp.backlog import Backlog
from syncline.amqp.conditions import ErrorCondition
from syncline.amqp.deliveries import Delivery
from syncline.amqp.delivery_states import Error
from syncline.amqp.endpoints import Coordinator, Source, Target
from syncline.amqp.errors import ConnectionFault, LinkFault, LocalProtocolError, SessionFault
from syncline.amqp.events import (
    LinkAttached,
    LinkDetached,
    LinkFlow,
    LinkRequested,
    SessionEnded,
    SessionFlow,
)
from syncline.amqp.link import Link, terminus_missing
from syncline.amqp.link_table import AnyLink, LinkTable
from syncline.amqp.performatives import (
    RECEIVER,
    Attach,
    Begin,
    Detach,
    Disposition,
    End,
    Flow,
    ReceiverSettleMode,
    SenderSettleMode,
    Transfer,
)
from syncline.amqp.receiving import ReceivingLink
from syncline.amqp.sending import SendingLink
from syncline.amqp.serial import serial_add, serial_distance
from syncline.amqp.settlement import UnsettledDeliveries

if TYPE_CHECKING:
    from syncline.amqp.connection import Connection


class Session:
    """One end of a session. `channel` is the one this side sends on; `data` is the caller's own."""

    def __init__(
        self,
        connection: "Connection",
        channel: int,
        *,
        incoming_window: int,
        outgoing_window: int,
        handle_max: int,
        next_outgoing_id: int = 0,
    ) -> None:
        self.connection = connection
        self.channel = channel
        self.remote_channel: int | None = None
        self.remote_begin: Begin | None = None
        self.local_end: End | None = None
        self.over = False
        self.data: Any = None
        self.handle_max = handle_max
        self.incoming_window = incoming_window
        self.outgoing_window = outgoing_window
        self.remote_incoming_window = 0
        self.next_incoming_id: int | None = None
        self.next_outgoing_id = next_outgoing_id
        self._incoming_window_size = incoming_window
        self._initial_outgoing_id = next_outgoing_id
        self._next_delivery_id = next_outgoing_id
        self._backlog = Backlog()
        self._unsettled = UnsettledDeliveries()
        self._links = LinkTable()

    def __repr__(self) -> str:
        return f"<Session channel={self.channel} remote={self.remote_channel} ended={self.ended}>"

    @property
    def ended(self) -> bool:
        """Whether either side has ended the session, or its connection is over."""
        return self.over or self.local_end is not None

    @property
    def links(self) -> tuple[AnyLink, ...]:
        """The links that are not over."""
        return self._links.live

    @property
    def backlog_frames(self) -> int:
        """How many transfer frames wait for the peer's window to open."""
        return len(self._backlog)

    @property
    def backlog_bytes(self) -> int:
        """How many bytes those frames have."""
        return self._backlog.size

    def attach_sender(
        self,
        name: str,
        *,
        source: Source | str | None = None,
        target: Target | Coordinator | str | None = None,
        snd_settle_mode: SenderSettleMode = SenderSettleMode.MIXED,
        rcv_settle_mode: ReceiverSettleMode = ReceiverSettleMode.FIRST,
        max_message_size: int | None = None,
        properties: dict[Any, Any] | None = None,
        initial_delivery_count: int = 0,
    ) -> SendingLink:
        """Attach a link to send over; `LinkAttached` or `LinkDetached` reports the answer.

        Raises LocalProtocolError when the session has ended, the name is taken or no handle is left.
        """
        link = SendingLink(self, name, self._free_handle(name, is_sender=True))
        link.delivery_count = initial_delivery_count
        link.source, link.target = _source(source) or Source(), _target(target)
        self._attach(link, snd_settle_mode, rcv_settle_mode, max_message_size, properties)
        return link

    def attach_receiver(
        self,
        name: str,
        *,
        source: Source | str | None = None,
        target: Target | str | None = None,
        snd_settle_mode: SenderSettleMode = SenderSettleMode.MIXED,
        rcv_settle_mode: ReceiverSettleMode = ReceiverSettleMode.FIRST,
        max_message_size: int | None = None,
        properties: dict[Any, Any] | None = None,
        credit: int = 0,
    ) -> ReceivingLink:
        """Attach a link to receive over, with `credit` granted as soon as the peer has answered.

        Raises LocalProtocolError as `attach_sender` does.
        """
        link = ReceivingLink(self, name, self._free_handle(name, is_sender=False))
        link.credit = credit
        link.source, link.target = _source(source), _target(target) or Target()
        if max_message_size is None:
            max_message_size = self.connection.max_message_size
        self._attach(link, snd_settle_mode, rcv_settle_mode, max_message_size, properties)
        return link

    def _attach(
        self,
        link: AnyLink,
        snd_settle_mode: SenderSettleMode,
        rcv_settle_mode: ReceiverSettleMode,
        max_message_size: int | None,
        properties: dict[Any, Any] | None,
    ) -> None:
        link.snd_settle_mode, link.rcv_settle_mode = snd_settle_mode, rcv_settle_mode
        link.max_message_size = max_message_size
        self._links.add(link)
        link.send_attach(properties=properties)

    def end(self, error: Error | None = None) -> None:
        """End the session and with it its links. Does nothing when it has ended."""
        if not self.ended:
            self.send(End(error))
            self.local_end = End(error)
            self._backlog.clear()

    # What links call.

    def send(self, performative: object) -> None:
        """Queue a frame on this session's channel; nothing once the session has ended."""
        if not self.ended:
            self.connection.send_frame(self.channel, performative)

    def send_flow(
        self,
        link: Link | None = None,
        *,
        link_credit: int | None = None,
        available: int | None = None,
        drain: bool = False,
        echo: bool = False,
    ) -> None:
        """Tell the peer the session's windows and, with a link, that link's state."""
        self.send(
            Flow(
                next_incoming_id=self.next_incoming_id,
                incoming_window=self.incoming_window,
                next_outgoing_id=self.next_outgoing_id,
                outgoing_window=self.outgoing_window,
                handle=link.handle if link else None,
                delivery_count=link.delivery_count if link else None,
                link_credit=link_credit,
                available=available,
                drain=drain,
                echo=echo,
            )
        )

    def take_delivery_id(self) -> int:
        """The id for the next outgoing delivery."""
        delivery_id = self._next_delivery_id
        self._next_delivery_id = serial_add(delivery_id, 1)
        return delivery_id

    def unsettled(self, *, outgoing: bool) -> dict[int, Delivery]:
        """The deliveries of one direction that are not settled, by delivery id."""
        return self._unsettled.of(outgoing=outgoing)

    def send_transfers(self, link: SendingLink, frames: list[bytes]) -> None:
        """Send transfer frames in order, as far as the peer's window allows; the others wait."""
        for frame in frames:
            self._backlog.add(link, frame)
        self._send_backlog()

    def drop_backlog(self, link: Link) -> None:
        """Forget the frames of a link that wait for the window."""
        self._backlog.drop(link)

    def _send_backlog(self) -> None:
        while self._backlog and self.remote_incoming_window > 0:
            self.remote_incoming_window -= 1
            self.next_outgoing_id = serial_add(self.next_outgoing_id, 1)
            self.connection.send_bytes(self._backlog.take())

    # What the connection calls.

    def send_begin(self) -> None:
        """Send this side's begin."""
        self.send(
            Begin(
                remote_channel=self.remote_channel,
                next_outgoing_id=self.next_outgoing_id,
                incoming_window=self.incoming_window,
                outgoing_window=self.outgoing_window,
                handle_max=self.handle_max,
            )
        )

    def receive_begin(self, channel: int, begin: Begin) -> None:
        """Take over the peer's begin."""
        self.remote_channel = channel
        self.remote_begin = begin
        self.next_incoming_id = begin.next_outgoing_id
        self.remote_incoming_window = begin.incoming_window

    def receive(self, performative: object, payload: bytes) -> None:
        """Take a frame's performative. Faults of the session end it here; ConnectionFault is raised."""
        if self.ended:
            return
        handler = _HANDLERS.get(type(performative))
        if handler is None:
            raise ConnectionFault(
                ErrorCondition.NOT_ALLOWED, f"{type(performative).__name__} has no place in a session"
            )
        try:
            handler(self, performative, payload)
        except SessionFault as fault:
            error = Error(fault.condition, fault.description)
            self.end(error)
            self.finish(error, by_peer=False)

    def finish(self, error: Error | None, *, by_peer: bool) -> None:
        """Report the end of the session and of its links, once."""
        if self.over:
            return
        for link in self.links:
            self._finish_link(link, error, closed=True, by_peer=by_peer, silent=_refused_here(link))
        self.over = True
        self._unsettled.clear()
        self._backlog.clear()
        self.connection.report(SessionEnded(self, error, by_peer))

    def replenish_window(self) -> None:
        """Open the incoming window again: memory is bounded by the links' credit and message sizes."""
        self.incoming_window = self._incoming_window_size
        self.send_flow()

    # Performatives.

    def _on_attach(self, attach: Attach, _payload: bytes) -> None:
        if attach.handle > self.handle_max:
            raise ConnectionFault(
                ErrorCondition.FRAMING_ERROR, f"attach.handle {attach.handle} is above this session's {self.handle_max}"
            )
        if self._links.at_remote_handle(attach.handle) is not None:
            raise SessionFault(ErrorCondition.HANDLE_IN_USE, f"attach.handle {attach.handle} belongs to another link")
        is_sender = attach.role == RECEIVER
        link = self._links.named(attach.name, is_sender=is_sender)
        if link is not None and link.remote_attach is None:
            self._take_answer(link, attach)
            return
        if link is not None and link.attach_sent:
            link.detach(Error(ErrorCondition.STOLEN, f"link {attach.name!r} was attached again"[:100]))
        elif link is not None:
            raise SessionFault(ErrorCondition.NOT_ALLOWED, "a link was attached twice before the first was answered")
        handle = self._lowest_free_handle()
        if handle is None:
            raise SessionFault(ErrorCondition.RESOURCE_LIMIT_EXCEEDED, "the session has no handle left for this link")
        link = (SendingLink if is_sender else ReceivingLink)(self, attach.name, handle)
        if not is_sender:
            link.max_message_size = self.connection.max_message_size
        link.receive_attach(attach)
        self._links.add(link)
        self._links.bind(attach.handle, link)
        self.connection.report(LinkRequested(link))

    def _take_answer(self, link: AnyLink, attach: Attach) -> None:
        link.receive_attach(attach)
        self._links.bind(attach.handle, link)
        if terminus_missing(attach):
            link.refused_there = True
            return
        if link.local_detach is None:
            self.connection.report(LinkAttached(link))
            if isinstance(link, ReceivingLink) and link.credit:
                link.send_flow()

    def _on_flow(self, flow: Flow, _payload: bytes) -> None:
        seen = flow.next_incoming_id if flow.next_incoming_id is not None else self._initial_outgoing_id
        window = serial_distance(self.next_outgoing_id, seen) + flow.incoming_window
        self.remote_incoming_window = max(0, window)
        self.next_incoming_id = flow.next_outgoing_id
        self._send_backlog()
        if flow.handle is None:
            if flow.echo:
                self.send_flow()
            self.connection.report(SessionFlow(self))
            return
        link = self._link(flow.handle, "flow")
        if link.local_detach is not None or link.remote_attach is None:
            return
        link.receive_flow(flow)
        if flow.echo:
            link.send_flow()
        self.connection.report(LinkFlow(link))

    def _on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        if self.incoming_window <= 0:
            raise SessionFault(ErrorCondition.WINDOW_VIOLATION, "a transfer while the incoming window is shut")
        self.incoming_window -= 1
        self.next_incoming_id = serial_add(self.next_incoming_id or 0, 1)
        if self.incoming_window <= self._incoming_window_size // 2:
            self.connection.note_low_window(self)
        link = self._link(transfer.handle, "transfer")
        if link.local_detach is not None:
            return
        if not isinstance(link, ReceivingLink):
            self._fail_link(link, LinkFault(ErrorCondition.NOT_ALLOWED, "a transfer to the sending end of a link"))
            return
        try:
            link.receive_transfer(transfer, payload)
        except LinkFault as fault:
            self._fail_link(link, fault)

    def _on_disposition(self, disposition: Disposition, _payload: bytes) -> None:
        for event in self._unsettled.apply(disposition):
            self.connection.report(event)

    def _on_detach(self, detach: Detach, _payload: bytes) -> None:
        link = self._link(detach.handle, "detach")
        by_peer = link.local_detach is None
        if by_peer:
            if not link.attach_sent:
                link.refused_here = True
                link.source = link.target = None
                link.send_attach()
            self.send(Detach(link.handle, detach.closed))
        error = detach.error or (link.local_detach.error if link.local_detach else None)
        self._finish_link(link, error, closed=detach.closed, by_peer=by_peer, silent=_refused_here(link))
        self._links.free_handles(detach.handle, link)

    # Links.

    def _link(self, handle: int, what: str) -> AnyLink:
        link = self._links.at_remote_handle(handle)
        if link is None:
            raise SessionFault(ErrorCondition.UNATTACHED_HANDLE, f"{what}.handle {handle} is not attached")
        return link

    def _fail_link(self, link: AnyLink, fault: LinkFault) -> None:
        error = Error(fault.condition, fault.description)
        if link.attach_sent:
            link.detach(error)
        else:
            link.refuse(error)
        self._finish_link(link, error, closed=True, by_peer=False)

    def _finish_link(
        self,
        link: AnyLink,
        error: Error | None,
        *,
        closed: bool,
        by_peer: bool,
        silent: bool = False,
    ) -> None:
        if link.over:
            return
        link.over = True
        self.drop_backlog(link)
        if isinstance(link, ReceivingLink):
            link.forget_partial()
        self._unsettled.forget_link(link, outgoing=link.is_sender)
        self._links.free_name(link)
        if not silent:
            self.connection.report(LinkDetached(link, error, closed, by_peer))

    def _lowest_free_handle(self) -> int | None:
        return self._links.lowest_free_handle(self.remote_begin.handle_max if self.remote_begin else self.handle_max)

    def _free_handle(self, name: str, *, is_sender: bool) -> int:
        if self.ended:
            raise LocalProtocolError(f"link {name!r} cannot be attached: the session has ended")
        if self._links.named(name, is_sender=is_sender) is not None:
            raise LocalProtocolError(f"link {name!r} is attached already: choose another name")
        handle = self._lowest_free_handle()
        if handle is None:
            raise LocalProtocolError(f"link {name!r} cannot be attached: the peer allows no more links in a session")
        return handle


_HANDLERS: Final[dict[type, Callable[[Session, Any, bytes], None]]] = {
    Transfer: Session._on_transfer,
    Flow: Session._on_flow,
    Disposition: Session._on_disposition,
    Attach: Session._on_attach,
    Detach: Session._on_detach,
}


def _refused_here(link: Link) -> bool:
    return link.refused_here and link.local_detach is not None


def _source(source: Source | str | None) -> Source | None:
    return Source(source) if isinstance(source, str) else source


def _target(target: Target | Coordinator | str | None) -> Target | Coordinator | None:
    return Target(target) if isinstance(target, str) else target
