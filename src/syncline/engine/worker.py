"""Carrying out one run in the present process: a worker's, or a terminal's.

Importing this module imports all that a sync needs.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from syncline.connectors.base import ReadLimits, SourceWarning
from syncline.connectors.errors import SourceConfigurationError, SourceError, SourceThrottled
from syncline.engine.context import home_of, naming_of, open_secrets, source_context, working_directory
from syncline.engine.heartbeat import Heartbeat
from syncline.engine.identity import owner_name
from syncline.engine.locks import ConnectionLock
from syncline.engine.planning import THROTTLE_LIMIT
from syncline.engine.runs import (
    SERVER_STOPPED,
    Advice,
    Ending,
    finish_run,
    interrupt_run,
    is_waiting,
    is_waiting_or_of,
    queue_run,
    record_progress,
    start_run,
)
from syncline.engine.stopping import StopRequest
from syncline.logs import bind
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Destination, Run, RunState
from syncline.store.sealing import Sealer, SealingError
from syncline.sync.catalog import StoreCatalog
from syncline.sync.checkpoints import StoreCheckpoints
from syncline.sync.run import Progress, SyncJob, run_sync
from syncline.warehouses.errors import WarehouseConfigurationError, WarehouseError
from syncline.warehouses.registry import warehouse_for

LOCK_SECONDS = 30.0
"""How long a run waits for the last process that worked on its connection to be gone."""

log = structlog.get_logger(__name__)


class CannotRunError(Exception):
    """A run cannot begin; the text says why and what to do."""


def execute_run(
    database: Database,
    sealer: Sealer,
    settings: Settings,
    run_id: str,
    on_progress: Callable[[Progress], None] | None = None,
    stop: StopRequest | None = None,
) -> Ending | None:
    """Carry out a queued run to its end and record the outcome.

    Whatever goes wrong with the sync becomes the run's outcome; nothing is raised for it. None when the run was not
    queued any more.
    """
    with database.sync_session(read_only=True) as session:
        run = session.get(Run, run_id)
    if run is None or run.state != RunState.QUEUED:
        return None
    lock = ConnectionLock.of(settings.home, run.connection_id)
    if not lock.acquire(LOCK_SECONDS):
        held = "Another process is still at work on this connection. Stop it, or wait for its end and sync again."
        ending = Ending(RunState.FAILED, error=held)
        with database.sync_session() as session:
            finish_run(session, run_id, ending, only_if=is_waiting)
        return ending
    try:
        with database.sync_session() as session:
            if not start_run(session, run_id, owner_name(settings.home, os.getpid())):
                return None
        return _execute(database, sealer, settings, run, on_progress, stop or StopRequest())
    finally:
        lock.release()


def run_connection(
    database: Database,
    sealer: Sealer,
    settings: Settings,
    connection_id: str,
    on_progress: Callable[[Progress], None] | None = None,
    stop: StopRequest | None = None,
) -> tuple[Run, Ending]:
    """Sync a connection now, in this process, and return the recorded run with its outcome.

    Raises:
        CannotRunError: The connection does not exist, or another process syncs it.
    """
    lock = ConnectionLock.of(settings.home, connection_id)
    busy = CannotRunError(f"Connection '{connection_id}' is being synced by another process. Wait for its end.")
    with database.sync_session(read_only=True) as session:
        if session.get(Connection, connection_id) is None:
            raise CannotRunError(f"Connection '{connection_id}' does not exist.")
    if not lock.acquire():
        raise busy
    try:
        # Queued and started in one transaction, so that a running server never sees it waiting and takes it.
        with database.sync_session() as session:
            run = queue_run(session, connection_id, "terminal")
            if run is None or not start_run(session, run.id, owner_name(settings.home, os.getpid())):
                raise busy
        ending = _execute(database, sealer, settings, run, on_progress, stop or StopRequest())
        with database.sync_session(read_only=True) as session:
            return session.get_one(Run, run.id), ending
    finally:
        lock.release()


def _execute(
    database: Database,
    sealer: Sealer,
    settings: Settings,
    run: Run,
    on_progress: Callable[[Progress], None] | None,
    stop: StopRequest,
) -> Ending:
    def report(progress: Progress) -> None:
        with database.sync_session() as session:
            goes_on = record_progress(
                session,
                run.id,
                rows=progress.rows,
                bytes_read=progress.bytes,
                batches=progress.batches,
                rejected=progress.rejected,
            )
        if not goes_on:  # cancelled or ended by somebody else, or its connection deleted
            stop.make(RunState.CANCELLED)
        if on_progress is not None:
            on_progress(progress)

    found: list[SourceWarning] = []
    with bind(connection_id=run.connection_id, run_id=run.id):
        log.info("sync started", trigger=run.trigger, historical=run.is_historical)
        try:
            with Heartbeat(database, run.id, stop):
                job = _job(database, sealer, settings, run)
                checkpoints = StoreCheckpoints(database, run.connection_id)
                catalog = StoreCatalog(database, sealer, run.connection_id)
                run_sync(
                    job, checkpoints, on_progress=report, stop=stop.event, catalog=catalog, on_warnings=found.extend
                )
            ending = Ending(stop.state if stop.event.is_set() else RunState.SUCCEEDED)
        except Exception as error:
            ending = _ending_of_error(error)
        ending = replace(ending, advice=[Advice(each.code, each.message, each.details, each.subject) for each in found])
        _record(database, run.id, ending, owner_name(settings.home, os.getpid()))
        log.info("sync ended", state=ending.state.value, error=ending.error)
        return ending


def _record(database: Database, run_id: str, ending: Ending, owner: str) -> None:
    with database.sync_session() as session:
        if ending.state is RunState.INTERRUPTED:
            interrupt_run(session, run_id, SERVER_STOPPED, only_if=is_waiting_or_of(owner), advice=ending.advice)
        else:
            finish_run(session, run_id, ending, only_if=is_waiting_or_of(owner))


def _job(database: Database, sealer: Sealer, settings: Settings, run: Run) -> SyncJob:
    """What the sync needs to know."""
    with database.sync_session(read_only=True) as session:
        connection = session.get_one(Connection, run.connection_id)
        destination = session.get(Destination, connection.group_id)
    if destination is None:
        raise CannotRunError(
            f"Group '{connection.group_id}' has no destination to load into. Create one with POST /v1/destinations."
        )
    warehouse_config = warehouse_for(destination.service).declaration.config
    return SyncJob(
        connection_id=connection.id,
        run_id=run.id,
        service=connection.service,
        schema=connection.schema,
        context=source_context(connection, sealer, settings),
        warehouse=destination.service,
        warehouse_config=warehouse_config.restore(destination.config, open_secrets(sealer, destination.sealed_secrets)),
        working_directory=working_directory(settings.home, connection.id),
        maximum_columns=settings.maximum_columns,
        limits=ReadLimits(rows=settings.batch_rows, bytes=settings.batch_bytes),
        concurrent_streams=settings.concurrent_streams,
        naming=naming_of(connection),
        home=home_of(settings),
    )


def _ending_of_error(error: Exception) -> Ending:
    """What an error means for the run. Errors of sources and warehouses are written for people and hold no secret;
    of any other only the kind is told, and the rest stands in the log."""
    match error:
        case SourceThrottled():
            wait = min(timedelta(seconds=max(error.retry_after_seconds, 1.0)), THROTTLE_LIMIT)
            return Ending(RunState.RESCHEDULED, error=str(error), retry_after=wait)
        case SourceConfigurationError() | WarehouseConfigurationError() | SealingError() | CannotRunError():
            return Ending(RunState.FAILED, error=str(error), needs_setup=True)
        case SourceError() | WarehouseError():
            return Ending(RunState.FAILED, error=str(error))
    log.error("sync failed unexpectedly", exc_info=error)
    return Ending(
        RunState.FAILED,
        error=f"An unexpected error ({type(error).__name__}) ended the sync; the server's log has the details. "
        "The next sync goes on at the last checkpoint.",
    )
