"""A run's signs of life, and what its process learns in return."""

import threading
import time
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from syncline.engine.runs import renew
from syncline.engine.stopping import StopRequest
from syncline.store.database import Database
from syncline.store.models import RunState

INTERVAL = 5.0
"""Seconds between two signs of life."""

LEASE = 60.0
"""Seconds without one after which other servers take the process of a run for dead."""

log = structlog.get_logger(__name__)


class Heartbeat:
    """Renews a run's lease from a thread, also while a load or a request takes long. Use it as a context manager.

    The run is asked to stop when the store says so: it was cancelled, perhaps by another server, or has been taken
    for dead. It is asked too when the lease could not be renewed in time, since others may go on with it then.
    """

    def __init__(
        self, database: Database, run_id: str, stop: StopRequest, interval: float = INTERVAL, lease: float = LEASE
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._stop = stop
        self._interval = interval
        self._lease = lease
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        renewed = time.monotonic()
        while not self._ended.wait(self._interval):
            try:
                with self._database.sync_session() as session:
                    goes_on = renew(session, self._run_id)
            except SQLAlchemyError as error:
                log.warning("run could not show that it lives; it tries again", run_id=self._run_id, error=str(error))
                if time.monotonic() - renewed > self._lease:
                    self._stop.make(RunState.INTERRUPTED)
                continue
            renewed = time.monotonic()
            if not goes_on:
                self._stop.make(RunState.CANCELLED)
