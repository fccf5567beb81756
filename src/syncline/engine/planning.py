"""When a connection starts next and whether its trial is over: pure functions of what is stored and the time."""

from datetime import datetime, timedelta

from syncline.engine.schedule import Schedule, next_sync_at
from syncline.store.models import Connection

THROTTLE_LIMIT = timedelta(hours=24)
"""How long a source may ask to be left alone at most."""


def next_start(
    connection: Connection, schedule: Schedule, now: datetime, *, retry: datetime | None = None
) -> datetime | None:
    """When the scheduler shall start the connection's next sync; None when only a request starts one.

    Args:
        retry: When to try again what has just failed.
    """
    if connection.paused or not connection.was_connected:
        return None
    is_manual = schedule.schedule_type == "manual"
    if connection.rescheduled_for is not None:
        return None if is_manual else connection.rescheduled_for
    if retry is not None:
        return retry
    if connection.pending_resync is not None:
        return now
    if is_manual:
        return None
    has_synced = connection.succeeded_at is not None or connection.failed_at is not None
    return next_sync_at(schedule, now) if has_synced else now


def trial_is_over(connection: Connection, trial_days: int, now: datetime) -> bool:
    """Whether the connection is to be paused because its trial has ended.

    The trial begins when the connection is created. It pauses a connection once; one that was resumed after it stays
    resumed. With `trial_days` 0 there are no trials.
    """
    if not connection.pause_after_trial or connection.trial_ended_at is not None or trial_days == 0:
        return False
    return now >= connection.created_at + timedelta(days=trial_days)


def end_trial(connection: Connection, now: datetime) -> None:
    """Pause a connection whose trial is over. A sync that is under way ends undisturbed."""
    connection.paused = True
    connection.next_sync_at = None
    connection.trial_ended_at = now
