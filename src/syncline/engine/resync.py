"""Reading again from the beginning.

A re-sync is only noted on the connection; the start of its next run carries it out, in one transaction with that
start. So a run that is under way ends undisturbed, and cannot put back the positions that a re-sync takes away.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from syncline.store.models import Connection, Cursor, Notice

ALL_STREAMS: dict[str, Any] = {"streams": None}
REJECTED_MESSAGES = "rejected_messages"
"""Code of the warning about messages that could not be decoded or loaded; its subject is their stream."""


def request_resync(connection: Connection, streams: Sequence[str] | None) -> None:
    """Have the connection's next run be historical and read streams from their beginning; all of them with None."""
    pending = connection.pending_resync
    connection.is_historical_sync = True
    if streams is None or (pending is not None and pending["streams"] is None):
        connection.pending_resync = ALL_STREAMS
    else:
        noted = pending["streams"] if pending is not None else []
        connection.pending_resync = {"streams": sorted({*noted, *streams})}


def carry_out_resync(session: Session, connection: Connection) -> None:
    """Take away the positions of what is to be read from the beginning, and the warnings that were about it."""
    pending = connection.pending_resync
    if pending is None:
        return
    cursors = delete(Cursor).where(Cursor.connection_id == connection.id)
    rejections = delete(Notice).where(Notice.connection_id == connection.id, Notice.code == REJECTED_MESSAGES)
    if pending["streams"] is not None:
        cursors = cursors.where(Cursor.stream.in_(pending["streams"]))
        rejections = rejections.where(Notice.subject.in_(pending["streams"]))
    session.execute(cursors)
    session.execute(rejections)
    connection.pending_resync = None


def positions_of(session: Session, connection: Connection) -> dict[str, dict[str, Any]]:
    """Where the connection's next run goes on, by stream; a stream that is not there is read from its beginning."""
    pending = connection.pending_resync
    if pending is not None and pending["streams"] is None:
        return {}
    anew = set(pending["streams"]) if pending is not None else set()
    cursors = session.scalars(select(Cursor).where(Cursor.connection_id == connection.id).order_by(Cursor.stream))
    return {cursor.stream: dict(cursor.position) for cursor in cursors if cursor.stream not in anew}
