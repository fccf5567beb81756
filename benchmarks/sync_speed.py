"""A whole sync, through the API and a worker process into DuckDB, beside the SDK that only peeks the same messages.

Each runs on one processor, with all its threads and processes; the emulator and who measures have the others.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx
import orjson
import psutil
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from rich.console import Console
from rich.table import Table

from syncline.cli import processes

TOPIC = "measured"
SUBSCRIPTION = "syncline"
SCHEMA = "bench"
SYNC_TIMEOUT = 1800.0


@dataclass(frozen=True)
class Measured:
    """One measured pass over all messages."""

    name: str
    messages: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


def measure(console: Console, folder: Path, messages: int, size: int) -> None:
    """Publish, then peek with the SDK, sync, and peek again; print the rates and their ratio.

    The SDK is measured before and after, so that a machine whose speed drifts shows.
    """
    with ExitStack() as stack:
        with _kept_to(_others()):
            emulator = stack.enter_context(_emulator(folder))
        connection_string = emulator["connection_string"]
        console.print(f"publishing {messages:,} messages of {size:,} bytes ...")
        _publish(connection_string, messages, size)
        before = _peek_with_sdk(connection_string)
        sync, peak = _sync(folder, connection_string)
        after = _peek_with_sdk(connection_string)
    _check_rows(folder, messages)

    table = Table(show_edge=False)
    for column in ("", "messages/s", "wall s", "processor s", "µs processor a message"):
        table.add_column(column, justify="left" if not column else "right")
    for row in (before, sync, after):
        per_message = row.cpu / row.messages * 1e6
        table.add_row(row.name, f"{row.rate:,.0f}", f"{row.seconds:.2f}", f"{row.cpu:.2f}", f"{per_message:.1f}")
    console.print(table)
    ratio = sync.rate / ((before.rate + after.rate) / 2)
    console.print(f"a whole sync runs at {ratio:.2f} of the rate of the official SDK that only peeks")
    console.print(f"peak memory of the sync's worker process: {peak / 1e6:,.0f} MB")


def _emulator(folder: Path) -> Any:
    config = folder / "topology.json"
    topic: dict[str, Any] = {"Name": TOPIC, "Subscriptions": [{"Name": SUBSCRIPTION}]}
    # 20 GB: a topic that holds all messages.
    topic["Properties"] = {"MaxSizeInMegabytes": 20_480}
    config.write_bytes(orjson.dumps({"UserConfig": {"Namespaces": [{"Name": "bench", "Topics": [topic]}]}}))
    return processes.running(
        ["emulator", "--config", str(config), "--port", "0"],
        ready_file=folder / "emulator.json",
        log_file=folder / "emulator.log",
    )


def _one() -> set[int]:
    """The processor for what is measured."""
    return set(sorted(os.sched_getaffinity(0))[:1])


def _others() -> set[int]:
    """The processors for everything else; the same one where there is only one."""
    return os.sched_getaffinity(0) - _one() or _one()


@contextmanager
def _kept_to(processors: set[int]) -> Iterator[None]:
    """Keep this process to some processors; those that it starts meanwhile stay on them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _publish(connection_string: str, count: int, size: int) -> None:
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_topic_sender(TOPIC) as sender,
    ):
        batch = sender.create_message_batch()
        for message in _messages(count, size):
            try:
                batch.add_message(message)
            except ValueError:  # the batch is full
                sender.send_messages(batch)
                batch = sender.create_message_batch()
                batch.add_message(message)
        sender.send_messages(batch)


def _messages(count: int, size: int) -> Iterator[ServiceBusMessage]:
    chance = random.Random(1)
    for index in range(count):
        body: dict[str, Any] = {
            "order_id": index,
            "customer": {"id": chance.randrange(10_000), "name": "Zoë Müller", "vip": index % 10 == 0},
            "total": round(chance.uniform(1, 1000), 2),
            "currency": "EUR",
            "placed_at": "2026-01-01T12:00:00Z",
            "lines": [{"sku": f"SKU-{chance.randrange(1000)}", "quantity": 2} for _ in range(4)],
            "note": None,
            "padding": "",
        }
        body["padding"] = "x" * max(0, size - len(orjson.dumps(body)))
        yield ServiceBusMessage(orjson.dumps(body), message_id=f"message-{index}", content_type="application/json")


def _peek_with_sdk(connection_string: str) -> Measured:
    with _kept_to(_one()):
        finished = subprocess.run(
            [sys.executable, "-m", "benchmarks.sdk_peek", TOPIC, SUBSCRIPTION],
            input=connection_string,
            capture_output=True,
            text=True,
            check=True,
        )
    return Measured(name="official SDK, peek only", **orjson.loads(finished.stdout))


