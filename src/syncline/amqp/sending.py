"""The sending end of a link (part 2, section 2.6.7)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncline.amqp.deliveries import OutgoingDelivery
from syncline.amqp.delivery_states import DeliveryState
from syncline.amqp.errors import LocalProtocolError
from syncline.amqp.link import Link
from syncline.amqp.performatives import Flow, SenderSettleMode
from syncline.amqp.serial import serial_add, serial_distance
from syncline.amqp.transfers import transfer_frames

if TYPE_CHECKING:
    from syncline.amqp.session import Session


class SendingLink(Link):
    """A link over which this side sends. `available` is told to the receiver in flows."""

    is_sender = True

    def __init__(self, session: "Session", name: str, handle: int) -> None:
        super().__init__(session, name, handle)
        self._credit = 0
        self.drain = False

    @property
    def credit(self) -> int:
        """How many messages may be sent now."""
        return self._credit if self.attached else 0

    def send(
        self,
        payload: bytes | Sequence[bytes],
        *,
        delivery_tag: bytes,
        settled: bool | None = None,
        message_format: int = 0,
        state: DeliveryState | None = None,
    ) -> OutgoingDelivery:
        """Send an encoded message, whole or in pieces to be joined; takes one credit.

        The transfer waits in the session while the peer's window is shut. `settled` left out goes by the
        link's sender settle mode. Raises LocalProtocolError without credit, after a detach, or when the
        peer's max-message-size is smaller than the message.
        """
        if self.credit <= 0:
            reason = "the receiver has granted no credit" if self.attached else "it is not attached"
            raise LocalProtocolError(f"link {self.name!r} cannot send: {reason}")
        if not isinstance(payload, bytes):
            payload = b"".join(payload)
        limit = self.remote_max_message_size
        if limit is not None and len(payload) > limit:
            raise LocalProtocolError(f"a message of {len(payload)} bytes: link {self.name!r} takes {limit}")
        if len(delivery_tag) > 32:
            raise LocalProtocolError(f"a delivery tag has at most 32 bytes, not {len(delivery_tag)}")
        if settled is None:
            settled = self.snd_settle_mode == SenderSettleMode.SETTLED
        session = self.session
        delivery = OutgoingDelivery(self, session.take_delivery_id(), delivery_tag, message_format, settled)
        self._credit -= 1
        self.delivery_count = serial_add(self.delivery_count, 1)
        if not settled:
            session.unsettled(outgoing=True)[delivery.delivery_id] = delivery
        session.send_transfers(
            self, transfer_frames(delivery, payload, state, session.channel, session.connection.remote_max_frame_size)
        )
        return delivery

    def drained(self) -> None:
        """Give back the credit that nothing is left to be sent for, when the receiver asked for a drain."""
        if not self.drain or not self.attached:
            return
        self.delivery_count = serial_add(self.delivery_count, self._credit)
        self._credit = 0
        self.send_flow()
        self.drain = False

    def send_flow(self, *, echo: bool = False) -> None:
        """Tell the receiver this side's delivery count, credit and what is available."""
        if self.attached:
            self.session.send_flow(
                self, link_credit=self._credit, available=self.available, drain=self.drain, echo=echo
            )

    def receive_flow(self, flow: Flow) -> None:
        """Take over the receiver's credit (the formula of section 2.6.7)."""
        self.drain = flow.drain
        if flow.link_credit is None:
            return
        seen = flow.delivery_count if flow.delivery_count is not None else self.delivery_count
        self._credit = max(0, serial_distance(self.delivery_count, seen) + flow.link_credit)
