"""The receiving end of a link (part 2, section 2.6.7)."""

from typing import TYPE_CHECKING, Final

from syncline.amqp.conditions import ErrorCondition
from syncline.amqp.deliveries import IncomingDelivery
from syncline.amqp.errors import LinkFault
from syncline.amqp.events import DeliveryReceived, LinkDrained
from syncline.amqp.link import Link
from syncline.amqp.performatives import Flow, Transfer
from syncline.amqp.serial import serial_add, serial_distance

if TYPE_CHECKING:
    from syncline.amqp.session import Session

MAXIMUM_TAG_SIZE: Final = 32
UNLIMITED_MESSAGE_SIZE: Final = 128 * 1024 * 1024
"""Bytes that a message may have on a link without max-message-size: memory is not unlimited."""


class ReceivingLink(Link):
    """A link over which this side receives. `available` is what the sender said last."""

    is_sender = False

    def __init__(self, session: "Session", name: str, handle: int) -> None:
        super().__init__(session, name, handle)
        self.credit = 0
        self.draining = False
        self._partial: IncomingDelivery | None = None
        self._received = bytearray()

    @property
    def unsettled(self) -> dict[int, IncomingDelivery]:
        """This link's deliveries that neither side has settled, by delivery id."""
        deliveries = self.session.unsettled(outgoing=False)
        return {
            delivery_id: each
            for delivery_id, each in deliveries.items()
            if isinstance(each, IncomingDelivery) and each.link is self
        }

    def grant(self, credit: int) -> None:
        """Let the sender send `credit` more messages."""
        self.set_credit(self.credit + credit)

    def set_credit(self, credit: int, *, drain: bool = False, echo: bool = False) -> None:
        """Let the sender send `credit` messages from now, less than before too.

        With `drain` it must use the credit at once or give it back; `LinkDrained` reports the end of that.
        Before the link is attached, the credit waits for it.
        """
        self.credit = credit
        self.draining = drain
        if self.attached:
            self.send_flow(echo=echo)

    def send_flow(self, *, echo: bool = False) -> None:
        """Tell the sender this side's delivery count and credit."""
        if self.attached:
            self.session.send_flow(self, link_credit=self.credit, available=None, drain=self.draining, echo=echo)

    def receive_flow(self, flow: Flow) -> None:
        """Take over the sender's delivery count, which a drain moves forward, and what it has available."""
        self.available = flow.available or 0
        if flow.delivery_count is None:
            return
        advance = serial_distance(self.delivery_count, flow.delivery_count)
        if advance > 0:
            self.delivery_count = flow.delivery_count
            self.credit = max(0, self.credit - advance)
        self._report_drained()

    def receive_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Take one frame of a delivery; reports the delivery with its last. Raises LinkFault."""
        delivery = self._partial
        if delivery is None:
            if transfer.aborted and transfer.delivery_id is None:
                raise LinkFault(ErrorCondition.INVALID_FIELD, "transfer.aborted is set on no delivery")
            delivery = self._begin_delivery(transfer)
            if not transfer.more and not transfer.aborted and len(payload) <= self._size_limit:
                self._finish_delivery(delivery, payload)
                return
            self._partial = delivery
        elif transfer.delivery_id is not None and transfer.delivery_id != delivery.delivery_id:
            raise LinkFault(
                ErrorCondition.INVALID_FIELD,
                f"transfer.delivery_id {transfer.delivery_id} while delivery {delivery.delivery_id} is not complete",
            )
        if transfer.aborted:
            self.forget_partial()
            self._report_drained()
            return
        if transfer.settled:
            delivery.settled = True
        self._received += payload
        if len(self._received) > self._size_limit:
            raise LinkFault(
                ErrorCondition.MESSAGE_SIZE_EXCEEDED,
                f"a message of more than {self._size_limit} bytes, the max-message-size of this link",
            )
        if not transfer.more:
            complete = bytes(self._received)
            self.forget_partial()
            self._finish_delivery(delivery, complete)

    def forget_partial(self) -> None:
        """Drop what has arrived of an incomplete delivery."""
        self._partial = None
        self._received = bytearray()

    @property
    def _size_limit(self) -> int:
        return self.max_message_size or UNLIMITED_MESSAGE_SIZE

    def _begin_delivery(self, transfer: Transfer) -> IncomingDelivery:
        if transfer.delivery_id is None or transfer.delivery_tag is None:
            raise LinkFault(
                ErrorCondition.INVALID_FIELD, "the first transfer of a delivery needs a delivery-id and a delivery-tag"
            )
        if len(transfer.delivery_tag) > MAXIMUM_TAG_SIZE:
            raise LinkFault(
                ErrorCondition.INVALID_FIELD, f"a delivery-tag of {len(transfer.delivery_tag)} bytes, the most are 32"
            )
        if transfer.resume:
            raise LinkFault(ErrorCondition.NOT_IMPLEMENTED, "deliveries cannot be resumed here: send them anew")
        if transfer.delivery_id in self.session.unsettled(outgoing=False):
            raise LinkFault(ErrorCondition.INVALID_FIELD, f"delivery-id {transfer.delivery_id} is still unsettled")
        if self.credit <= 0:
            raise LinkFault(ErrorCondition.TRANSFER_LIMIT_EXCEEDED, "a transfer without credit: wait for a flow")
        self.credit -= 1
        self.delivery_count = serial_add(self.delivery_count, 1)
        return IncomingDelivery(
            self, transfer.delivery_id, transfer.delivery_tag, transfer.message_format or 0, bool(transfer.settled)
        )

    def _finish_delivery(self, delivery: IncomingDelivery, payload: bytes) -> None:
        delivery.payload = payload
        if not delivery.settled:
            self.session.unsettled(outgoing=False)[delivery.delivery_id] = delivery
        self.connection.report(DeliveryReceived(self, delivery))
        self._report_drained()

    def _report_drained(self) -> None:
        if self.draining and self.credit == 0:
            self.draining = False
            self.connection.report(LinkDrained(self))
