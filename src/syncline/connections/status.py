"""A connection's status, derived from what is stored about it: nothing here is remembered, so nothing can disagree."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from syncline.connections.schemas import Alert, ConnectionStatus, SchemaStatus
from syncline.engine.runs import schedule_for
from syncline.engine.schedule import due_after
from syncline.engine.setup_state import setup_state
from syncline.store.models import Connection, Destination, Notice, Run, RunState

TOLERATED_DELAY = {
    "LOW": timedelta(hours=24),
    "NORMAL": timedelta(hours=2),
    "HIGH": timedelta(minutes=15),
}
"""How long after the time by which a sync should have succeeded the data count as delayed. CUSTOM says it itself, and
with SYNC_FREQUENCY it is the time between two syncs."""

SyncState = Literal["scheduled", "syncing", "paused", "rescheduled"]


def derive_status(
    connection: Connection,
    destination: Destination | None,
    latest_run: Run | None,
    notices: Iterable[Notice],
    now: datetime,
) -> ConnectionStatus:
    """The status of a connection at a moment. The destination is the one of its group."""
    raised = sorted(notices, key=lambda notice: (notice.code, notice.subject))
    sync_state = _sync_state(connection, latest_run)
    return ConnectionStatus(
        tasks=_alerts(raised, "task"),
        warnings=_alerts(raised, "warning"),
        schema_status=schema_status(connection),
        update_state="delayed" if _is_delayed(connection, destination, now) else "on_schedule",
        setup_state=setup_state(connection, raised),
        sync_state=sync_state,
        is_historical_sync=connection.is_historical_sync,
        rescheduled_for=connection.rescheduled_for if sync_state == "rescheduled" else None,
    )


def schema_status(connection: Connection) -> SchemaStatus:
    """Whether the source can be looked at."""
    return "ready" if connection.was_connected else "blocked_on_capture"


def _sync_state(connection: Connection, latest_run: Run | None) -> SyncState:
    """A run that still waits for room counts as scheduled, as one that waits for its time does."""
    if latest_run is not None and latest_run.state == RunState.RUNNING:
        return "syncing"
    if connection.paused:
        return "paused"
    return "rescheduled" if connection.rescheduled_for is not None else "scheduled"


def _is_delayed(connection: Connection, destination: Destination | None, now: datetime) -> bool:
    """Only what syncs by itself can be late: by its schedule, and the delay that is tolerated on top."""
    if connection.paused or connection.schedule_type == "manual" or not connection.was_connected:
        return False
    schedule = schedule_for(connection, destination)
    due = due_after(schedule, connection.succeeded_at or connection.created_at)
    if connection.data_delay_sensitivity == "SYNC_FREQUENCY":
        return now > due_after(schedule, due)
    custom = timedelta(minutes=connection.data_delay_threshold)
    return now > due + TOLERATED_DELAY.get(connection.data_delay_sensitivity, custom)


def _alerts(notices: Iterable[Notice], kind: str) -> list[Alert]:
    return [
        Alert(code=notice.code, message=notice.message, details=notice.details)
        for notice in notices
        if notice.kind == kind
    ]