def _sync(folder: Path, connection_string: str) -> tuple[Measured, int]:
    """Create the connection, sync it once; return what it took and the worker's peak memory in bytes."""
    with _kept_to(_one()):
        process, state = processes.start(
            ["up", "--port", "0"],
            ready_file=folder / "server.json",
            log_file=folder / "server.log",
            environment={"SYNCLINE_HOME": str(folder / "home"), "SYNCLINE_LOG_FORMAT": "json"},
        )
    try:
        with _kept_to(_others()), _api(state["url"], folder) as api:
            _wait_until_idle(psutil.Process(process.pid))
            connection_id = _create_connection(api, folder, connection_string)
            details, cpu, peak = _watch(api, connection_id, psutil.Process(process.pid))
    finally:
        processes.stop(process)
    seconds = (_time(details["ended_at"]) - _time(details["started_at"])).total_seconds()
    return Measured("Syncline, a whole sync", details["rows"], seconds, cpu), peak


def _api(url: str, folder: Path) -> httpx.Client:
    key = orjson.loads((folder / "home" / "api-key.json").read_bytes())
    return httpx.Client(base_url=url, auth=(key["key"], key["secret"]), timeout=90)


def _create_connection(api: httpx.Client, folder: Path, connection_string: str) -> str:
    group_id = _call(api, "POST", "/v1/groups", {"name": "bench"})["id"]
    destination = {
        "group_id": group_id,
        "service": "duckdb",
        "region": "LOCAL",
        "time_zone_offset": "0",
        "config": {"path": str(folder / "warehouse.duckdb")},
    }
    _call(api, "POST", "/v1/destinations", destination)
    config = {
        "schema": SCHEMA,
        "auth_type": "ConnectionString",
        "connection_string": connection_string,
        "connection_method": "DIRECT",
        "has_manage_permissions": True,
        "subscriber_name": SUBSCRIPTION,
        "message_type": "Json",
        "sync_type": "Unpacked",
    }
    body = {"group_id": group_id, "service": "azure_service_bus", "config": config}
    connection_id: str = _call(api, "POST", "/v1/connections", body)["id"]
    return connection_id


def _call(api: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    response = api.request(method, path, json=body)
    if response.is_error:
        raise SystemExit(f"{method} {path}: {response.text}")
    data: dict[str, Any] = response.json()["data"]
    return data


def _wait_until_idle(server: psutil.Process) -> None:
    """Wait until the server has started its workers: on one processor that would be measured along with the sync."""
    before = -1.0
    for _ in range(60):
        time.sleep(1)
        times = [each.cpu_times() for each in (server, *server.children(recursive=True))]
        used = sum(each.user + each.system for each in times)
        if len(times) > 1 and used - before < 0.1:
            return
        before = used
    raise SystemExit("the server did not come to rest")


def _watch(api: httpx.Client, connection_id: str, server: psutil.Process) -> tuple[dict[str, Any], float, int]:
    """Wait for the first sync; return its details, its worker's processor seconds and peak memory.

    Every worker of the server is watched; the one that did the sync is the one that used the most processor time.
    """
    cpu: dict[int, float] = {}
    peak: dict[int, int] = {}
    deadline = time.monotonic() + SYNC_TIMEOUT
    while time.monotonic() < deadline:
        for worker in server.children(recursive=True):
            try:
                times = worker.cpu_times()
                cpu[worker.pid] = times.user + times.system
                peak[worker.pid] = max(peak.get(worker.pid, 0), worker.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
        connection = _call(api, "GET", f"/v1/connections/{connection_id}")
        details: dict[str, Any] = connection["source_sync_details"]
        if connection["failed_at"]:
            raise SystemExit(f"the sync failed: {details['error']}")
        if connection["succeeded_at"]:
            busiest = max(cpu, key=lambda pid: cpu[pid])
            return details, cpu[busiest], peak[busiest]
        time.sleep(0.1)
    raise SystemExit(f"the sync had not finished after {SYNC_TIMEOUT:g} seconds")


def _check_rows(folder: Path, messages: int) -> None:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        row = connection.execute(f"SELECT count(*), count(DISTINCT message_id) FROM {SCHEMA}.{TOPIC}").fetchone()
    if row != (messages, messages):
        raise SystemExit(f"the warehouse holds {row} rows and distinct keys instead of {messages}")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
