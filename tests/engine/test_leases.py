"""Servers that share a store: whose run is whose, and when one counts as dead."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from syncline.engine.heartbeat import Heartbeat
from syncline.engine.identity import installation_of, is_of, owner_name
from syncline.engine.local import LocalExecutor
from syncline.engine.locks import ConnectionLock
from syncline.engine.runs import (
    Ending,
    finish_run,
    is_waiting,
    is_waiting_or_of,
    queue_run,
    renew,
    request_stop,
    start_run,
)
from syncline.engine.scheduler import Scheduler
from syncline.engine.stopping import StopRequest
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Run, RunState, utc_now
from syncline.store.sealing import load_sealer
from tests.engine.support import add_connection, connection_of, runs_of
from tests.engine.test_executor import COMMAND, Trace, until

LEASE = 0.4


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> Settings:
    return Settings(home=tmp_path / "home", database_url=SecretStr(store_url), scheduler_interval=0.05, stop_grace=1.0)


@pytest.fixture
async def executor(settings: Settings, any_database: Database) -> AsyncIterator[LocalExecutor]:
    load_sealer(settings)
    executor = LocalExecutor(settings, any_database, COMMAND)
    yield executor
    await executor.close()
    await any_database.close()


def start(database: Database, connection_id: str, owner: str | None) -> str:
    with database.sync_session() as session:
        run = queue_run(session, connection_id, "api")
        assert run is not None
        assert start_run(session, run.id, owner)
        return run.id


def change(database: Database, connection_id: str, **columns: Any) -> None:
    with database.sync_session() as session:
        connection = session.get_one(Connection, connection_id)
        for name, value in columns.items():
            setattr(connection, name, value)


async def look_for(scheduler: Scheduler, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await scheduler.look()
        await asyncio.sleep(0.02)


def test_an_installation_has_one_name_whoever_asks_first(tmp_path: Path) -> None:
    names: set[str] = set()
    threads = [threading.Thread(target=lambda: names.add(installation_of(tmp_path / "home"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (name,) = names
    owner = owner_name(tmp_path / "home", 7)
    assert owner == f"{name}/7"
    assert is_of(owner, name)
    assert is_of(None, name)
    assert not is_of(owner_name(tmp_path / "other", 7), name)
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["installation"]


async def test_the_run_of_another_server_is_left_alone_while_it_shows_that_it_lives(
    settings: Settings, any_database: Database, executor: LocalExecutor
) -> None:
    connection_id = add_connection(any_database, schedule_type="manual")
    run_id = start(any_database, connection_id, "elsewhere/1")
    scheduler = Scheduler(settings, any_database, executor, lease=LEASE)
    with Heartbeat(any_database, run_id, StopRequest(), interval=0.05):
        await look_for(scheduler, 2 * LEASE)
    (run,) = runs_of(any_database, connection_id)
    assert (run.state, run.owner) == (RunState.RUNNING, "elsewhere/1")


async def test_the_run_of_another_server_is_taken_up_once_it_is_silent_for_a_lease(
    settings: Settings, any_database: Database, executor: LocalExecutor, tmp_path: Path
) -> None:
    trace = Trace(tmp_path / "trace")
    connection_id = add_connection(any_database, schedule_type="manual", config={"trace": str(trace.path)})
    run_id = start(any_database, connection_id, "elsewhere/1")
    with any_database.sync_session() as session:  # a clock that is wrong by an hour does not matter
        session.get_one(Run, run_id).heartbeat_at = utc_now() - timedelta(hours=1)
    scheduler = Scheduler(settings, any_database, executor, lease=LEASE)
    await look_for(scheduler, LEASE / 2)
    assert len(runs_of(any_database, connection_id)) == 1
    others = [Scheduler(settings, any_database, executor, lease=LEASE) for _ in range(2)]
    await asyncio.gather(*(look_for(each, 1.5 * LEASE) for each in (scheduler, *others)))
    await until(lambda: connection_of(any_database, connection_id).succeeded_at is not None)
    first, second = runs_of(any_database, connection_id)
    assert (first.id, first.state) == (run_id, RunState.INTERRUPTED)
    assert (second.trigger, second.state) == ("recovery", RunState.SUCCEEDED)
    assert is_of(second.owner, installation_of(settings.home))


async def test_a_run_of_this_installation_is_judged_by_its_lock(
    settings: Settings, any_database: Database, executor: LocalExecutor
) -> None:
    connection_id = add_connection(any_database, schedule_type="manual", paused=True)
    start(any_database, connection_id, owner_name(settings.home, os.getpid()))
    lock = ConnectionLock.of(settings.home, connection_id)
    assert lock.acquire()
    scheduler = Scheduler(settings, any_database, executor, lease=0.0)
    await look_for(scheduler, 0.2)
    assert runs_of(any_database, connection_id)[0].state == RunState.RUNNING, "its process lives, however silent"
    lock.release()
    await scheduler.look()
    assert runs_of(any_database, connection_id)[0].state == RunState.INTERRUPTED


def test_a_process_ends_only_its_own_run(any_database: Database) -> None:
    connection_id = add_connection(any_database)
    run_id = start(any_database, connection_id, "here/1")
    failed = Ending(RunState.FAILED, error="x")
    with any_database.sync_session() as session:
        assert not finish_run(session, run_id, failed, only_if=is_waiting)
        assert not finish_run(session, run_id, failed, only_if=is_waiting_or_of("here/2"))
        assert finish_run(session, run_id, failed, only_if=is_waiting_or_of("here/1"))


async def test_servers_that_see_the_same_run_carry_it_out_once(
    settings: Settings, any_database: Database, tmp_path: Path
) -> None:
    load_sealer(settings)
    trace = Trace(tmp_path / "trace")
    other = settings.model_copy(update={"home": tmp_path / "other", "sealing_keys": None})
    other.home.mkdir()
    (other.home / "sealing.key").write_bytes((settings.home / "sealing.key").read_bytes())
    executors = [LocalExecutor(each, any_database, COMMAND) for each in (settings, other)]
    script = {"trace": str(trace.path), "batches": 5, "pause": 0.1}
    connection_id = add_connection(any_database, schedule_type="manual", config=script)
    with any_database.sync_session() as session:
        run = queue_run(session, connection_id, "api")
        assert run is not None
    await asyncio.gather(*(executor.submit(run.id, connection_id) for executor in executors))
    await until(lambda: not any(executor.knows(run.id) for executor in executors))
    for executor in executors:
        await executor.close()
    await any_database.close()
    (ended,) = runs_of(any_database, connection_id)
    assert (ended.state, ended.rows) == (RunState.SUCCEEDED, 50)
    assert trace.events.count("begin 0") == 1
    assert "heartbeat" in trace.events, "it shows that it lives while it reads and loads"
    assert len(trace.processes) == 1


def test_a_heartbeat_asks_a_run_to_stop_that_is_to_be_cancelled_or_has_ended(any_database: Database) -> None:
    connection_id = add_connection(any_database)
    run_id = start(any_database, connection_id, "here/1")
    before = runs_of(any_database, connection_id)[0].heartbeat_at
    stop = StopRequest()
    with Heartbeat(any_database, run_id, stop, interval=0.02):
        assert not stop.event.wait(0.2)
        with any_database.sync_session() as session:
            request_stop(session, run_id)
        assert stop.event.wait(5)
    assert stop.state is RunState.CANCELLED
    (run,) = runs_of(any_database, connection_id)
    assert before is not None
    assert run.heartbeat_at is not None
    assert run.heartbeat_at > before
    with any_database.sync_session() as session:
        assert finish_run(session, run_id, Ending(RunState.CANCELLED))
        assert not renew(session, run_id)
        assert not renew(session, "gone")


def test_a_run_that_cannot_renew_its_lease_stops(tmp_path: Path) -> None:
    unreachable = Database(f"sqlite:///{tmp_path / 'nowhere' / 'store.db'}")
    stop = StopRequest()
    with Heartbeat(unreachable, "run", stop, interval=0.02, lease=0.1):
        assert stop.event.wait(5)
    assert stop.state is RunState.INTERRUPTED
    unreachable.close_sync()


async def test_a_connection_is_paused_at_the_end_of_its_trial(
    settings: Settings, any_database: Database, executor: LocalExecutor
) -> None:
    begun = utc_now() - timedelta(days=15)
    trial = {"pause_after_trial": True, "created_at": begun}
    due = add_connection(any_database, "due", next_sync_at=utc_now(), **trial)
    manual = add_connection(any_database, "manual", schedule_type="manual", **trial)
    kept = add_connection(any_database, "kept", created_at=begun, schedule_type="manual")
    young = add_connection(any_database, "young", schedule_type="manual", pause_after_trial=True)
    scheduler = Scheduler(settings, any_database, executor)
    await scheduler.look()
    paused = {name: connection_of(any_database, name).paused for name in (due, manual, kept, young)}
    assert paused == {due: True, manual: True, kept: False, young: False}
    assert runs_of(any_database, due) == []

    # One that is due between two looks for trials does not start either.
    late = add_connection(any_database, "late", next_sync_at=utc_now(), **trial)
    await scheduler.look()
    assert connection_of(any_database, late).paused
    assert runs_of(any_database, late) == []
    change(any_database, manual, paused=False)
    await Scheduler(settings, any_database, executor).look()
    assert not connection_of(any_database, manual).paused, "it was resumed"
