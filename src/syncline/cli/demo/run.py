"""The story that `syncline demo` tells: publish, connect, sync, publish more, sync again, compare."""

import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from rich.console import Console
from rich.json import JSON
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from syncline.cli.demo import show
from syncline.cli.demo.compare import Comparison, compare
from syncline.cli.demo.messages import TOPICS, DemoMessage, demo_messages
from syncline.cli.demo.publish import publish
from syncline.cli.processes import running

SCHEMA = "service_bus"
FIRST_MESSAGES = 5000
MORE_MESSAGES = 1000
SYNC_TIMEOUT = 300.0
"""Seconds that the demo waits for one sync."""


class DemoFailedError(Exception):
    """The demo could not go on; the text says why."""


@dataclass
class Demo:
    """A demo under way: where its state is, and the running server and emulator."""

    console: Console
    folder: Path
    emulator: Mapping[str, str]
    api: httpx.Client

    @property
    def database(self) -> Path:
        return self.folder / "warehouse.duckdb"


def run_demo(console: Console, folder: Path) -> Comparison:
    """Run the whole demo with its state in `folder` and return what the comparison found.

    Raises `DemoFailedError`, or `ProcessFailedError` when the server or the emulator do not start.
    """
    _empty(folder)
    with ExitStack() as stack:
        show.step(console, "Starting the Service Bus emulator and the Syncline server")
        emulator = stack.enter_context(_emulator(folder))
        server = stack.enter_context(_server(folder))
        console.print(f"  emulator  {emulator['connection_string'].split(';')[0]}")
        console.print(f"  server    {server['url']}")
        api = stack.enter_context(_api(server["url"], folder))
        demo = Demo(console, folder, emulator, api)

        first = _publish(demo, start=0, count=FIRST_MESSAGES)
        connection = _create_connection(demo)
        _watch_sync(demo, connection["id"], since=None, total=FIRST_MESSAGES)
        show.tables(console, demo.database, SCHEMA, TOPICS)

        more = _publish(demo, start=FIRST_MESSAGES, count=MORE_MESSAGES)
        _sync_again(demo, connection["id"])
        show.tables(console, demo.database, SCHEMA, TOPICS, preview=False)
        show.next_commands(console, demo.database, SCHEMA)
    return compare(demo.database, SCHEMA, [*first, *more])


