# ruff: noqa: RUF009 - `optional` and `mandatory` are dataclasses.field with metadata
"""The performatives: what frames say (part 2, section 2.7; SASL: part 5, section 5.3.3).

Field names are those of the specification with underscores. Numbers are plain ints; times are milliseconds.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from syncline.amqp.composites import composite, mandatory, optional
from syncline.amqp.delivery_states import DeliveryState, Error
from syncline.amqp.endpoints import Coordinator, Source, Target

SENDER: Final = False
RECEIVER: Final = True


class SenderSettleMode(IntEnum):
    """Whether a sender settles what it sends (part 2, section 2.8.2)."""

    UNSETTLED = 0
    SETTLED = 1
    MIXED = 2


class ReceiverSettleMode(IntEnum):
    """Whether a receiver settles first, or after the sender has (part 2, section 2.8.3)."""

    FIRST = 0
    SECOND = 1


@composite(0x10, "amqp:open:list")
@dataclass(slots=True)
class Open:
    """Opens a connection and says its limits."""

    container_id: str = mandatory("string")
    hostname: str | None = optional("string")
    max_frame_size: int = optional("uint", 0xFFFF_FFFF)
    channel_max: int = optional("ushort", 0xFFFF)
    idle_time_out: int | None = optional("uint")
    outgoing_locales: tuple[str, ...] = optional("symbols", ())
    incoming_locales: tuple[str, ...] = optional("symbols", ())
    offered_capabilities: tuple[str, ...] = optional("symbols", ())
    desired_capabilities: tuple[str, ...] = optional("symbols", ())
    properties: dict[Any, Any] | None = optional("fields")


@composite(0x11, "amqp:begin:list")
@dataclass(slots=True)
class Begin:
    """Begins a session on a channel."""

    remote_channel: int | None = optional("ushort")
    next_outgoing_id: int = mandatory("uint")
    incoming_window: int = mandatory("uint")
    outgoing_window: int = mandatory("uint")
    handle_max: int = optional("uint", 0xFFFF_FFFF)
    offered_capabilities: tuple[str, ...] = optional("symbols", ())
    desired_capabilities: tuple[str, ...] = optional("symbols", ())
    properties: dict[Any, Any] | None = optional("fields")


@composite(0x12, "amqp:attach:list")
@dataclass(slots=True)
class Attach:
    """Attaches a link to a session. `role` is SENDER (False) or RECEIVER (True), of who says it."""

    name: str = mandatory("string")
    handle: int = mandatory("uint")
    role: bool = mandatory("boolean")
    snd_settle_mode: int = optional("ubyte", SenderSettleMode.MIXED)
    rcv_settle_mode: int = optional("ubyte", ReceiverSettleMode.FIRST)
    source: Source | None = optional("source")
    target: Target | Coordinator | None = optional("target")
    unsettled: dict[Any, Any] | None = optional("map")
    incomplete_unsettled: bool = optional("boolean", False)
    initial_delivery_count: int | None = optional("uint")
    max_message_size: int | None = optional("ulong")
    offered_capabilities: tuple[str, ...] = optional("symbols", ())
    desired_capabilities: tuple[str, ...] = optional("symbols", ())
    properties: dict[Any, Any] | None = optional("fields")


@composite(0x13, "amqp:flow:list")
@dataclass(slots=True)
class Flow:
    """Tells the windows of a session and, with a handle, the credit of a link."""

    next_incoming_id: int | None = optional("uint")
    incoming_window: int = mandatory("uint")
    next_outgoing_id: int = mandatory("uint")
    outgoing_window: int = mandatory("uint")
    handle: int | None = optional("uint")
    delivery_count: int | None = optional("uint")
    link_credit: int | None = optional("uint")
    available: int | None = optional("uint")
    drain: bool = optional("boolean", False)
    echo: bool = optional("boolean", False)
    properties: dict[Any, Any] | None = optional("fields")


@composite(0x14, "amqp:transfer:list")
@dataclass(slots=True)
class Transfer:
    """Carries a message or a part of one; the payload follows it in the frame."""

    handle: int = mandatory("uint")
    delivery_id: int | None = optional("uint")
    delivery_tag: bytes | None = optional("binary")
    message_format: int | None = optional("uint")
    settled: bool | None = optional("boolean")
    more: bool = optional("boolean", False)
    rcv_settle_mode: int | None = optional("ubyte")
    state: DeliveryState | None = optional("delivery-state")
    resume: bool = optional("boolean", False)
    aborted: bool = optional("boolean", False)
    batchable: bool = optional("boolean", False)


@composite(0x15, "amqp:disposition:list")
@dataclass(slots=True)
class Disposition:
    """Tells the state of the deliveries from `first` to `last`, both included."""

    role: bool = mandatory("boolean")
    first: int = mandatory("uint")
    last: int | None = optional("uint")
    settled: bool = optional("boolean", False)
    state: DeliveryState | None = optional("delivery-state")
    batchable: bool = optional("boolean", False)


@composite(0x16, "amqp:detach:list")
@dataclass(slots=True)
class Detach:
    """Detaches a link; `closed` ends it for good."""

    handle: int = mandatory("uint")
    closed: bool = optional("boolean", False)
    error: Error | None = optional("error")


@composite(0x17, "amqp:end:list")
@dataclass(slots=True)
class End:
    """Ends a session."""

    error: Error | None = optional("error")


@composite(0x18, "amqp:close:list")
@dataclass(slots=True)
class Close:
    """Closes a connection."""

    error: Error | None = optional("error")


@composite(0x40, "amqp:sasl-mechanisms:list")
@dataclass(slots=True)
class SaslMechanisms:
    """The mechanisms a server offers."""

    sasl_server_mechanisms: tuple[str, ...] = mandatory("symbols")


@composite(0x41, "amqp:sasl-init:list")
@dataclass(slots=True)
class SaslInit:
    """The mechanism a client chose."""

    mechanism: str = mandatory("symbol")
    initial_response: bytes | None = optional("binary")
    hostname: str | None = optional("string")


@composite(0x42, "amqp:sasl-challenge:list")
@dataclass(slots=True)
class SaslChallenge:
    """What a server asks next."""

    challenge: bytes = mandatory("binary")


@composite(0x43, "amqp:sasl-response:list")
@dataclass(slots=True)
class SaslResponse:
    """What a client answers to a challenge."""

    response: bytes = mandatory("binary")


class SaslCode(IntEnum):
    """How authentication went (part 5, section 5.3.3.6)."""

    OK = 0
    AUTH = 1
    SYS = 2
    SYS_PERM = 3
    SYS_TEMP = 4


@composite(0x44, "amqp:sasl-outcome:list")
@dataclass(slots=True)
class SaslOutcome:
    """How authentication went. `code` is one of `SaslCode`."""

    code: int = mandatory("ubyte")
    additional_data: bytes | None = optional("binary")
