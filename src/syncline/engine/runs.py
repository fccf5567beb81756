"""The life of a run in the store: queued, running, ended. Each function works inside the caller's transaction.

A connection has at most one active run: `Run.active_connection_id` is unique and is emptied when the run ends. The
functions take a blocking session; coroutines call them through `AsyncSession.run_sync`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from syncline.engine.schedule import MOST_EARLY_RETRIES, Schedule, next_sync_at, retry_at
from syncline.store.models import Connection, Destination, Notice, Run, RunState, utc_now

ACTIVE_STATES = (RunState.QUEUED, RunState.RUNNING)

SYNC_FAILED = "sync_failed"
"""Code of the task that stands on a connection while its latest sync has failed."""
SETUP_BROKEN = "setup_broken"
"""The same, when the sync failed because of how the connection or its destination is set up."""
SERVER_STOPPED = "The server was stopped while this sync ran. It goes on when the server starts again."
SERVER_KILLED = "The process that ran this sync was killed. Another sync goes on at the last checkpoint."

REJECTED_MESSAGES = "rejected_messages"
"""Code of the warning about messages that could not be decoded."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A warning that a sync leaves on its connection. `subject` is the topic or table that it is about."""

    code: str
    message: str
    details: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    state: RunState
    error: str | None = None
    """What went wrong and what to do, for a person."""
    needs_setup: bool = False
    """A failure that will stay until somebody changes the setup of the connection or of its destination."""
    retry_after: timedelta | None = None
    """With `rescheduled`: how long the source wants to be left alone."""
    advice: Sequence[Advice] = field(default=())


def queue_run(session: Session, connection_id: str, trigger: str) -> Run | None:
    """Queue a run. None when the connection has an active run already, or is gone."""
    connection = session.get(Connection, connection_id)
    if connection is None:
        return None
    run = Run(
        connection_id=connection_id,
        active_connection_id=connection_id,
        trigger=trigger,
        state=RunState.QUEUED,
        is_historical=connection.is_historical_sync,
    )
    try:
        with session.begin_nested():
            session.add(run)
    except IntegrityError:
        return None
    return run


def active_runs(session: Session) -> Sequence[Run]:
    """Every run that is queued or running, the oldest first."""
    return session.scalars(select(Run).where(Run.state.in_(ACTIVE_STATES)).order_by(Run.queued_at, Run.id)).all()


def active_run(session: Session, connection_id: str) -> Run | None:
    """The connection's run that is queued or running."""
    return session.scalar(select(Run).where(Run.active_connection_id == connection_id))


def begins_anew(session: Session, run: Run) -> bool:
    """Whether a run reads its source from the beginning: a historical one that does not go on with an earlier one.

    A historical sync may take many runs, when it is stopped, fails or dies; only its first begins anew, or a long one
    would never come to its end.
    """
    before = session.scalar(
        select(Run)
        .where(Run.connection_id == run.connection_id, Run.id != run.id, Run.queued_at <= run.queued_at)
        .order_by(Run.queued_at.desc(), Run.id.desc())
        .limit(1)
    )
    goes_on = before is not None and before.is_historical and before.state != RunState.SUCCEEDED
    return run.is_historical and not goes_on


def start_run(session: Session, run_id: str) -> bool:
    """Move a run from queued to running. False when it is not queued any more: somebody else was first."""
    run = session.get(Run, run_id, with_for_update=True, populate_existing=True)
    if run is None or run.state != RunState.QUEUED:
        return False
    run.state = RunState.RUNNING
    run.started_at = run.heartbeat_at = utc_now()
    session.execute(update(Connection).where(Connection.id == run.connection_id).values(rescheduled_for=None))
    return True


def record_progress(session: Session, run_id: str, *, rows: int, bytes_read: int, batches: int, rejected: int) -> bool:
    """Write the run's totals so far. False when the run is not running any more, so that its worker stops."""
    written = session.execute(
        update(Run)
        .where(Run.id == run_id, Run.state == RunState.RUNNING)
        .values(rows=rows, bytes=bytes_read, batches=batches, rejected=rejected, heartbeat_at=utc_now())
    )
    return _changed(written)


def finish_run(session: Session, run_id: str, ending: Ending) -> bool:
    """End an active run and carry the outcome over to its connection: times, notices and the next start.

    False, and nothing changes, when the run has ended already or is gone.
    """
    run = session.get(Run, run_id, with_for_update=True, populate_existing=True)
    if run is None or run.state not in ACTIVE_STATES:
        return False
    now = utc_now()
    run.state = ending.state
    run.active_connection_id = None
    run.ended_at = now
    run.error = ending.error
    session.flush()
    connection = session.get(Connection, run.connection_id, with_for_update=True, populate_existing=True)
    if connection is not None:
        _carry_over(session, connection, run, ending, now)
        session.flush()
    return True


