# ruff: noqa: RUF009 - `optional` and `mandatory` are dataclasses.field with metadata
"""The error composite (part 2, section 2.8.14) and the delivery states (part 3, section 3.4)."""

from dataclasses import dataclass
from typing import Any

from syncline.amqp.composites import composite, mandatory, optional
from syncline.amqp.types import Described


@composite(0x1D, "amqp:error:list")
@dataclass(slots=True)
class Error:
    """Why a link, session or connection ended, or a delivery was rejected. `condition` is for programs."""

    condition: str = mandatory("symbol")
    description: str | None = optional("string")
    info: dict[Any, Any] | None = optional("fields")


@composite(0x23, "amqp:received:list")
@dataclass(slots=True)
class Received:
    """How much of a message has arrived: for resuming a delivery."""

    section_number: int = mandatory("uint")
    section_offset: int = mandatory("ulong")


@composite(0x24, "amqp:accepted:list")
@dataclass(slots=True)
class Accepted:
    """The outcome: processed."""


@composite(0x25, "amqp:rejected:list")
@dataclass(slots=True)
class Rejected:
    """The outcome: invalid and not to be processed."""

    error: Error | None = optional("error")


@composite(0x26, "amqp:released:list")
@dataclass(slots=True)
class Released:
    """The outcome: not processed, available again, unchanged."""


@composite(0x27, "amqp:modified:list")
@dataclass(slots=True)
class Modified:
    """The outcome: not processed, available again with changes."""

    delivery_failed: bool | None = optional("boolean")
    undeliverable_here: bool | None = optional("boolean")
    message_annotations: dict[Any, Any] | None = optional("fields")


DeliveryState = Received | Accepted | Rejected | Released | Modified | Described
"""A delivery's state. What an extension defines, such as a transactional state, is a Described value."""
