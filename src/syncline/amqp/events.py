"""What `Connection.receive_data` reports. Dispatch on the class of the event."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncline.amqp.delivery_states import DeliveryState, Error
from syncline.amqp.performatives import Open

if TYPE_CHECKING:
    from syncline.amqp.deliveries import Delivery, IncomingDelivery
    from syncline.amqp.receiving import ReceivingLink
    from syncline.amqp.sending import SendingLink
    from syncline.amqp.session import Session


@dataclass(slots=True)
class SaslAuthenticated:
    """SASL succeeded. `response` is the client's initial or last response, empty on the client's own side."""

    mechanism: str
    response: bytes


@dataclass(slots=True)
class ConnectionOpened:
    """The peer's open arrived."""

    open: Open


@dataclass(slots=True)
class SessionBegun:
    """A session is up on both sides, whoever began it."""

    session: "Session"


@dataclass(slots=True)
class LinkRequested:
    """The peer attaches a link: call `accept` or `refuse` on it, now or later."""

    link: "SendingLink | ReceivingLink"


@dataclass(slots=True)
class LinkAttached:
    """The peer accepted a link that this side attached."""

    link: "SendingLink | ReceivingLink"


@dataclass(slots=True)
class LinkFlow:
    """The peer's flow for a link: look at its credit and drain, or at what is available."""

    link: "SendingLink | ReceivingLink"


@dataclass(slots=True)
class LinkDrained:
    """After a drain, no credit is left at the sender: nothing more comes until credit is granted."""

    link: "ReceivingLink"


@dataclass(slots=True)
class SessionFlow:
    """The peer's flow for a session: its window may have opened and waiting transfers gone out."""

    session: "Session"


@dataclass(slots=True)
class DeliveryReceived:
    """A message arrived completely."""

    link: "ReceivingLink"
    delivery: "IncomingDelivery"


@dataclass(slots=True)
class DeliveryUpdated:
    """The peer's disposition for deliveries of one link, in the order of their ids.

    With `settled` the peer has forgotten them and they are over. Without it, the side that receives this
    settles: `link.disposition(deliveries, state)`.
    """

    link: "SendingLink | ReceivingLink"
    deliveries: "tuple[Delivery, ...]"
    state: DeliveryState | None
    settled: bool


@dataclass(slots=True)
class LinkDetached:
    """A link is over: detached by either side, or with its session or connection. Comes once for each link.

    A link that this side refused has none. `by_peer` tells who began it.
    """

    link: "SendingLink | ReceivingLink"
    error: Error | None
    closed: bool
    by_peer: bool


@dataclass(slots=True)
class SessionEnded:
    """A session is over; its links were detached by the events before this one."""

    session: "Session"
    error: Error | None
    by_peer: bool


@dataclass(slots=True)
class ConnectionClosed:
    """The connection is over: the last event. Send what is queued, then drop the transport."""

    error: Error | None
    by_peer: bool


Event = (
    SaslAuthenticated
    | ConnectionOpened
    | SessionBegun
    | LinkRequested
    | LinkAttached
    | LinkFlow
    | LinkDrained
    | SessionFlow
    | DeliveryReceived
    | DeliveryUpdated
    | LinkDetached
    | SessionEnded
    | ConnectionClosed
)
