"""The scheduler: starts what is due, and takes up runs that were left behind."""

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from syncline.engine.executor import Executor
from syncline.engine.locks import ConnectionLock
from syncline.engine.runs import SERVER_KILLED, active_runs, interrupt_run, queue_run, schedule_of
from syncline.engine.schedule import next_sync_at
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Run, RunState, utc_now

MOST_DUE = 100
"""Connections that one look starts; the rest wait for the next look."""

MOST_ERROR_PAUSE = 60.0
"""Seconds between two looks at most, while looking fails."""

log = structlog.get_logger(__name__)


class Scheduler:
    """Looks every `settings.scheduler_interval` seconds for work and hands it to the executor."""

    def __init__(self, settings: Settings, database: Database, executor: Executor) -> None:
        self._settings = settings
        self._database = database
        self._executor = executor
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
        async with self._database.session(read_only=True) as session:
            is_any_due = await session.run_sync(lambda store: bool(_due(store, 1)))
        if not is_any_due:
            return
        async with self._database.session() as session:
            runs = await session.run_sync(_queue_due)
        for run in runs:
            log.info("sync due", connection_id=run.connection_id, run_id=run.id)
            await self._executor.submit(run.id, run.connection_id)

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

    async def _take_up_left_behind(self) -> None:
        """Go on with active runs that this server's executor has not got.

        A queued one is from before the server's start, or from a request that is being answered. A running one has
        lost its process when its connection's lock is free; while it is held, the process lives (`syncline sync` in a
        terminal) or is just dying, and the next look asks again.
        """
        async with self._database.session(read_only=True) as session:
            runs = await session.run_sync(active_runs)
        for run in runs:
            if self._executor.knows(run.id):
                continue
            if run.state == RunState.QUEUED:
                await self._executor.submit(run.id, run.connection_id)
            else:
                await self._recover(run)

    async def _recover(self, run: Run) -> None:
        lock = ConnectionLock.of(self._settings.home, run.connection_id)
        if not lock.acquire():
            return
        try:
            async with self._database.session() as session:
                following = await session.run_sync(lambda store: interrupt_run(store, run.id, SERVER_KILLED))
        finally:
            lock.release()
        if following is not None:
            log.warning("sync was interrupted, going on", connection_id=run.connection_id, run_id=following.id)
            await self._executor.submit(following.id, following.connection_id)


def _due(session: Session, limit: int) -> Sequence[Connection]:
    return session.scalars(
        select(Connection).where(Connection.next_sync_at <= utc_now()).order_by(Connection.next_sync_at).limit(limit)
    ).all()


def _queue_due(session: Session) -> list[Run]:
    """Queue a run for each connection that is due. One that is still syncing skips this start."""
    runs = []
    for connection in _due(session, MOST_DUE):
        run = queue_run(session, connection.id, "schedule")
        if run is not None:
            runs.append(run)
        connection.next_sync_at = next_sync_at(schedule_of(session, connection), utc_now())
    return runs
