"""The scheduler: starts what is due, and takes up runs that were left behind."""

import asyncio
import time
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from syncline.engine.clock import ClockWatch, plan_anew
from syncline.engine.executor import Executor
from syncline.engine.heartbeat import LEASE
from syncline.engine.identity import installation_of, is_of
from syncline.engine.locks import ConnectionLock
from syncline.engine.planning import end_trial, trial_is_over
from syncline.engine.runs import SERVER_KILLED, active_runs, interrupt_run, queue_run, schedule_of
from syncline.engine.schedule import next_sync_at
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Run, RunState, utc_now

MOST_DUE = 20
"""Connections whose runs are queued in one transaction, so that no request waits long for its turn."""

MOST_QUEUED = 100
"""Queued runs that one look hands to the executor, the oldest first; the others wait in the store."""

TRIAL_PAUSE = 60.0
"""Seconds between two looks for trials that are over. No sync starts after one in between."""

MOST_ERROR_PAUSE = 60.0
"""Seconds between two looks at most, while looking fails."""

log = structlog.get_logger(__name__)


class Scheduler:
    """Looks every `settings.scheduler_interval` seconds for work and hands it to the executor.

    Several servers may share a store, each with a scheduler of its own.

    Args:
        lease: Seconds without a sign of life after which the run of another server counts as left behind.
    """

    def __init__(self, settings: Settings, database: Database, executor: Executor, lease: float = LEASE) -> None:
        self._settings = settings
        self._database = database
        self._executor = executor
        self._lease = lease
        self._signs_of_life: dict[str, tuple[datetime | None, float]] = {}
        """By run of another server: its latest heartbeat, and when that was first seen here. The clocks of machines
        differ, so it is not the heartbeat's own time that counts."""
        self._clock = ClockWatch()
        self._put_off: timedelta | None = None
        self._trials_looked_at = -TRIAL_PAUSE
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look, at once."""
        self._loop = asyncio.create_task(self._run(), name="scheduler")

    async def close(self) -> None:
        """Stop looking."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait({self._loop})
            self._loop = None

    async def look(self) -> None:
        """One look: first what was left behind, then what is due."""
        await self._take_up_left_behind()
        await self._end_trials()
        await self._follow_clock()
        async with self._database.session(read_only=True) as session:
            if await session.scalar(_due(utc_now()).limit(1)) is None:
                return
        found = MOST_DUE
        while found == MOST_DUE:
            async with self._database.session() as session:
                found, runs = await session.run_sync(_queue_due, self._settings.trial_days)
            for run in runs:
                log.info("sync due", connection_id=run.connection_id, run_id=run.id)
                await self._executor.submit(run.id, run.connection_id)
            await asyncio.sleep(0)  # requests have their turn in between

    async def _follow_clock(self) -> None:
        """Plan anew what a clock has planned that was put back since. What fails is done in the next look."""
        self._put_off = self._clock.look() or self._put_off
        after_id: str | None = ""
        while self._put_off is not None and after_id is not None:
            async with self._database.session() as session:
                after_id = await session.run_sync(plan_anew, self._put_off, after_id)
        self._put_off = None

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self.look()
                failures = 0
            except Exception:
                failures += 1
                log.exception("scheduler failed to look for work; it tries again", failures=failures)
            pause = self._settings.scheduler_interval * 2 ** min(failures, 10)
            await asyncio.sleep(min(pause, max(MOST_ERROR_PAUSE, self._settings.scheduler_interval)))

    async def _end_trials(self) -> None:
        """Pause the connections whose trial is over, those that are due and those that are not."""
        if not self._settings.trial_days or time.monotonic() - self._trials_looked_at < TRIAL_PAUSE:
            return
        self._trials_looked_at = time.monotonic()
        begun_before = utc_now() - timedelta(days=self._settings.trial_days)
        over = select(Connection).where(
            Connection.pause_after_trial,
            Connection.created_at <= begun_before,
            Connection.trial_ended_at.is_(None),
        )
        async with self._database.session(read_only=True) as session:
            ids = [connection.id for connection in await session.scalars(over)]
        for connection_id in ids:
            async with self._database.session() as session:
                connection = await session.get(Connection, connection_id, with_for_update=True)
                now = utc_now()
                if connection is not None and trial_is_over(connection, self._settings.trial_days, now):
                    log.info("trial is over, connection paused", connection_id=connection_id)
                    end_trial(connection, now)

    async def _take_up_left_behind(self) -> None:
        """Go on with active runs that this server's executor has not got.

        A queued one is from before the server's start, from another server that is busy, or from a request that is
        being answered. A running one of this installation has lost its process when its connection's lock is free;
        while it is held, the process lives (`syncline sync` in a terminal) or is just dying, and the next look asks
        again. One of another installation has lost it when it has shown no sign of life for a lease.
        """
        async with self._database.session(read_only=True) as session:
            runs = await session.run_sync(active_runs, MOST_QUEUED)
        self._signs_of_life = {run.id: self._signs_of_life[run.id] for run in runs if run.id in self._signs_of_life}
        installation = installation_of(self._settings.home)
        for run in runs:
            if self._executor.knows(run.id):
                continue
            if run.state == RunState.QUEUED:
                await self._executor.submit(run.id, run.connection_id)
            elif is_of(run.owner, installation):
                await self._recover_own(run)
            elif self._is_silent(run):
                await self._recover(run)

    def _is_silent(self, run: Run) -> bool:
        seen, since = self._signs_of_life.get(run.id, (None, 0.0))
        if seen is None or seen != run.heartbeat_at:
            self._signs_of_life[run.id] = (run.heartbeat_at, time.monotonic())
            return False
        return time.monotonic() - since >= self._lease

    async def _recover_own(self, run: Run) -> None:
        lock = ConnectionLock.of(self._settings.home, run.connection_id)
        if not lock.acquire():
            return
        try:
            await self._recover(run)
        finally:
            lock.release()

    async def _recover(self, run: Run) -> None:
        """End a run whose process is gone, unless that shows a sign of life after all."""
        async with self._database.session() as session:
            following = await session.run_sync(
                lambda store: interrupt_run(
                    store, run.id, SERVER_KILLED, only_if=lambda now: now.heartbeat_at == run.heartbeat_at
                )
            )
        if following is not None:
            log.warning("sync was interrupted, going on", connection_id=run.connection_id, run_id=following.id)
            await self._executor.submit(following.id, following.connection_id)


def _due(now: datetime) -> Select[Connection]:
    return select(Connection).where(Connection.next_sync_at <= now).order_by(Connection.next_sync_at)


def _queue_due(session: Session, trial_days: int) -> tuple[int, list[Run]]:
    """Queue a run for each of some connections that are due. One that is still syncing skips this start.

    Returns:
        How many were due, and the runs that were queued.
    """
    runs = []
    now = utc_now()
    # Those that another server is queueing at this moment are locked, and not ours.
    connections = session.scalars(_due(now).limit(MOST_DUE).with_for_update(skip_locked=True)).all()
    for connection in connections:
        if trial_is_over(connection, trial_days, now):
            end_trial(connection, now)
            continue
        run = queue_run(session, connection.id, "schedule")
        if run is not None:
            runs.append(run)
        connection.next_sync_at = next_sync_at(schedule_of(session, connection), now)
    return len(connections), runs
