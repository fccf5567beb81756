"""Clocks that jump, and many connections that are due at once: nothing is stuck, and nothing is done twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from pydantic import SecretStr
from sqlalchemy import func, insert, select

from syncline.engine.heartbeat import Heartbeat
from syncline.engine.local import LocalExecutor
from syncline.engine.scheduler import Scheduler
from syncline.engine.stopping import StopRequest
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Account, Connection, Run, RunState, new_id, utc_now
from syncline.store.sealing import load_sealer
from tests.engine.support import add_connection, connection_of, runs_of
from tests.engine.test_executor import COMMAND, until
from tests.engine.test_leases import LEASE, change, look_for
from tests.engine.test_leases import start as start_elsewhere

JUMP = timedelta(hours=5)
CRON = {"schedule_type": "CRON", "cron": "*/10 * * * *"}


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> Settings:
    return Settings(home=tmp_path / "home", database_url=SecretStr(store_url), stop_grace=1.0)


@pytest.fixture
async def executor(settings: Settings, any_database: Database) -> AsyncIterator[LocalExecutor]:
    load_sealer(settings)
    executor = LocalExecutor(settings, any_database, COMMAND)
    yield executor
    await executor.close()
    await any_database.close()


def planned(database: Database, connection_id: str) -> timedelta:
    """How far away the next sync of a connection is, by the clock of the moment."""
    next_sync_at = connection_of(database, connection_id).next_sync_at
    assert next_sync_at is not None
    return next_sync_at - utc_now()


async def test_a_clock_that_jumps_forward_and_back_starts_one_sync_and_leaves_nothing_stuck(
    settings: Settings, any_database: Database, executor: LocalExecutor, tmp_path: Path
) -> None:
    script = {"trace": str(tmp_path / "trace")}
    start = utc_now() + timedelta(minutes=4)
    connection_id = add_connection(any_database, config=script, sync_frequency=5, next_sync_at=start)
    scheduler = Scheduler(settings, any_database, executor)
    await scheduler.look()
    assert runs_of(any_database, connection_id) == []
    with time_machine.travel(utc_now() + JUMP):
        for _ in range(3):
            await scheduler.look()
        assert planned(any_database, connection_id) <= timedelta(minutes=5)
        await until(lambda: runs_of(any_database, connection_id)[0].state == RunState.SUCCEEDED)
        change(any_database, connection_id, next_sync_at=utc_now() + timedelta(minutes=5))  # planned by this clock
        await scheduler.look()
    assert planned(any_database, connection_id) > timedelta(hours=4)
    await scheduler.look()
    assert planned(any_database, connection_id) <= timedelta(minutes=5)
    assert len(runs_of(any_database, connection_id)) == 1


@pytest.mark.parametrize(
    ("columns", "most"),
    [
        ({"sync_frequency": 5}, timedelta(minutes=5)),
        ({"sync_frequency": 60}, timedelta(minutes=60)),
        ({"sync_frequency": 360, "schedule": CRON}, timedelta(minutes=10)),
        ({"sync_frequency": 360, "rescheduled_for": True}, timedelta(minutes=1)),
        ({"sync_frequency": 1440, "daily_sync_time": "03:00"}, timedelta(hours=24)),
    ],
)
async def test_what_a_clock_has_planned_comes_in_time_once_it_is_put_back(
    settings: Settings,
    any_database: Database,
    executor: LocalExecutor,
    columns: dict[str, Any],
    most: timedelta,
) -> None:
    connection_id = add_connection(any_database, succeeded_at=utc_now(), **{**columns, "rescheduled_for": None})
    scheduler = Scheduler(settings, any_database, executor)
    with time_machine.travel(utc_now() + JUMP):
        await scheduler.look()
        start = utc_now() + most
        change(any_database, connection_id, next_sync_at=start)
        if columns.get("rescheduled_for"):
            change(any_database, connection_id, rescheduled_for=start)
        await scheduler.look()
        assert connection_of(any_database, connection_id).next_sync_at == start, "this clock is not wrong yet"
    await scheduler.look()
    assert timedelta(0) < planned(any_database, connection_id) <= most


async def test_what_was_planned_too_far_ahead_is_brought_forward_when_the_server_starts(
    settings: Settings, any_database: Database, executor: LocalExecutor
) -> None:
    now = utc_now()
    asked = now + timedelta(hours=3)
    stuck = add_connection(any_database, "stuck", sync_frequency=5, next_sync_at=now + JUMP)
    put_off = add_connection(any_database, "put_off", sync_frequency=5, next_sync_at=asked, rescheduled_for=asked)
    await Scheduler(settings, any_database, executor).look()
    assert planned(any_database, stuck) <= timedelta(minutes=5)
    assert connection_of(any_database, put_off).next_sync_at == asked, "the source has asked for it"


async def test_a_live_lease_outlives_every_jump_and_a_dead_one_none(
    settings: Settings, any_database: Database, executor: LocalExecutor
) -> None:
    alive = add_connection(any_database, "alive", schedule_type="manual")
    dead = add_connection(any_database, "dead", schedule_type="manual", paused=True)
    run_id, dead_id = (start_elsewhere(any_database, each, "elsewhere/1") for each in (alive, dead))
    scheduler = Scheduler(settings, any_database, executor, lease=LEASE)
    with Heartbeat(any_database, run_id, StopRequest(), interval=0.05, lease=LEASE):
        for jump in (timedelta(0), JUMP, -JUMP):
            with time_machine.travel(utc_now() + jump):
                await look_for(scheduler, LEASE / 2)
    (run,), (ended,) = runs_of(any_database, alive), runs_of(any_database, dead)
    assert (run.state, run.owner, run.stop_requested) == (RunState.RUNNING, "elsewhere/1", False)
    assert (ended.id, ended.state) == (dead_id, RunState.INTERRUPTED)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_five_hundred_connections_that_are_due_at_once_are_each_started_once(
    settings: Settings, any_database: Database, tmp_path: Path
) -> None:
    model = connection_of(any_database, add_connection(any_database, succeeded_at=utc_now()))
    row = {column.name: getattr(model, column.key) for column in Connection.__table__.columns}
    due = [{**row, "id": new_id(), "schema": f"due_{number}", "next_sync_at": utc_now()} for number in range(500)]
    with any_database.sync_session() as session:
        session.execute(insert(Connection), due)
    trace = tmp_path / "trace"
    script = f"read settings; read job; echo begin >> {trace}; echo end >> {trace}"
    executor = LocalExecutor(settings, any_database, ("/bin/sh", "-c", script))
    scheduler = Scheduler(settings, any_database, executor)
    looking = asyncio.create_task(scheduler.look())
    await asyncio.sleep(0)
    async with any_database.session() as session:  # a request that comes meanwhile
        session.add(Account(name="written"))
    assert not looking.done()
    await looking
    await scheduler.look()

    def states() -> dict[str, int]:
        with any_database.sync_session(read_only=True) as session:
            return {row[0]: row[1] for row in session.execute(select(Run.state, func.count()).group_by(Run.state))}

    assert sum(states().values()) == 500
    assert len(asyncio.all_tasks()) < 20, "what waits costs no task"
    await until(lambda: states() == {RunState.FAILED: 500}, 60)
    await executor.close()
    await any_database.close()
    lines = trace.read_text().split()
    under_way = [lines[: end + 1].count("begin") - lines[: end + 1].count("end") for end in range(len(lines))]
    assert lines.count("begin") == 500
    assert max(under_way) <= settings.concurrent_syncs
    assert all(len(runs_of(any_database, each["id"])) == 1 for each in due[::50])
