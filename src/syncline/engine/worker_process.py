"""The program of a worker process: `python -m syncline.engine.worker_process`, started by the local executor.

It imports everything, waits for its one job on standard input, carries it out and exits. When standard input ends, the
server is gone and the worker ends at once, without cleaning up: what it had not checkpointed is read again.
"""

import importlib
import logging
import os
import queue
import signal
import sys
import threading
from typing import NoReturn

import structlog

from syncline.engine.children import lines
from syncline.engine.messages import Job, decode
from syncline.engine.stopping import StopRequest
from syncline.logs import configure_logging
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.sealing import load_sealer


class Inbox:
    """What the server sends, read in a thread of its own so that its end is noticed whatever else goes on."""

    def __init__(self) -> None:
        self._settings: queue.SimpleQueue[Settings] = queue.SimpleQueue()
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.stop = StopRequest()

    def listen(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def settings(self) -> Settings:
        """The settings, once they have come."""
        return self._settings.get()

    def job(self) -> Job:
        """The job, once it has come."""
        return self._jobs.get()

    def _read(self) -> None:
        for line in lines(sys.stdin.fileno()):
            message = decode(line)
            if isinstance(message, Settings):
                self._settings.put(message)
            elif isinstance(message, Job):
                self._jobs.put(message)
            else:
                self.stop.make(message.state)
        os._exit(0)


def main() -> None:
    """Carry out one job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when a worker ends
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not look like an answer
    inbox = Inbox()
    inbox.listen()
    settings = inbox.settings()
    configure_logging(settings)
    worker = importlib.import_module("syncline.engine.worker")  # takes seconds, so it comes before the job does
    job = inbox.job()
    database = Database(settings.store_url)
    try:
        worker.execute_run(database, load_sealer(settings), settings, job.run_id, stop=inbox.stop)
    finally:
        database.close_sync()


def run() -> NoReturn:
    """Carry out one job and end at once: everything that matters is in the store by then, and a library's thread that
    waits for the network would hold up an ordinary exit by seconds."""
    code = 0
    try:
        main()
    except Exception:
        structlog.get_logger(__name__).exception("worker failed")
        code = 1
    logging.shutdown()
    os._exit(code)


if __name__ == "__main__":
    run()
