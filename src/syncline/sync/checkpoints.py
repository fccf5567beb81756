"""Where each stream of a connection stands."""

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import select

from syncline.store.database import Database
from syncline.store.models import Cursor, utc_now


class Checkpoints(Protocol):
    """Keeps the position of each stream. A position is opaque to all but the connector."""

    def positions(self) -> dict[str, dict[str, Any]]:
        """The last saved position of each stream, by the stream's name."""

    def save(self, stream: str, position: Mapping[str, Any]) -> None:
        """Keep a position, durably. Called only once everything before it is in the destination."""


class StoreCheckpoints:
    """Checkpoints of one connection in the store."""

    def __init__(self, database: Database, connection_id: str) -> None:
        self._database = database
        self._connection_id = connection_id

    def positions(self) -> dict[str, dict[str, Any]]:
        """The last saved position of each stream, by the stream's name."""
        with self._database.sync_session(read_only=True) as session:
            found = session.scalars(select(Cursor).where(Cursor.connection_id == self._connection_id))
            return {cursor.stream: dict(cursor.position) for cursor in found}

    def save(self, stream: str, position: Mapping[str, Any]) -> None:
        """Keep a position; it is committed when this returns."""
        with self._database.sync_session() as session:
            session.merge(
                Cursor(connection_id=self._connection_id, stream=stream, position=dict(position), updated_at=utc_now())
            )
