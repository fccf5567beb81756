"""When a connection starts next and whether its trial is over, as tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncline.engine.planning import end_trial, next_start, trial_is_over
from syncline.engine.schedule import Schedule, next_sync_at
from syncline.store.models import Connection

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
AUTO = Schedule(360, None, "auto", "0", "group")
MANUAL = Schedule(360, None, "manual", "0", "group")
SCHEDULED = next_sync_at(AUTO, NOW)


def connection(**columns: Any) -> Connection:
    values = {"paused": False, "was_connected": True, "succeeded_at": NOW - timedelta(hours=1), **columns}
    return Connection(id="c", **values)


@pytest.mark.parametrize(
    ("columns", "schedule", "retry", "expected"),
    [
        ({}, AUTO, None, SCHEDULED),
        ({}, MANUAL, None, None),
        # Never synced: at once.
        ({"succeeded_at": None}, AUTO, None, NOW),
        ({"succeeded_at": None}, MANUAL, None, None),
        ({"succeeded_at": None, "failed_at": NOW}, AUTO, None, SCHEDULED),
        # Not while it is paused or was never set up.
        ({"paused": True}, AUTO, LATER, None),
        ({"paused": True, "pending_resync": {"streams": None}}, AUTO, None, None),
        ({"was_connected": False, "succeeded_at": None}, AUTO, None, None),
        # The source wants to be left alone; a manual connection waits for a request then, too.
        ({"rescheduled_for": LATER}, AUTO, None, LATER),
        ({"rescheduled_for": LATER}, MANUAL, None, None),
        ({"rescheduled_for": LATER, "pending_resync": {"streams": None}}, AUTO, None, LATER),
        ({"rescheduled_for": LATER, "paused": True}, AUTO, None, None),
        # After a failure.
        ({}, AUTO, LATER, LATER),
        ({"pending_resync": {"streams": None}}, AUTO, LATER, LATER),
        # A re-sync that was asked for follows at once, a manual one too: it was asked for.
        ({"pending_resync": {"streams": ["a"]}}, AUTO, None, NOW),
        ({"pending_resync": {"streams": None}}, MANUAL, None, NOW),
    ],
)
def test_next_start(
    columns: dict[str, Any], schedule: Schedule, retry: datetime | None, expected: datetime | None
) -> None:
    assert next_start(connection(**columns), schedule, NOW, retry=retry) == expected


@pytest.mark.parametrize(
    ("age", "columns", "trial_days", "expected"),
    [
        (timedelta(days=14), {}, 14, True),
        (timedelta(days=13, hours=23, minutes=59), {}, 14, False),
        (timedelta(days=300), {}, 0, False),
        (timedelta(days=1), {}, 1, True),
        (timedelta(days=300), {"pause_after_trial": False}, 14, False),
        (timedelta(days=300), {"trial_ended_at": NOW}, 14, False),
    ],
)
def test_trials(age: timedelta, columns: dict[str, Any], trial_days: int, expected: bool) -> None:
    tried = connection(**{"pause_after_trial": True, "created_at": NOW - age, **columns})
    assert trial_is_over(tried, trial_days, NOW) is expected


def test_a_trial_ends_once() -> None:
    tried = connection(pause_after_trial=True, created_at=NOW - timedelta(days=20), next_sync_at=NOW)
    end_trial(tried, NOW)
    assert (tried.paused, tried.next_sync_at, tried.trial_ended_at) == (True, None, NOW)
    tried.paused = False
    assert not trial_is_over(tried, 14, NOW + timedelta(days=1)), "whoever resumes it keeps it"
