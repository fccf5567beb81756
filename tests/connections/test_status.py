"""Status as a table: what is stored, and what is said about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncline.connections.status import derive_status
from syncline.store.models import Connection, Notice, Run, RunState

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSED = [{"title": "a", "status": "PASSED", "message": ""}]
WARNED = [*PASSED, {"title": "b", "status": "WARNING", "message": ""}]
FAILED = [*PASSED, {"title": "b", "status": "FAILED", "message": ""}]


def connection(**columns: Any) -> Connection:
    values: dict[str, Any] = {
        "setup_tests": PASSED,
        "was_connected": True,
        "paused": False,
        "schedule_type": "auto",
        "sync_frequency": 60,
        "data_delay_sensitivity": "NORMAL",
        "data_delay_threshold": 0,
        "is_historical_sync": False,
        "created_at": NOW - timedelta(days=30),
        "succeeded_at": NOW - timedelta(minutes=30),
        **columns,
    }
    return Connection(id="c", **values)


def run(state: RunState) -> Run:
    return Run(id="r", connection_id="c", state=state)


def notice(kind: str, code: str) -> Notice:
    return Notice(kind=kind, code=code, subject="", message="m", details="d", count=1)


NEVER_TESTED = connection(setup_tests=[], was_connected=False)


@pytest.mark.parametrize(
    ("stored", "notices", "expected"),
    [
        (NEVER_TESTED, [], "incomplete"),
        (connection(setup_tests=FAILED, was_connected=False), [], "incomplete"),
        (connection(setup_tests=FAILED), [], "broken"),
        # Changed without a test.
        (connection(setup_tests=[]), [], "incomplete"),
        (connection(setup_tests=[]), [notice("task", "setup_broken")], "incomplete"),
        (connection(), [], "connected"),
        (connection(setup_tests=WARNED), [], "connected"),
        (connection(), [notice("task", "sync_failed")], "connected"),
        (connection(), [notice("task", "setup_broken")], "broken"),
    ],
)
def test_setup_state(stored: Connection, notices: list[Notice], expected: str) -> None:
    assert derive_status(stored, None, None, notices, NOW).setup_state == expected


@pytest.mark.parametrize(
    ("stored", "latest", "expected"),
    [
        (NEVER_TESTED, None, "scheduled"),
        (connection(), None, "scheduled"),
        (connection(), run(RunState.QUEUED), "scheduled"),
        (connection(), run(RunState.RUNNING), "syncing"),
        (connection(), run(RunState.SUCCEEDED), "scheduled"),
        (connection(), run(RunState.FAILED), "scheduled"),
        (connection(), run(RunState.CANCELLED), "scheduled"),
        (connection(), run(RunState.INTERRUPTED), "scheduled"),
        (connection(paused=True), None, "paused"),
        (connection(paused=True), run(RunState.SUCCEEDED), "paused"),
        (connection(paused=True), run(RunState.RUNNING), "syncing"),
        (connection(rescheduled_for=NOW), run(RunState.RESCHEDULED), "rescheduled"),
        (connection(rescheduled_for=NOW, paused=True), run(RunState.RESCHEDULED), "paused"),
        (connection(rescheduled_for=NOW, schedule_type="manual"), run(RunState.RESCHEDULED), "rescheduled"),
        (connection(rescheduled_for=NOW), run(RunState.QUEUED), "rescheduled"),
        (connection(paused=True, trial_ended_at=NOW), run(RunState.SUCCEEDED), "paused"),
        (connection(setup_tests=FAILED), run(RunState.FAILED), "scheduled"),
        (connection(rescheduled_for=NOW), run(RunState.RUNNING), "syncing"),
    ],
)
def test_sync_state(stored: Connection, latest: Run | None, expected: str) -> None:
    status = derive_status(stored, None, latest, [], NOW)
    assert status.sync_state == expected
    assert status.rescheduled_for == (NOW if expected == "rescheduled" else None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "on_schedule"),
        # An hour between syncs, and two that are tolerated.
        ({"succeeded_at": NOW - timedelta(minutes=180)}, "on_schedule"),
        ({"succeeded_at": NOW - timedelta(minutes=181)}, "delayed"),
        ({"succeeded_at": NOW - timedelta(minutes=181), "sync_frequency": 360}, "on_schedule"),
        ({"succeeded_at": NOW - timedelta(minutes=181), "data_delay_sensitivity": "LOW"}, "on_schedule"),
        ({"succeeded_at": NOW - timedelta(hours=26), "data_delay_sensitivity": "LOW"}, "delayed"),
        ({"succeeded_at": NOW - timedelta(minutes=76), "data_delay_sensitivity": "HIGH"}, "delayed"),
        ({"succeeded_at": NOW - timedelta(minutes=70), "data_delay_sensitivity": "CUSTOM"}, "delayed"),
        (
            {
                "succeeded_at": NOW - timedelta(minutes=70),
                "data_delay_sensitivity": "CUSTOM",
                "data_delay_threshold": 15,
            },
            "on_schedule",
        ),
        # Another hour is tolerated, the time between two syncs.
        ({"succeeded_at": NOW - timedelta(minutes=120), "data_delay_sensitivity": "SYNC_FREQUENCY"}, "on_schedule"),
        ({"succeeded_at": NOW - timedelta(minutes=121), "data_delay_sensitivity": "SYNC_FREQUENCY"}, "delayed"),
        # The threshold counts with CUSTOM alone.
        ({"succeeded_at": NOW - timedelta(minutes=181), "data_delay_threshold": 600}, "delayed"),
        # Never synced.
        ({"succeeded_at": None}, "delayed"),
        ({"succeeded_at": None, "created_at": NOW}, "on_schedule"),
        # What does not sync by itself cannot be late.
        ({"succeeded_at": None, "paused": True}, "on_schedule"),
        ({"succeeded_at": None, "schedule_type": "manual"}, "on_schedule"),
        ({"succeeded_at": None, "was_connected": False, "setup_tests": []}, "on_schedule"),
    ],
)
def test_update_state(changes: dict[str, Any], expected: str) -> None:
    assert derive_status(connection(**changes), None, None, [], NOW).update_state == expected


def test_tasks_warnings_and_the_rest() -> None:
    notices = [notice("warning", "rejected_messages"), notice("task", "sync_failed")]
    status = derive_status(connection(is_historical_sync=True), None, None, notices, NOW)
    assert [task.model_dump() for task in status.tasks] == [{"code": "sync_failed", "message": "m", "details": "d"}]
    assert [warning.code for warning in status.warnings] == ["rejected_messages"]
    assert status.is_historical_sync
    assert status.schema_status == "ready"
    assert derive_status(NEVER_TESTED, None, None, [], NOW).schema_status == "blocked_on_capture"
