"""What the operations of the management node share: their request, their answer, reading its fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from syncline.amqp import Array
from syncline.emulator.addresses import Address
from syncline.emulator.conditions import InvalidRequestError
from syncline.emulator.message_store import MessageStore
from syncline.emulator.sessions import Session, session_lock_lost

if TYPE_CHECKING:
    from syncline.emulator.amqp_connection import AmqpConnection

MOST_ITEMS = 10_000
"""How many numbers or tokens one request may name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation found: 200 with a body, or 204 for nothing."""

    body: Any = None
    encoded_body: bytes | None = None
    status_code: int = 200


NOTHING = Answer(status_code=204)


@dataclass(frozen=True, slots=True)
class Operation:
    """One request about the entity at `address`, with the fields of its body."""

    connection: "AmqpConnection"
    address: Address
    body: Mapping[Any, Any]

    @property
    def store(self) -> MessageStore:
        """The store of messages that the request is about."""
        return self.connection.namespace.store(self.address)

    def integer(self, name: str, *, at_least: int = 0) -> int:
        """A field that must be a whole number.

        :raises InvalidRequestError: it is missing, or something else.
        """
        value = self.body.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(name, "a whole number", value)
        if value < at_least:
            raise InvalidRequestError(f"The field '{name}' must be at least {at_least}, not {int(value)}.")
        return int(value)

    def text(self, name: str) -> str:
        """A field that must be text."""
        value = self.body.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string", value)
        return str(value)

    def optional_text(self, name: str) -> str | None:
        """A field that may be text or missing."""
        return None if self.body.get(name) is None else self.text(name)

    def integers(self, name: str) -> list[int]:
        """A field that must be an array of whole numbers."""
        items = self._items(name)
        if any(isinstance(item, bool) or not isinstance(item, int) for item in items):
            raise self._wrong(name, "an array of whole numbers", items)
        return [int(item) for item in items]

    def lock_tokens(self) -> list[bytes]:
        """The lock tokens that the request names, as delivery tags: GUIDs in little-endian order."""
        items = self._items("lock-tokens")
        if not all(isinstance(item, UUID) for item in items):
            raise self._wrong("lock-tokens", "an array of UUIDs", items)
        return [item.bytes_le for item in items]

    def held_session(self) -> Session:
        """The session that the request names, when a link of this connection holds it.

        :raises SessionLockLostError: none does.
        """
        session = self.store.held_session(self.text("session-id"))
        if not self.connection.owns(session):
            raise session_lock_lost(session.identifier)
        return session

    def _items(self, name: str) -> list[Any]:
        value = self.body.get(name)
        items = value.items if isinstance(value, Array) else value
        if not isinstance(items, list | tuple):
            raise self._wrong(name, "an array", value)
        if not 0 < len(items) <= MOST_ITEMS:
            raise InvalidRequestError(f"The field '{name}' must have 1 to {MOST_ITEMS} items, not {len(items)}.")
        return list(items)

    def _wrong(self, name: str, wanted: str, value: object) -> InvalidRequestError:
        if value is None:
            return InvalidRequestError(f"The field '{name}' is missing; it must be {wanted}.")
        return InvalidRequestError(f"The field '{name}' must be {wanted}, not {type(value).__name__}.")
