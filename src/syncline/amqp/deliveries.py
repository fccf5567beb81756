"""Deliveries: messages on their way over a link, and whether both sides still remember them."""

from typing import TYPE_CHECKING, Any

from syncline.amqp.delivery_states import DeliveryState
from syncline.amqp.messages import Message

if TYPE_CHECKING:
    from syncline.amqp.receiving import ReceivingLink
    from syncline.amqp.sending import SendingLink


class _Delivery:
    """What both directions share. `data` is the caller's own; `remote_state` is what the peer said last."""

    __slots__ = ("data", "delivery_id", "delivery_tag", "message_format", "remote_state", "settled")

    def __init__(self, delivery_id: int, delivery_tag: bytes, message_format: int, settled: bool) -> None:
        self.delivery_id = delivery_id
        self.delivery_tag = delivery_tag
        self.message_format = message_format
        self.settled = settled
        self.remote_state: DeliveryState | None = None
        self.data: Any = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.delivery_id} tag={self.delivery_tag.hex()} settled={self.settled}>"


class OutgoingDelivery(_Delivery):
    """A message that this side sent."""

    __slots__ = ("link",)

    def __init__(
        self, link: "SendingLink", delivery_id: int, delivery_tag: bytes, message_format: int, settled: bool
    ) -> None:
        super().__init__(delivery_id, delivery_tag, message_format, settled)
        self.link = link

    def update(self, state: DeliveryState) -> None:
        """Tell the peer a state without settling."""
        self.link.disposition((self,), state, settled=False)

    def settle(self, state: DeliveryState | None = None) -> None:
        """Settle, which forgets the delivery. Nothing happens when it is over already."""
        self.link.disposition((self,), state)


class IncomingDelivery(_Delivery):
    """A message that this side received; `payload` is the encoded message."""

    __slots__ = ("link", "payload")

    def __init__(
        self, link: "ReceivingLink", delivery_id: int, delivery_tag: bytes, message_format: int, settled: bool
    ) -> None:
        super().__init__(delivery_id, delivery_tag, message_format, settled)
        self.link = link
        self.payload = b""

    def message(self) -> Message:
        """The decoded message. Raises DecodeError when the payload is not one."""
        return Message.decode(self.payload)

    def update(self, state: DeliveryState) -> None:
        """Tell the sender an outcome without settling: it settles then (receiver settle mode second)."""
        self.link.disposition((self,), state, settled=False)

    def settle(self, state: DeliveryState | None = None) -> None:
        """Tell the sender an outcome and settle. Nothing happens when the delivery is over already."""
        self.link.disposition((self,), state)


Delivery = OutgoingDelivery | IncomingDelivery
