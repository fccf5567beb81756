"""The deliveries of a session that are not settled, and what dispositions do to them (part 2, section 2.6.12)."""

from syncline.amqp.conditions import ErrorCondition
from syncline.amqp.deliveries import Delivery
from syncline.amqp.errors import SessionFault
from syncline.amqp.events import DeliveryUpdated
from syncline.amqp.performatives import RECEIVER, Disposition
from syncline.amqp.serial import serial_add, serial_distance


class UnsettledDeliveries:
    """Unsettled deliveries by delivery id, a dict for each direction."""

    __slots__ = ("incoming", "outgoing")

    def __init__(self) -> None:
        self.outgoing: dict[int, Delivery] = {}
        self.incoming: dict[int, Delivery] = {}

    def of(self, *, outgoing: bool) -> dict[int, Delivery]:
        """The deliveries of one direction."""
        return self.outgoing if outgoing else self.incoming

    def forget_link(self, link: object, *, outgoing: bool) -> None:
        """Forget the deliveries of a link that is over."""
        deliveries = self.of(outgoing=outgoing)
        for delivery_id in [each for each, delivery in deliveries.items() if delivery.link is link]:
            del deliveries[delivery_id]

    def clear(self) -> None:
        """Forget all."""
        self.outgoing.clear()
        self.incoming.clear()

    def apply(self, disposition: Disposition) -> list[DeliveryUpdated]:
        """Take over the peer's disposition; answers an event for each link. SessionFault for a range backwards.

        The work is bounded by what is unsettled, however wide the range.
        """
        deliveries = self.of(outgoing=disposition.role == RECEIVER)
        by_link: dict[object, list[Delivery]] = {}
        for delivery_id in _ids_between(deliveries, disposition.first, disposition.last):
            delivery = deliveries[delivery_id]
            delivery.remote_state = disposition.state
            if disposition.settled:
                delivery.settled = True
                del deliveries[delivery_id]
            by_link.setdefault(delivery.link, []).append(delivery)
        return [
            DeliveryUpdated(updated[0].link, tuple(updated), disposition.state, disposition.settled)
            for updated in by_link.values()
        ]


def _ids_between(deliveries: dict[int, Delivery], first: int, last: int | None) -> list[int]:
    if last is None or last == first:
        return [first] if first in deliveries else []
    span = serial_distance(first, last)
    if span < 0:
        raise SessionFault(ErrorCondition.INVALID_FIELD, f"disposition.last {last} is before first {first}")
    if span < len(deliveries):
        return [each for each in (serial_add(first, step) for step in range(span + 1)) if each in deliveries]
    return sorted(
        (each for each in deliveries if 0 <= serial_distance(first, each) <= span),
        key=lambda each: serial_distance(first, each),
    )
