"""The worker program with a sync that does what its connection's config says, for tests of the engine.

`config` of the connection is a script: `batches` (of ten rows each), `pause` (seconds before each), `then`
(`succeed`, `fail`, `misconfigured`, `throttle`, `break`, `crash`, `hang`), and `trace`, a file that gets a line for
each thing that happens, with the process that did it.

What takes long to import (the SDK, DuckDB, dlt) is replaced, so that a worker starts in half a second.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

from syncline.connectors.errors import SourceConfigurationError, SourceThrottled, SourceUnavailable
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Cursor

ROWS = 10


@dataclass
class Progress:
    rows: int
    bytes: int
    batches: int
    rejected: int
    stream: str


class Checkpoints:
    def __init__(self, database: Database, connection_id: str) -> None:
        self.database = database
        self.connection_id = connection_id

    def done(self) -> int:
        with self.database.sync_session(read_only=True) as session:
            cursor = session.get(Cursor, (self.connection_id, "stream"))
            return 0 if cursor is None else int(cursor.position["batches"])

    def save(self, done: int) -> None:
        with self.database.sync_session() as session:
            session.merge(Cursor(connection_id=self.connection_id, stream="stream", position={"batches": done}))


class Script:
    """What the config says."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.batches: int = config.get("batches", 1)
        self.pause: float = config.get("pause", 0.0)
        self.then: str = config.get("then", "succeed")
        self.trace: str = config["trace"]

    def note(self, event: str) -> None:
        with Path(self.trace).open("a") as file:
            file.write(f"{event} {os.getpid()}\n")


def script_of(connection: Connection, _sealer: object, _settings: Settings) -> Script:
    return Script(connection.config)


def run_script(
    job: SimpleNamespace, checkpoints: Checkpoints, *, on_progress: Callable[[Progress], None], stop: Event, **_: object
) -> None:
    script: Script = job.context
    done, written = checkpoints.done(), 0
    script.note(f"begin {done}")
    if any(thread.name == "heartbeat" for thread in threading.enumerate()):
        script.note("heartbeat")
    while done < script.batches and not stop.is_set():
        time.sleep(script.pause)
        done, written = done + 1, written + 1
        script.note(f"batch {done}")
        checkpoints.save(done)
        on_progress(Progress(written * ROWS, written * 100, written, 0, "stream"))
    if not stop.is_set():
        script.note(script.then)
        _end(script.then)
    script.note("end")


def _end(then: str) -> None:
    match then:
        case "fail":
            raise SourceUnavailable("The namespace does not answer.", "Check the network.")
        case "misconfigured":
            raise SourceConfigurationError("The key is refused.", "Send another.")
        case "throttle":
            raise SourceThrottled("The namespace is busy.", retry_after_seconds=120)
        case "break":
            raise ZeroDivisionError("hunter2")
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            time.sleep(600)


def _replace(name: str, **contents: Any) -> None:
    module = ModuleType(name)
    module.__dict__.update(contents)
    sys.modules[name] = module


if __name__ == "__main__":
    warehouse = SimpleNamespace(declaration=SimpleNamespace(config=SimpleNamespace(restore=lambda *_: None)))
    _replace("syncline.connectors.base", ReadLimits=SimpleNamespace, SourceWarning=object)
    _replace(
        "syncline.engine.context",
        home_of=lambda _: None,
        source_context=script_of,
        open_secrets=lambda *_: {},
        naming_of=lambda _: None,
        working_directory=lambda *_: None,
    )
    _replace("syncline.sync.catalog", StoreCatalog=lambda *_: None)
    _replace("syncline.sync.checkpoints", StoreCheckpoints=Checkpoints)
    _replace("syncline.sync.run", Progress=Progress, SyncJob=SimpleNamespace, run_sync=run_script)
    _replace("syncline.warehouses.registry", warehouse_for=lambda _: warehouse)
    from syncline.engine import worker_process

    worker_process.run()
