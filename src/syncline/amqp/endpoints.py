# ruff: noqa: RUF009 - `optional` and `mandatory` are dataclasses.field with metadata
"""Where a link's messages come from and go to (part 3, section 3.5; part 4, section 4.5.1)."""

from dataclasses import dataclass
from typing import Any

from syncline.amqp.composites import composite, optional
from syncline.amqp.delivery_states import DeliveryState


@composite(0x28, "amqp:source:list")
@dataclass(slots=True)
class Source:
    """The source of a link. `timeout` is in seconds; `filter` maps names to described values."""

    address: str | None = optional("address")
    durable: int = optional("uint", 0)
    expiry_policy: str | None = optional("symbol")
    timeout: int = optional("uint", 0)
    dynamic: bool = optional("boolean", False)
    dynamic_node_properties: dict[Any, Any] | None = optional("fields")
    distribution_mode: str | None = optional("symbol")
    filter: dict[Any, Any] | None = optional("fields")
    default_outcome: DeliveryState | None = optional("delivery-state")
    outcomes: tuple[str, ...] = optional("symbols", ())
    capabilities: tuple[str, ...] = optional("symbols", ())


@composite(0x29, "amqp:target:list")
@dataclass(slots=True)
class Target:
    """The target of a link. `timeout` is in seconds."""

    address: str | None = optional("address")
    durable: int = optional("uint", 0)
    expiry_policy: str | None = optional("symbol")
    timeout: int = optional("uint", 0)
    dynamic: bool = optional("boolean", False)
    dynamic_node_properties: dict[Any, Any] | None = optional("fields")
    capabilities: tuple[str, ...] = optional("symbols", ())


@composite(0x30, "amqp:coordinator:list")
@dataclass(slots=True)
class Coordinator:
    """The target of a link to a transaction coordinator."""

    capabilities: tuple[str, ...] = optional("symbols", ())