def interrupt_run(session: Session, run_id: str, reason: str) -> Run | None:
    """End a run whose process is gone, and queue another one to go on where its last checkpoint was.

    Returns the new run; None when there is none to make: the run has ended already, or its connection is paused.
    """
    if not finish_run(session, run_id, Ending(RunState.INTERRUPTED, error=reason)):
        return None
    run = session.get_one(Run, run_id)
    connection = session.get(Connection, run.connection_id)
    if connection is None or connection.paused:
        return None
    return queue_run(session, run.connection_id, "recovery")


def schedule_of(session: Session, connection: Connection) -> Schedule:
    """What decides when the connection syncs."""
    destination = session.get(Destination, connection.group_id)
    return Schedule(
        sync_frequency=connection.sync_frequency,
        daily_sync_time=connection.daily_sync_time,
        schedule_type=connection.schedule_type,
        time_zone_offset=destination.time_zone_offset if destination is not None else "0",
        destination_id=connection.group_id,
    )


def _carry_over(session: Session, connection: Connection, run: Run, ending: Ending, now: datetime) -> None:
    schedule = schedule_of(session, connection)
    next_start = next_sync_at(schedule, now)
    if ending.state is RunState.SUCCEEDED:
        connection.succeeded_at = now
        connection.rescheduled_for = None
        if run.is_historical:
            connection.is_historical_sync = False
        _clear_failure(session, connection.id)
    elif ending.state is RunState.FAILED:
        connection.failed_at = now
        _raise_failure(session, connection.id, ending, now)
        next_start = retry_at(schedule, _failures_in_a_row(session, connection.id), now)
    elif ending.state is RunState.RESCHEDULED:
        connection.rescheduled_for = now + (ending.retry_after or timedelta(0))
        next_start = connection.rescheduled_for if schedule.schedule_type == "auto" else None
    connection.next_sync_at = None if connection.paused else next_start
    for advice in ending.advice:
        _raise_notice(session, connection.id, "warning", advice, now, count=1)
    if run.rejected and all(advice.code != REJECTED_MESSAGES for advice in ending.advice):
        _raise_notice(session, connection.id, "warning", _rejections(run), now, count=run.rejected)


def _rejections(run: Run) -> Advice:
    return Advice(
        code=REJECTED_MESSAGES,
        message="Messages that could not be decoded were put aside",
        details=f"{run.rejected:,} in the sync that started at {run.started_at:%Y-%m-%d %H:%M:%S} UTC. Their bytes and "
        "the reasons are in the tables whose names end in __rejected.",
    )


def _raise_failure(session: Session, connection_id: str, ending: Ending, now: datetime) -> None:
    _clear_failure(session, connection_id)
    code = SETUP_BROKEN if ending.needs_setup else SYNC_FAILED
    message = "The setup needs a change before it can sync" if ending.needs_setup else "The latest sync failed"
    _raise_notice(session, connection_id, "task", Advice(code, message, ending.error or ""), now, count=1)


def _clear_failure(session: Session, connection_id: str) -> None:
    session.execute(
        delete(Notice).where(Notice.connection_id == connection_id, Notice.code.in_((SYNC_FAILED, SETUP_BROKEN)))
    )


def _raise_notice(
    session: Session, connection_id: str, kind: str, advice: Advice, now: datetime, *, count: int
) -> None:
    """Put a notice on a connection, or bring the one that stands there up to date."""
    notice = session.scalar(
        select(Notice).where(
            Notice.connection_id == connection_id, Notice.code == advice.code, Notice.subject == advice.subject
        )
    )
    if notice is None:
        notice = Notice(connection_id=connection_id, kind=kind, code=advice.code, subject=advice.subject, count=0)
        session.add(notice)
    notice.message, notice.details, notice.updated_at = advice.message, advice.details, now
    notice.count += count


def _failures_in_a_row(session: Session, connection_id: str) -> int:
    """The failed runs at the end of the connection's history, no more than matter for the back-off."""
    states = session.scalars(
        select(Run.state)
        .where(Run.connection_id == connection_id, Run.state.not_in((*ACTIVE_STATES, RunState.INTERRUPTED)))
        .order_by(Run.queued_at.desc(), Run.id.desc())
        .limit(MOST_EARLY_RETRIES + 1)
    ).all()
    return next((count for count, state in enumerate(states) if state != RunState.FAILED), len(states))


def _changed(result: object) -> bool:
    return isinstance(result, CursorResult) and result.rowcount > 0
