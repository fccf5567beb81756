"""What a store of messages is told, and whom it talks to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from syncline.emulator.errors import EmulatorError
from syncline.emulator.stored_message import StoredMessage

Properties = Mapping[str, object]


@dataclass(slots=True)
class StoreSettings:
    """How a store treats its messages; durations in milliseconds, None without limit."""

    path: str
    lock_duration: int = 60_000
    max_delivery_count: int | None = 10
    time_to_live: int | None = None
    dead_letter_expired: bool = False
    requires_session: bool = False
    is_partitioned: bool = False
    """Looked at once, when the store is made."""


class Consumer(Protocol):
    """Something that takes messages out of a store."""

    def wake(self) -> None:
        """There may be a message, or a session, to have."""

    def stop(self, error: EmulatorError) -> None:
        """The entity was deleted or disabled: there will be nothing to have any more."""


class Disposer(Protocol):
    """Where a store sends what must leave it other than to a receiver."""

    def __call__(self, stored: StoredMessage, reason: str, description: str | None, properties: Properties) -> None: ...
