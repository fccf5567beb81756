"""The local executor: each run in a process of its own on this machine.

A few worker processes are started ahead and have everything imported, so that a sync begins at once. A worker carries
out one run and exits, which gives its memory back; another takes its place.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from syncline.engine.children import start_child
from syncline.engine.identity import owner_name
from syncline.engine.messages import Job, Stop, encode
from syncline.engine.runs import SERVER_STOPPED, Ending, finish_run, interrupt_run, is_waiting, is_waiting_or_of
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Run, RunState

WORKER_COMMAND = (sys.executable, "-m", "syncline.engine.worker_process")

MOST_SPARE_WORKERS = 2
"""A waiting worker costs memory, so more of them than this are not kept, however many may run."""

PRESTART_DELAY = 2.0
"""Seconds after the start: the workers of runs that go on after a restart come first, and a server that only answers a
few requests does not pay for any."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Worker:
    """A worker process, waiting for its job or carrying it out."""

    process: asyncio.subprocess.Process

    def send(self, message: Job | Stop) -> None:
        """Write to the worker; one that has just died is noticed by whoever waits for its end."""
        assert self.process.stdin is not None  # noqa: S101 - it was started with a pipe
        if self.process.returncode is None and not self.process.stdin.is_closing():
            self.process.stdin.write(encode(message))

    async def dismiss(self) -> None:
        """End a worker that has no job, and so nothing to lose."""
        self.kill()
        await self.process.wait()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


@dataclass(slots=True)
class _Active:
    """A run under way."""

    job: Job
    task: asyncio.Task[None] | None = None
    worker: _Worker | None = None
    stop_state: RunState | None = None
    stopping: asyncio.Task[None] | None = None


