"""Stopping a connection's sync, whichever process carries it out."""

import asyncio
import time

from syncline.engine.executor import Executor
from syncline.engine.heartbeat import INTERVAL
from syncline.engine.runs import Ending, active_run, finish_run, is_waiting, request_stop
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import RunState

_POLL_SECONDS = 0.2


async def stop_sync(database: Database, executor: Executor, settings: Settings, connection_id: str) -> bool:
    """Cancel the connection's active run, and return once it has ended.

    This server's own runs are stopped at once. One of another server or of a terminal is asked through the store, and
    gets the time of two signs of life besides that to stop in.

    Returns:
        False when it has not ended by then.
    """
    await executor.stop(connection_id, wait=True)
    deadline = time.monotonic() + settings.stop_grace + 2 * INTERVAL
    asked: str | None = None
    while True:
        async with database.session(read_only=True) as session:
            run = await session.run_sync(active_run, connection_id)
        if run is None or asked not in (None, run.id):
            return True
        if asked is None:
            asked = run.id
            async with database.session() as session:
                cancelled = Ending(RunState.CANCELLED)
                if not await session.run_sync(lambda store: finish_run(store, run.id, cancelled, only_if=is_waiting)):  # noqa: B023
                    await session.run_sync(request_stop, run.id)
        elif time.monotonic() > deadline:
            return False
        else:
            await asyncio.sleep(_POLL_SECONDS)
