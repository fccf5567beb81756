"""The life of a run in the store: queued, running, ended. Each function works inside the caller's transaction.

A connection has at most one active run: `Run.active_connection_id` is unique and is emptied when the run ends. The
functions take a blocking session; coroutines call them through `AsyncSession.run_sync`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from syncline.engine.planning import next_start
from syncline.engine.resync import REJECTED_MESSAGES, carry_out_resync
from syncline.engine.schedule import MOST_EARLY_RETRIES, Schedule, retry_at
from syncline.engine.timetable import Timetable
from syncline.store.models import Connection, Destination, Notice, Run, RunState, utc_now

ACTIVE_STATES = (RunState.QUEUED, RunState.RUNNING)

SYNC_FAILED = "sync_failed"
"""Code of the task that stands on a connection while its latest sync has failed."""
SETUP_BROKEN = "setup_broken"
"""The same, when the sync failed because of how the connection or its destination is set up."""
SERVER_STOPPED = "The server was stopped while this sync ran. It goes on when the server starts again."
SERVER_KILLED = "The process that ran this sync was killed. Another sync goes on at the last checkpoint."

WARNING_LASTS = timedelta(days=1)
"""How long a warning stands after the last sync that gave it, so that a person has a chance to see what has passed."""


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


def active_runs(session: Session, most_queued: int) -> Sequence[Run]:
    """Every run that is running, and so many of those that are queued, the oldest first."""
    by_age = select(Run).order_by(Run.queued_at, Run.id)
    running = session.scalars(by_age.where(Run.state == RunState.RUNNING)).all()
    return [*running, *session.scalars(by_age.where(Run.state == RunState.QUEUED).limit(most_queued))]


def active_run(session: Session, connection_id: str) -> Run | None:
    """The connection's run that is queued or running."""
    return session.scalar(select(Run).where(Run.active_connection_id == connection_id))


def start_run(session: Session, run_id: str, owner: str | None = None) -> bool:
    """Move a run from queued to running. False when it is not queued any more: somebody else was first.

    The first run after a request to re-sync takes away the positions that are to be read again. A historical sync may
    take many runs, when it is stopped, fails or dies; the later ones go on where the one before was.

    Args:
        owner: The process that carries the run out, see :func:`syncline.engine.identity.owner_name`.
    """
    run = session.get(Run, run_id, with_for_update=True, populate_existing=True)
    if run is None or run.state != RunState.QUEUED:
        return False
    connection = session.get_one(Connection, run.connection_id, with_for_update=True, populate_existing=True)
    run.state = RunState.RUNNING
    run.owner = owner
    run.is_historical = connection.is_historical_sync
    run.started_at = run.heartbeat_at = utc_now()
    connection.rescheduled_for = None
    carry_out_resync(session, connection)
    session.flush()
    return True


def record_progress(session: Session, run_id: str, *, rows: int, bytes_read: int, batches: int, rejected: int) -> bool:
    """Write the run's totals so far. False when its process shall stop, see :func:`renew`."""
    return _renew(session, run_id, rows=rows, bytes=bytes_read, batches=batches, rejected=rejected)


def renew(session: Session, run_id: str) -> bool:
    """Note that the process of a run lives. False when it shall stop: the run has ended, or is to be cancelled."""
    return _renew(session, run_id)


def request_stop(session: Session, run_id: str) -> None:
    """Ask the process of a run to cancel it, wherever it is; it notices at its next sign of life."""
    session.execute(update(Run).where(Run.id == run_id).values(stop_requested=True))


def finish_run(
    session: Session, run_id: str, ending: Ending, *, only_if: Callable[[Run], bool] = lambda _: True
) -> bool:
    """End an active run and carry the outcome over to its connection: times, notices and the next start.

    False, and nothing changes, when the run has ended already, is gone, or is not as `only_if` wants it.
    """
    run = session.get(Run, run_id, with_for_update=True, populate_existing=True)
    if run is None or run.state not in ACTIVE_STATES or not only_if(run):
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


