"""The program that runs the setup tests of one destination: `python -m syncline.destinations.check_process`.

A destination is opened in a process of its own and never in the server's: what goes wrong there (a file that blocks
whoever opens it, a driver that crashes or waits for ever) ends with the process, and closing a file there drops none of
the locks that keep the server's store whole. It reads one task from standard input, writes the results to standard
output and ends; when standard input ends before, the server is gone or waits no longer, and it ends at once.
"""

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import structlog

from syncline.engine.children import lines
from syncline.home import Home
from syncline.logs import configure_logging
from syncline.networking import HostPolicy
from syncline.settings import Settings
from syncline.warehouses.registry import warehouse_for

COMMAND = (sys.executable, "-m", "syncline.destinations.check_process")


@dataclass(frozen=True, slots=True)
class CheckTask:
    """What to test."""

    service: str
    config: dict[str, Any]
    """The whole config, secrets included."""
    home: str
    """The server's home folder, whose files are no destinations."""
    store_file: str | None
    allowed_hosts: str | None
    private_hosts: bool
    log_format: str
    log_level: str

    def encode(self) -> bytes:
        """The task as a line, with its line feed."""
        return json.dumps(asdict(self)).encode() + b"\n"

    def __repr__(self) -> str:
        return f"CheckTask(service={self.service!r})"


def run() -> NoReturn:
    """Carry out one task and end at once, whatever threads a driver has left behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when this ends
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not look like an answer
    received = lines(sys.stdin.fileno())
    task = CheckTask(**json.loads(next(received)))
    settings = Settings(
        allowed_hosts=task.allowed_hosts,
        private_hosts=task.private_hosts,
        log_format=task.log_format,
        log_level=task.log_level,
    )
    configure_logging(settings)
    threading.Thread(target=_end_with_input, args=(received,), name="input", daemon=True).start()
    try:
        home = Home(Path(task.home), Path(task.store_file) if task.store_file else None)
        warehouse = warehouse_for(task.service, home, HostPolicy.of(settings))
        results = warehouse.check(warehouse.declaration.config.restore(task.config))
        code = 0
        with os.fdopen(answers, "wb") as file:
            file.write(json.dumps([asdict(result) for result in results]).encode())
    except Exception:
        structlog.get_logger(__name__).exception(
            "the setup tests of a destination failed unexpectedly", service=task.service
        )
        code = 1
    logging.shutdown()
    os._exit(code)


def _end_with_input(received: Iterator[bytes]) -> None:
    for _ in received:
        pass
    os._exit(1)


if __name__ == "__main__":
    run()