def _empty(folder: Path) -> None:
    """Make `folder` and empty it, if it is a demo's; anyone else's folder is left alone."""
    marker = folder / ".syncline-demo"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise DemoFailedError(f"{folder} holds other files; give the demo an empty folder with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    marker.touch()


def _emulator(folder: Path) -> AbstractContextManager[dict[str, str]]:
    topology = Path(__file__).with_name("topology.json")
    return running(
        ["emulator", "--config", str(topology), "--port", "0"],
        ready_file=folder / "emulator.json",
        log_file=folder / "emulator.log",
    )


def _server(folder: Path) -> AbstractContextManager[dict[str, str]]:
    return running(
        ["up", "--port", "0"],
        ready_file=folder / "server.json",
        log_file=folder / "server.log",
        environment={"SYNCLINE_HOME": str(folder / "home"), "SYNCLINE_LOG_FORMAT": "json"},
    )


def _api(url: str, folder: Path) -> httpx.Client:
    key = orjson.loads((folder / "home" / "api-key.json").read_bytes())
    headers = {"Accept": "application/json;version=2"}
    return httpx.Client(base_url=url, headers=headers, auth=(key["key"], key["secret"]), timeout=90)


def _publish(demo: Demo, start: int, count: int) -> list[DemoMessage]:
    show.step(demo.console, f"Publishing {count:,} messages to {', '.join(TOPICS)} with the azure-servicebus SDK")
    messages = list(demo_messages(start, count, FIRST_MESSAGES))
    started = time.monotonic()
    accepted = publish(demo.emulator["connection_string"], messages)
    demo.console.print(f"  {accepted:,} accepted in {time.monotonic() - started:.1f} s")
    return messages


def _create_connection(demo: Demo) -> dict[str, Any]:
    show.step(demo.console, "Creating a group, a DuckDB destination and the connection")
    group = _call(demo, "POST", "/v1/groups", {"name": "demo"})
    destination = {
        "group_id": group["id"],
        "service": "duckdb",
        "region": "LOCAL",
        "time_zone_offset": "0",
        "config": {"path": str(demo.database.absolute())},
    }
    _call(demo, "POST", "/v1/destinations", destination)
    request = _connection_request(group["id"], demo.emulator["connection_string"])
    demo.console.print("POST /v1/connections", style="bold")
    demo.console.print(JSON(orjson.dumps(show.without_secrets(request)).decode()))
    connection = _call(demo, "POST", "/v1/connections", request)
    show.setup_tests(demo.console, connection)
    if connection["status"]["setup_state"] != "connected":
        raise DemoFailedError("the connection's setup tests did not pass")
    return connection


def _connection_request(group_id: str, connection_string: str) -> dict[str, Any]:
    return {
        "group_id": group_id,
        "service": "azure_service_bus",
        "trust_certificates": True,
        "trust_fingerprints": True,
        "run_setup_tests": True,
        "paused": False,
        "pause_after_trial": False,
        "sync_frequency": 1440,
        "data_delay_sensitivity": "NORMAL",
        "data_delay_threshold": 0,
        "daily_sync_time": "14:00",
        "schedule_type": "auto",
        "networking_method": "Directly",
        "config": {
            "schema": SCHEMA,
            "auth_type": "ConnectionString",
            "connection_string": connection_string,
            "connection_method": "DIRECT",
            "has_manage_permissions": True,
            "subscriber_name": "syncline",
            "message_type": "Json",
            "sync_type": "Unpacked",
        },
    }


def _sync_again(demo: Demo, connection_id: str) -> None:
    show.step(demo.console, f"Syncing again: POST /v1/connections/{connection_id}/sync")
    since = _call(demo, "GET", f"/v1/connections/{connection_id}")["succeeded_at"]
    _call(demo, "POST", f"/v1/connections/{connection_id}/sync", {"force": False})
    details = _watch_sync(demo, connection_id, since=since, total=MORE_MESSAGES)
    demo.console.print(f"  this sync read {details['rows']:,} messages: only the new ones")
    if details["rows"] != MORE_MESSAGES:
        raise DemoFailedError(f"the second sync read {details['rows']:,} messages instead of {MORE_MESSAGES:,}")


def _watch_sync(demo: Demo, connection_id: str, since: str | None, total: int) -> dict[str, Any]:
    """Show a progress bar until `succeeded_at` moves past `since`; return the run's details."""
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    deadline = time.monotonic() + SYNC_TIMEOUT
    with Progress(*columns, console=demo.console) as progress:
        task = progress.add_task("syncing", total=total)
        while time.monotonic() < deadline:
            connection = _call(demo, "GET", f"/v1/connections/{connection_id}")
            details: dict[str, Any] = connection["source_sync_details"]
            if connection["failed_at"] is not None:
                raise DemoFailedError(f"the sync failed: {details.get('error')}")
            if connection["succeeded_at"] not in (None, since):
                progress.update(task, completed=details["rows"])
                return details
            progress.update(task, completed=details.get("rows", 0) if details.get("state") == "running" else 0)
            time.sleep(0.1)
    raise DemoFailedError(f"the sync had not finished after {SYNC_TIMEOUT:g} seconds")


def _call(demo: Demo, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    response = demo.api.request(method, path, json=body)
    answer: dict[str, Any] = response.json()
    if response.is_error:
        raise DemoFailedError(f"{method} {path} answered {response.status_code} {answer['code']}: {answer['message']}")
    data: dict[str, Any] = answer.get("data") or {}
    return data
