"""Warnings about topics and queues that fill up."""

from collections.abc import Iterator

from syncline.connectors.azure_service_bus.administration import ENDLESS, Fill
from syncline.connectors.azure_service_bus.entities import Entity
from syncline.connectors.base import SourceWarning

NEARLY_FULL = 0.8
"""The share of its quota from which on an entity is warned of."""
_MEGABYTE = 1024 * 1024


def fullness_warnings(entity: Entity, fill: Fill, *, drains: bool, reads_dead_letters: bool) -> Iterator[SourceWarning]:
    """What its owner should know of an entity's fill. `drains` says whether what is read is removed, and
    `reads_dead_letters` whether its dead-letter queue is read as well."""
    if fill.share >= NEARLY_FULL:
        remedy = (
            "Sync more often."
            if drains
            else f"Give {entity} a shorter time to live for messages, or set config.read_mode to Drain."
        )
        yield SourceWarning(
            code="quota_nearly_reached",
            subject=entity.stream,
            message=f"The {entity.kind} {entity.name} holds {fill.bytes / _MEGABYTE:,.1f} MB of the "
            f"{fill.quota / _MEGABYTE:,.1f} MB that it may hold ({fill.share:.0%}). When it is full, Service Bus "
            f"refuses what is sent to it. Raise its maximum size. {remedy}",
        )
    if not drains and fill.time_to_live >= ENDLESS and entity.subscription is not None:
        yield SourceWarning(
            code="messages_never_expire",
            subject=entity.stream,
            message=f"Messages stay in {entity} for ever ({fill.messages:,} so far): they are only browsed, and have "
            f"no time to live. One day they fill the {entity.kind}, and Service Bus refuses what is sent to it. Set a "
            "default time to live on the subscription, such as 7 days, or set config.read_mode to Drain.",
        )
    if fill.dead_letters and not reads_dead_letters:
        yield SourceWarning(
            code="dead_letters_not_read",
            subject=entity.stream,
            message=f"{_capital(str(entity.dead_letters))} holds {fill.dead_letters:,} messages, which are not read "
            "and count towards the quota. Set config.dead_letter_queues to true to have them in a table, or look after "
            "them in Azure.",
        )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
