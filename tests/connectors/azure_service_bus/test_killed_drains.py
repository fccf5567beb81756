"""Syncs that drain and are killed: what they had locked comes again, and merges."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
from azure.servicebus import ServiceBusMessage

from syncline.emulator.descriptions import SubscriptionDescription, TopicDescription
from syncline.emulator.emulator import EmulatorThread
from tests.connectors.azure_service_bus.conftest import SUBSCRIPTION, Publish

MESSAGES = 1200
KILLS = 2
ONE_SYNC = """
import sys, threading
from pathlib import Path
from syncline.connectors.azure_service_bus import drain
from syncline.connectors.base import ReadLimits
from syncline.sync.run import SyncJob, run_sync
from syncline.warehouses.duckdb import DuckdbConfig
from tests.connectors.azure_service_bus.conftest import SUBSCRIPTION, context_for
from tests.sync.fakes import MemoryCheckpoints

drain.EMPTY_AFTER = 0.5
folder = Path(sys.argv[2])
config = DuckdbConfig.parse({"path": str(folder / "warehouse.duckdb")})
context = context_for(sys.argv[1], topics=["mortal"], subscriber_name=SUBSCRIPTION, read_mode="Drain")
limits = ReadLimits(rows=200)
job = SyncJob("c", "r", "azure_service_bus", "bus", context, "duckdb", config, folder / "work", limits)
run_sync(job, MemoryCheckpoints(), on_progress=lambda p: print(p.rows, flush=True), stop=threading.Event())
"""


def test_nothing_is_lost_or_doubled(tmp_path: Path, emulator: EmulatorThread, publish: Publish) -> None:
    def make(namespace: Any) -> None:
        namespace.create_topic(TopicDescription("mortal"))
        namespace.create_subscription(
            SubscriptionDescription("mortal", SUBSCRIPTION, lock_duration=timedelta(seconds=2))
        )

    emulator.call(make)
    for start in range(0, MESSAGES, 400):
        publish([ServiceBusMessage(b'{"n": 1}', message_id=f"m{n}") for n in range(start, start + 400)], to="mortal")
    kills = 0
    deadline = time.monotonic() + 90
    while _left(emulator) and time.monotonic() < deadline:
        sync = subprocess.Popen(
            [sys.executable, "-c", ONE_SYNC, emulator.connection_string("Listen"), str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert sync.stdout is not None
        if kills < KILLS:
            sync.stdout.readline()  # the first load is done, more is locked
            os.kill(sync.pid, signal.SIGKILL)
            kills += 1
        sync.communicate(timeout=60)
        if kills >= KILLS:
            time.sleep(0.5)
    assert kills == KILLS
    assert _left(emulator) == 0
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        counted = connection.execute("SELECT count(*), count(DISTINCT message_id) FROM bus.mortal").fetchone()
    assert counted == (MESSAGES, MESSAGES)


def _left(emulator: EmulatorThread) -> int:
    return emulator.call(lambda namespace: len(namespace.topic("mortal").subscription(SUBSCRIPTION).store))
