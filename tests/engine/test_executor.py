"""Runs in worker processes: what becomes of them, also when a process dies."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from syncline.engine.local import LocalExecutor
from syncline.engine.runs import queue_run
from syncline.engine.scheduler import Scheduler
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Run, RunState, utc_now
from syncline.store.sealing import load_sealer
from tests.engine.support import WORKER, add_connection, connection_of, is_alive, notices_of, runs_of

COMMAND = (sys.executable, str(WORKER))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", scheduler_interval=0.05, stop_grace=1.0, concurrent_syncs=2)


@pytest.fixture
async def executor(settings: Settings, database: Database) -> AsyncIterator[LocalExecutor]:
    load_sealer(settings)
    executor = LocalExecutor(settings, database, COMMAND)
    yield executor
    await executor.close()
    await database.close()


class Trace:
    """What workers have noted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def lines(self) -> list[tuple[str, int]]:
        if not self.path.exists():
            return []
        return [(line.rpartition(" ")[0], int(line.rpartition(" ")[2])) for line in self.path.read_text().splitlines()]

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.lines]

    @property
    def processes(self) -> list[int]:
        return list(dict.fromkeys(process for _, process in self.lines))


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return Trace(tmp_path / "trace")


def scripted(database: Database, trace: Trace, schema: str = "bus", **script: Any) -> str:
    return add_connection(database, schema, config={"trace": str(trace.path), **script}, schedule_type="manual")


async def submit(executor: LocalExecutor, database: Database, connection_id: str) -> str:
    async with database.session() as session:
        run = await session.run_sync(lambda store: queue_run(store, connection_id, "api"))
    assert run is not None
    await executor.submit(run.id, connection_id)
    return run.id


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.02)


async def ended(executor: LocalExecutor, run_id: str) -> None:
    await until(lambda: not executor.knows(run_id))


@pytest.mark.parametrize(
    ("then", "state", "error", "notice"),
    [
        ("succeed", RunState.SUCCEEDED, None, None),
        ("fail", RunState.FAILED, "The namespace does not answer. Check the network.", "sync_failed"),
        ("misconfigured", RunState.FAILED, "The key is refused. Send another.", "setup_broken"),
        ("throttle", RunState.RESCHEDULED, "The namespace is busy.", None),
        ("break", RunState.FAILED, "ZeroDivisionError", "sync_failed"),
        ("crash", RunState.FAILED, "killed by signal 11", "sync_failed"),
    ],
)
async def test_every_end_of_a_sync_is_recorded(
    executor: LocalExecutor,
    database: Database,
    trace: Trace,
    then: str,
    state: RunState,
    error: str | None,
    notice: str | None,
) -> None:
    connection_id = scripted(database, trace, batches=3, then=then)
    run_id = await submit(executor, database, connection_id)
    await ended(executor, run_id)
    (run,) = runs_of(database, connection_id)
    assert run.state == state, run.error
    assert (run.rows, run.bytes, run.batches) == (30, 300, 3)
    assert run.started_at is not None
    assert run.ended_at is not None
    if error is None:
        assert run.error is None
    else:
        assert error in (run.error or "")
        assert "hunter2" not in (run.error or "")
    assert [found.code for found in notices_of(database, connection_id)] == ([notice] if notice else [])
    connection = connection_of(database, connection_id)
    assert (connection.succeeded_at is not None) == (state is RunState.SUCCEEDED)
    assert (connection.failed_at is not None) == (state is RunState.FAILED)
    assert (connection.rescheduled_for is not None) == (state is RunState.RESCHEDULED)


async def test_each_run_has_a_process_of_its_own_that_was_started_ahead(
    executor: LocalExecutor, database: Database, trace: Trace
) -> None:
    await executor.start()
    connection_id = scripted(database, trace)
    for _ in range(2):
        await ended(executor, await submit(executor, database, connection_id))
    first, second = trace.processes
    assert first != second
    assert not is_alive(first)
    assert not is_alive(second)
    await until(lambda: len(executor._spare) == 2)
    ahead = {worker.process.pid for worker in executor._spare}
    await ended(executor, await submit(executor, database, connection_id))
    assert trace.processes[-1] in ahead


