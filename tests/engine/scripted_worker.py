"""The worker program with a sync that does what its connection's config says, for tests of the engine.

`config` of the connection is a script: `batches` (of ten rows each), `pause` (seconds before each), `then`
(`succeed`, `fail`, `misconfigured`, `throttle`, `break`, `crash`, `hang`), and `trace`, a file that gets a line for
each thing that happens, with the process that did it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from syncline.sync.run import Progress, SyncJob, SyncOutcome

from syncline.connectors.errors import SourceConfigurationError, SourceThrottled, SourceUnavailable
from syncline.engine import worker, worker_process
from syncline.settings import Settings
from syncline.store.models import Connection
from syncline.store.sealing import Sealer

ROWS = 10


class Script:
    """What the config says."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.batches = config.get("batches", 1)
        self.pause = config.get("pause", 0.0)
        self.then = config.get("then", "succeed")
        self.trace = config.get("trace")

    def note(self, event: str) -> None:
        if self.trace is not None:
            with Path(self.trace).open("a") as file:
                file.write(f"{event} {os.getpid()}\n")


def script_of(connection: Connection, _sealer: Sealer, _settings: Settings) -> Any:
    return Script(connection.config)


def run_script(job: SyncJob, checkpoints: Any, *, on_progress: Callable[[Progress], None], stop: Event) -> SyncOutcome:
    script: Any = job.context
    done = checkpoints.positions().get("stream", {"batches": 0})["batches"]
    script.note(f"begin {done}")
    written = 0
    while done < script.batches and not stop.is_set():
        time.sleep(script.pause)
        done, written = done + 1, written + 1
        script.note(f"batch {done}")
        checkpoints.save("stream", {"batches": done})
        on_progress(Progress(rows=written * ROWS, bytes=written * 100, batches=written, rejected=0, stream="stream"))
    if not stop.is_set():
        _end(script.then)
    script.note("end")
    return SyncOutcome(rows=written * ROWS, bytes=written * 100, batches=written, rejected=0, streams={}, warnings=())


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


if __name__ == "__main__":
    worker.source_context = script_of
    worker.run_sync = run_script
    sys.exit(worker_process.main())
