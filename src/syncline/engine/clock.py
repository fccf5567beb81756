"""A clock that is put back: what was planned by it before would come hours too late."""

import time
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Text, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from syncline.engine.planning import THROTTLE_LIMIT
from syncline.engine.runs import schedule_for
from syncline.engine.schedule import FIRST_RETRY, SYNC_FREQUENCIES, next_sync_at
from syncline.store.models import Connection, Destination, utc_now

NOTICED = 30.0
"""Seconds that a clock is put back by at least for that to be noticed; smaller steps do no harm."""

MOST_AT_ONCE = 100
"""Connections that are planned anew in one transaction."""


class ClockWatch:
    """Notices that the clock of this machine was put back."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        """How far the clock is ahead of the one that only goes forward."""

    def look(self) -> timedelta | None:
        """What to do about the time that has passed since the last look.

        Returns:
            None when nothing is to be planned anew. Else how far ahead a connection may still be put off: at the first
            look, when the clock may have been put right while the server was down, as long as ever.
        """
        ahead, before = utc_now().timestamp() - time.monotonic(), self._ahead
        self._ahead = ahead
        if before is None:
            return THROTTLE_LIMIT
        return FIRST_RETRY if ahead < before - NOTICED else None


def plan_anew(session: Session, put_off: timedelta, after_id: str) -> str | None:
    """Bring forward the starts of some connections that are later than their schedule's next one.

    Args:
        put_off: How far ahead a connection may be that a source has asked to put off.
        after_id: The connection to go on after; empty for the first.

    Returns:
        The last connection that was looked at; None when there are no more.
    """
    now = utc_now()
    found = session.execute(
        select(Connection, Destination)
        .outerjoin(Destination, Destination.id == Connection.group_id)
        .where(_may_be_late(now, put_off), Connection.id > after_id)
        .order_by(Connection.id)
        .limit(MOST_AT_ONCE)
        .with_for_update(of=Connection)
    ).all()
    for connection, destination in found:
        if connection.rescheduled_for is not None:
            connection.rescheduled_for = min(connection.rescheduled_for, now + put_off)
            connection.next_sync_at = connection.rescheduled_for
            continue
        scheduled = next_sync_at(schedule_for(connection, destination), now)
        if scheduled is not None and connection.next_sync_at is not None:
            connection.next_sync_at = min(connection.next_sync_at, scheduled)
    return found[-1][0].id if found else None


def _may_be_late(now: datetime, put_off: timedelta) -> ColumnElement[bool]:
    """What finds the connections whose start is further away than two starts of their schedule are apart."""
    start = Connection.next_sync_at
    has_timetable = func.coalesce(cast(Connection.schedule, Text), "null") != "null"
    return or_(
        Connection.rescheduled_for > now + put_off,
        and_(
            Connection.rescheduled_for.is_(None),
            or_(
                and_(has_timetable, start > now),
                *(
                    and_(Connection.sync_frequency == minutes, start > now + timedelta(minutes=minutes))
                    for minutes in SYNC_FREQUENCIES
                ),
            ),
        ),
    )