async def test_no_secret_stands_where_other_processes_can_read_it(
    executor: LocalExecutor, database: Database, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCLINE_SEALING_KEYS", "a-secret-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-key")
    connection_id = scripted(database, trace, then="hang")
    await submit(executor, database, connection_id)
    await until(lambda: "hang" in trace.events)
    process = Path("/proc", str(trace.processes[0]))
    visible = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
    assert b"PATH=" in visible
    assert b"a-secret-key" not in visible
    await executor.stop(connection_id, wait=True)


async def test_runs_beyond_the_limit_wait_in_the_order_they_came(
    executor: LocalExecutor, database: Database, trace: Trace
) -> None:
    connections = [
        scripted(database, Trace(trace.path.with_name(f"trace{number}")), f"bus_{number}", batches=3, pause=0.1)
        for number in range(4)
    ]
    runs = [await submit(executor, database, connection_id) for connection_id in connections]
    await executor.submit(runs[3], connections[3])  # once more is the same as once
    most = 0
    while any(executor.knows(run_id) for run_id in runs):
        most = max(most, sum(runs_of(database, connection)[0].state == RunState.RUNNING for connection in connections))
        await asyncio.sleep(0.02)
    assert most == 2
    started = [runs_of(database, connection)[0].started_at for connection in connections]
    assert max(filter(None, started[:2])) < min(filter(None, started[2:]))
    assert all(runs_of(database, connection)[0].state == RunState.SUCCEEDED for connection in connections)


async def test_a_stopped_run_is_cancelled_and_the_next_goes_on_where_it_was(
    executor: LocalExecutor, database: Database, trace: Trace
) -> None:
    connection_id = scripted(database, trace, batches=30, pause=0.05)
    await submit(executor, database, connection_id)
    await until(lambda: "batch 2" in trace.events)
    assert await executor.stop(connection_id, wait=True)
    (run,) = runs_of(database, connection_id)
    assert run.state == RunState.CANCELLED
    assert run.active_connection_id is None
    assert "end" in trace.events, "it was asked, not killed"
    done = trace.events.count("end") + len([event for event in trace.events if event.startswith("batch")]) - 1
    await ended(executor, await submit(executor, database, connection_id))
    assert f"begin {done}" in trace.events
    assert runs_of(database, connection_id)[1].state == RunState.SUCCEEDED


async def test_a_run_that_does_not_stop_is_killed(executor: LocalExecutor, database: Database, trace: Trace) -> None:
    connection_id = scripted(database, trace, then="hang")
    await submit(executor, database, connection_id)
    await until(lambda: "hang" in trace.events)
    started = time.monotonic()
    assert await executor.stop(connection_id, wait=True)
    assert time.monotonic() - started > 0.9
    (run,) = runs_of(database, connection_id)
    assert run.state == RunState.CANCELLED
    assert not is_alive(trace.processes[0])


async def test_a_run_that_waits_can_be_stopped(executor: LocalExecutor, database: Database, trace: Trace) -> None:
    busy = [scripted(database, trace, f"bus_{number}", batches=30, pause=0.1) for number in range(2)]
    for connection_id in busy:
        await submit(executor, database, connection_id)
    waiting = scripted(database, trace, "waiting")
    run_id = await submit(executor, database, waiting)
    assert await executor.stop(waiting, wait=True)
    assert not executor.knows(run_id)
    assert runs_of(database, waiting)[0].state == RunState.CANCELLED
    assert not await executor.stop(waiting, wait=True)


async def test_closing_interrupts_runs_and_the_next_start_goes_on(
    settings: Settings, executor: LocalExecutor, database: Database, trace: Trace
) -> None:
    connection_id = scripted(database, trace, batches=20, pause=0.05)
    await submit(executor, database, connection_id)
    await until(lambda: "batch 3" in trace.events)
    await executor.close()
    first, second = runs_of(database, connection_id)
    assert (first.state, second.state, second.trigger) == (RunState.INTERRUPTED, RunState.QUEUED, "recovery")
    assert not any(is_alive(process) for process in trace.processes)

    following = LocalExecutor(settings, database, COMMAND)
    scheduler = Scheduler(settings, database, following)
    await scheduler.start()
    await until(lambda: connection_of(database, connection_id).succeeded_at is not None)
    await scheduler.close()
    await following.close()
    assert runs_of(database, connection_id)[1].state == RunState.SUCCEEDED
    batches = [event for event in trace.events if event.startswith("batch")]
    assert len(batches) == len(set(batches)) == 20, "no batch was done twice"


async def test_a_worker_that_dies_is_noticed_and_the_rest_goes_on(
    executor: LocalExecutor, database: Database, trace: Trace
) -> None:
    connection_id = scripted(database, trace, batches=30, pause=0.05)
    run_id = await submit(executor, database, connection_id)
    await until(lambda: "batch 2" in trace.events)
    os.kill(trace.processes[0], signal.SIGKILL)
    await ended(executor, run_id)
    (run,) = runs_of(database, connection_id)
    assert run.state == RunState.FAILED
    assert "signal 9" in (run.error or "")
    await ended(executor, await submit(executor, database, connection_id))
    assert runs_of(database, connection_id)[1].state == RunState.SUCCEEDED


async def test_what_is_due_is_started_once(
    settings: Settings, executor: LocalExecutor, database: Database, trace: Trace
) -> None:
    connection_id = scripted(database, trace)
    with database.sync_session() as session:
        connection = session.get_one(Connection, connection_id)
        connection.schedule_type = "auto"
        connection.next_sync_at = utc_now()
    manual = scripted(database, Trace(trace.path.with_name("other")), "manual")
    schedulers = [Scheduler(settings, database, executor) for _ in range(2)]
    await asyncio.gather(*(scheduler.look() for scheduler in schedulers))
    await until(lambda: connection_of(database, connection_id).succeeded_at is not None)
    (run,) = runs_of(database, connection_id)
    assert run.trigger == "schedule"
    next_sync_at = connection_of(database, connection_id).next_sync_at
    assert next_sync_at is not None
    assert next_sync_at > utc_now()
    assert runs_of(database, manual) == []


async def test_the_scheduler_survives_an_error(
    settings: Settings, executor: LocalExecutor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []

    class Flaky(Scheduler):
        async def look(self) -> None:
            looks.append(True)
            if len(looks) < 3:
                raise OSError("the disk is away")

    scheduler = Flaky(settings, database, executor)
    await scheduler.start()
    await until(lambda: len(looks) > 4)
    await scheduler.close()


SERVER = """
import asyncio, sys
from pathlib import Path
from syncline.engine.local import LocalExecutor
from syncline.engine.scheduler import Scheduler
from syncline.settings import Settings
from syncline.store.database import Database

async def serve():
    settings = Settings(home=Path(sys.argv[1]), scheduler_interval=0.05, concurrent_syncs=2)
    database = Database(settings.store_url)
    executor = LocalExecutor(settings, database, (sys.executable, sys.argv[2]))
    await executor.start()
    await Scheduler(settings, database, executor).start()
    await asyncio.sleep(600)

asyncio.run(serve())
"""


async def test_after_a_kill_of_the_server_its_workers_end_and_the_sync_goes_on(
    settings: Settings, database: Database, trace: Trace
) -> None:
    load_sealer(settings)
    connection_id = scripted(database, trace, batches=25, pause=0.05)
    with database.sync_session() as session:
        assert queue_run(session, connection_id, "api") is not None
    for batch in (3, 8):
        server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, str(settings.home), str(WORKER))
        await until(lambda batch=batch: f"batch {batch}" in trace.events)  # type: ignore[misc]
        server.kill()
        await server.wait()
        await until(lambda: not any(is_alive(process) for process in trace.processes), 5)
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, str(settings.home), str(WORKER))
    await until(lambda: connection_of(database, connection_id).succeeded_at is not None)
    server.kill()
    await server.wait()
    runs: list[Run] = runs_of(database, connection_id)
    assert [run.state for run in runs] == [RunState.INTERRUPTED] * 2 + [RunState.SUCCEEDED]
    assert [run.trigger for run in runs] == ["api"] + ["recovery"] * 2
    batches = {event for event in trace.events if event.startswith("batch")}
    assert len(batches) == 25