def interrupt_run(
    session: Session,
    run_id: str,
    reason: str,
    *,
    only_if: Callable[[Run], bool] = lambda _: True,
    advice: Sequence[Advice] = (),
) -> Run | None:
    """End a run whose process is gone, and queue another one to go on where its last checkpoint was.

    Returns the new run; None when there is none to make: the run has ended already, is not as `only_if` wants it, or
    its connection is paused.
    """
    if not finish_run(session, run_id, Ending(RunState.INTERRUPTED, error=reason, advice=advice), only_if=only_if):
        return None
    run = session.get_one(Run, run_id)
    connection = session.get(Connection, run.connection_id)
    if connection is None or connection.paused:
        return None
    return queue_run(session, run.connection_id, "recovery")


def is_waiting_or_of(owner: str) -> Callable[[Run], bool]:
    """For `only_if`: runs that nobody has started, and those of one process."""
    return lambda run: run.state == RunState.QUEUED or run.owner == owner


def is_waiting(run: Run) -> bool:
    """For `only_if`: runs that nobody has started."""
    return run.state == RunState.QUEUED


def schedule_of(session: Session, connection: Connection) -> Schedule:
    """What decides when the connection syncs."""
    return schedule_for(connection, session.get(Destination, connection.group_id))


def schedule_for(connection: Connection, destination: Destination | None) -> Schedule:
    """The same, where the destination is at hand."""
    return Schedule(
        sync_frequency=connection.sync_frequency,
        daily_sync_time=connection.daily_sync_time,
        schedule_type=connection.schedule_type,
        time_zone_offset=destination.time_zone_offset if destination is not None else "0",
        destination_id=connection.group_id,
        daylight_saving_time=destination is not None and destination.daylight_saving_time_enabled,
        timetable=Timetable.of(connection.schedule),
    )


def _carry_over(session: Session, connection: Connection, run: Run, ending: Ending, now: datetime) -> None:
    schedule = schedule_of(session, connection)
    retry: datetime | None = None
    if ending.state is RunState.SUCCEEDED:
        connection.succeeded_at = now
        connection.rescheduled_for = None
        if run.is_historical and connection.pending_resync is None:
            connection.is_historical_sync = False
        _clear_failure(session, connection.id)
        _clear_warnings(session, run, now)
    elif ending.state is RunState.FAILED:
        connection.failed_at = now
        _raise_failure(session, connection.id, ending, now)
        retry = retry_at(schedule, _failures_in_a_row(session, connection.id), now)
    elif ending.state is RunState.RESCHEDULED:
        connection.rescheduled_for = now + (ending.retry_after or timedelta(0))
    connection.next_sync_at = next_start(connection, schedule, now, retry=retry)
    for advice in ending.advice:
        _raise_notice(session, connection.id, "warning", advice, now, count=1)
    if run.rejected and all(advice.code != REJECTED_MESSAGES for advice in ending.advice):
        _raise_notice(session, connection.id, "warning", _rejections(run), now, count=run.rejected)


def _rejections(run: Run) -> Advice:
    return Advice(
        code=REJECTED_MESSAGES,
        message="Messages that could not be decoded or loaded were put aside",
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


def _clear_warnings(session: Session, run: Run, now: datetime) -> None:
    """Take off what no sync has warned of for a while. Rejected messages stay where they were put aside, so that
    warning stands until they are read again."""
    session.execute(
        delete(Notice).where(
            Notice.connection_id == run.connection_id,
            Notice.kind == "warning",
            Notice.code != REJECTED_MESSAGES,
            Notice.updated_at < now - WARNING_LASTS,
        )
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


def _renew(session: Session, run_id: str, **totals: int) -> bool:
    stop_requested = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.state == RunState.RUNNING)
        .values(heartbeat_at=utc_now(), **totals)
        .returning(Run.stop_requested)
        .execution_options(synchronize_session=False)
    )
    return stop_requested is False