class LocalExecutor:
    """Runs syncs in worker processes, at most `settings.concurrent_syncs` at a time, first come first served.

    Args:
        command: The worker program, for tests that need another.
    """

    def __init__(self, settings: Settings, database: Database, command: Sequence[str] = WORKER_COMMAND) -> None:
        self._settings = settings
        self._database = database
        self._command = tuple(command)
        self._waiting: dict[str, Job] = {}
        """By run, in the order of their start."""
        self._active: dict[str, _Active] = {}
        self._spare: list[_Worker] = []
        self._refilling: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self) -> None:
        """Start the first workers, in the background."""
        self._refill(PRESTART_DELAY)

    async def submit(self, run_id: str, connection_id: str) -> None:
        """Carry out a queued run as soon as there is room."""
        if self._closing or self.knows(run_id):
            return
        self._waiting[run_id] = Job(run_id, connection_id)
        self._dispatch()

    def knows(self, run_id: str) -> bool:
        """Whether the run was submitted here and has not ended."""
        return run_id in self._waiting or any(active.job.run_id == run_id for active in self._active.values())

    async def stop(self, connection_id: str, *, wait: bool) -> bool:
        """Cancel the connection's run; a worker that does not stop within `settings.stop_grace` is killed."""
        waiting = next((job for job in self._waiting.values() if job.connection_id == connection_id), None)
        if waiting is not None:
            del self._waiting[waiting.run_id]
            await self._settle(waiting, Ending(RunState.CANCELLED), None)
        active = self._active.get(connection_id)
        if active is None:
            return waiting is not None
        ended = self._begin_to_stop(active, RunState.CANCELLED)
        if wait:
            await ended
        return True

    async def close(self) -> None:
        """Interrupt what runs, leave what waits in the store's queue, and end every worker."""
        self._closing = True
        self._waiting.clear()
        if self._refilling is not None:
            self._refilling.cancel()
            await asyncio.wait({self._refilling})
        await asyncio.gather(
            *(self._begin_to_stop(active, RunState.INTERRUPTED) for active in self._active.values()),
            *(worker.dismiss() for worker in self._spare),
        )
        self._spare.clear()

    # -- one run

    def _dispatch(self) -> None:
        """Start waiting runs while there is room. A connection's run waits for that connection's worker to be gone."""
        if self._closing or len(self._active) >= self._settings.concurrent_syncs:
            return
        for job in list(self._waiting.values()):
            if len(self._active) >= self._settings.concurrent_syncs:
                return
            if job.connection_id not in self._active:
                del self._waiting[job.run_id]
                active = self._active[job.connection_id] = _Active(job)
                active.task = asyncio.create_task(self._carry_out(active), name=f"run {job.run_id}")

    async def _carry_out(self, active: _Active) -> None:
        job = active.job
        ending = Ending(RunState.FAILED, error="The worker process could not be started; the server's log says why.")
        try:
            if active.stop_state is None and await self._is_waiting(job):
                active.worker = await self._take_worker()
                active.worker.send(job)
                if active.stop_state is not None:  # asked for while the worker was being started
                    active.worker.send(Stop(active.stop_state))
                log.debug("run handed to worker", run_id=job.run_id, connection_id=job.connection_id)
                ending = _ending_of_exit(await active.worker.process.wait())
            if active.stop_state is not None:
                ending = Ending(active.stop_state)
        except (OSError, SQLAlchemyError):
            log.exception("worker did not start", run_id=job.run_id, connection_id=job.connection_id)
        finally:
            await self._settle_or_leave(job, ending, active.worker)
            del self._active[job.connection_id]
            self._dispatch()
            self._refill()

    async def _is_waiting(self, job: Job) -> bool:
        """Whether no other server was faster: what waits in the store waits for all of them."""
        async with self._database.session(read_only=True) as session:
            run = await session.get(Run, job.run_id)
        return run is not None and is_waiting(run)

    async def _settle_or_leave(self, job: Job, ending: Ending, worker: _Worker | None) -> None:
        """End the run in the store. If that fails, the scheduler finds it left behind, with its lock free."""
        try:
            await self._settle(job, ending, worker)
        except Exception:
            log.exception("run could not be ended in the store", run_id=job.run_id, connection_id=job.connection_id)

    async def _settle(self, job: Job, ending: Ending, worker: _Worker | None) -> None:
        """End a run in the store whose worker has not done so itself. One that another server has is left alone."""
        ours: Callable[[Run], bool] = is_waiting
        if worker is not None:
            ours = is_waiting_or_of(owner_name(self._settings.home, worker.process.pid))
        async with self._database.session() as session:
            if ending.state is RunState.INTERRUPTED:
                await session.run_sync(lambda store: interrupt_run(store, job.run_id, SERVER_STOPPED, only_if=ours))
                return
            settled = await session.run_sync(lambda store: finish_run(store, job.run_id, ending, only_if=ours))
        if settled and ending.state is RunState.FAILED:
            log.error("worker died", run_id=job.run_id, connection_id=job.connection_id, error=ending.error)

    def _begin_to_stop(self, active: _Active, state: RunState) -> "asyncio.Future[None]":
        """Stop a run, once however often it is asked for; what is returned is done when the run has ended."""
        if active.stopping is None:
            active.stop_state = state
            active.stopping = asyncio.create_task(self._stop_active(active, Stop(state)))
        return asyncio.shield(active.stopping)

    async def _stop_active(self, active: _Active, stop: Stop) -> None:
        assert active.task is not None  # noqa: S101 - dispatched with its task
        if active.worker is not None:
            active.worker.send(stop)
        _, late = await asyncio.wait({active.task}, timeout=self._settings.stop_grace)
        if late:
            if active.worker is not None:
                active.worker.kill()
            await asyncio.wait({active.task})

    # -- workers

    async def _take_worker(self) -> _Worker:
        while self._spare:
            worker = self._spare.pop(0)
            if worker.process.returncode is None:
                return worker
        return await self._start_worker()

    async def _start_worker(self) -> _Worker:
        process = await start_child(self._command)
        assert process.stdin is not None  # noqa: S101 - it was started with a pipe
        process.stdin.write(encode(self._settings))
        return _Worker(process)

    def _refill(self, delay: float = 0.0) -> None:
        """Start workers ahead for the runs that may come, one after the other in the background."""
        if not self._closing and (self._refilling is None or self._refilling.done()):
            self._refilling = asyncio.create_task(self._start_spare_workers(delay), name="start spare workers")

    async def _start_spare_workers(self, delay: float) -> None:
        await asyncio.sleep(delay)
        while len(self._spare) < min(MOST_SPARE_WORKERS, self._settings.concurrent_syncs - len(self._active)):
            try:
                self._spare.append(await self._start_worker())
            except OSError:
                log.exception("no worker could be started ahead; the next sync tries again")
                return


def _ending_of_exit(code: int) -> Ending:
    """What a worker's end means for a run that the worker has not ended itself."""
    if code < 0:
        error = (
            f"The worker process was killed by signal {-code}. When that was for lack of memory, lower "
            "SYNCLINE_BATCH_BYTES or SYNCLINE_CONCURRENT_SYNCS. The next sync goes on at the last checkpoint."
        )
    else:
        error = (
            f"The worker process ended with status {code} before the sync did; the server's log says why. "
            "The next sync goes on at the last checkpoint."
        )
    return Ending(RunState.FAILED, error=error)
