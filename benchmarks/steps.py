"""Each format and step of a sync, beside a plain script that does the same with the official SDK, `json` and dlt."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from rich.console import Console
from rich.table import Table

from benchmarks.documents import Format, formats, order
from benchmarks.step_pass import STEPS
from syncline.cli import processes
from tests.support.schema_registry import KEY, SECRET, SchemaRegistryServer

SUBSCRIPTION = "syncline"
_COMPARED = "json-unpacked"
"""The format that the plain script reads."""


def measure(console: Console, folder: Path, sizes: Sequence[int], names: Sequence[str]) -> None:
    """Publish, make a pass for each format and number of messages, and print what each took."""
    with SchemaRegistryServer() as registry:
        chosen = [
            each
            for each in formats(lambda subject, entry: registry.register(subject, dict(entry)).number)
            if not names or each.name in names
        ]
        with _emulator(folder, chosen) as connection_string:
            for each in chosen:
                console.print(f"publishing {max(sizes):,} messages to {each.name} ...")
                _publish(connection_string, each, max(sizes))
            passes = [
                (each, size, _pass("step_pass", _task(folder, connection_string, registry.url, each, size)))
                for size in sizes
                for each in chosen
            ]
            plain = [
                (size, _pass("plain_script", _task(folder, connection_string, registry.url, each, size)))
                for size in sizes
                for each in chosen
                if each.name == _COMPARED
            ]
    _print_steps(console, passes)
    _print_ratios(console, passes, plain)


@contextmanager
def _emulator(folder: Path, chosen: Sequence[Format]) -> Iterator[str]:
    topics = [
        {
            "Name": each.name,
            "Subscriptions": [{"Name": SUBSCRIPTION}],
            "Properties": {"MaxSizeInMegabytes": 20_480},
        }
        for each in chosen
    ]
    config = folder / "topology.json"
    config.write_bytes(orjson.dumps({"UserConfig": {"Namespaces": [{"Name": "bench", "Topics": topics}]}}))
    with processes.running(
        ["emulator", "--config", str(config), "--port", "0"],
        ready_file=folder / "emulator.json",
        log_file=folder / "emulator.log",
    ) as state:
        yield state["connection_string"]


def _publish(connection_string: str, chosen: Format, count: int) -> None:
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_topic_sender(chosen.name) as sender,
    ):
        for start in range(0, count, 200):
            sender.send_messages(
                [
                    ServiceBusMessage(chosen.encode(order(index)), message_id=f"message-{index}")
                    for index in range(start, min(start + 200, count))
                ]
            )


def _task(folder: Path, connection_string: str, registry: str, chosen: Format, size: int) -> dict[str, Any]:
    config: dict[str, Any] = {
        "schema": "bench",
        "connection_string": connection_string,
        "topics": [chosen.name],
        "subscriber_name": SUBSCRIPTION,
        "message_type": chosen.message_type,
        "sync_type": chosen.sync_type,
    }
    if chosen.message_type in ("Avro", "Protobuf"):
        config |= {
            "schema_registry_urls": [registry],
            "schema_registry_key": KEY,
            "schema_registry_secret": SECRET,
        }
    return {"topic": chosen.name, "messages": size, "config": config, "folder": str(folder / "work")}


def _pass(module: str, task: dict[str, Any]) -> dict[str, Any]:
    """Run a pass in a process of its own, into a new warehouse."""
    path = Path(task["folder"]).with_name(f"{module}.duckdb")
    path.unlink(missing_ok=True)
    finished = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}"],
        input=orjson.dumps({**task, "warehouse": "duckdb", "destination": {"path": str(path)}}),
        stdout=subprocess.PIPE,
        env={**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false"},
        check=True,
    )
    measured: dict[str, Any] = orjson.loads(finished.stdout.splitlines()[-1])
    if measured["messages"] < task["messages"]:
        raise SystemExit(f"{module} found {measured['messages']:,} of {task['messages']:,} messages")
    return measured


def _print_steps(console: Console, passes: Sequence[tuple[Format, int, dict[str, Any]]]) -> None:
    table = Table(show_edge=False, title="µs of processor time a message")
    for column in ("format", "messages", *STEPS, "decode + shape + load", "messages/s", "peak MB"):
        table.add_column(column, justify="left" if column == "format" else "right")
    for chosen, _, measured in passes:
        cost = {step: measured["processor"][step] / measured["messages"] * 1e6 for step in STEPS}
        table.add_row(
            chosen.name,
            f"{measured['messages']:,}",
            *(f"{cost[step]:.1f}" for step in STEPS),
            f"{sum(cost.values()) - cost['read']:.1f}",
            f"{measured['messages'] / sum(measured['wall'].values()):,.0f}",
            f"{measured['peak'] / 1e6:,.0f}",
        )
    console.print(table)


def _print_ratios(
    console: Console,
    passes: Sequence[tuple[Format, int, dict[str, Any]]],
    plain: Sequence[tuple[int, dict[str, Any]]],
) -> None:
    """The plain script does its steps one after the other too, so that wall times compare."""
    for size, script in plain:
        measured = next(each for chosen, of, each in passes if of == size and chosen.name == _COMPARED)
        ours = measured["messages"] / sum(measured["wall"].values())
        theirs = script["messages"] / script["wall"]
        our_cost = sum(measured["processor"].values()) / measured["messages"]
        cost = script["processor"] / script["messages"]
        console.print(
            f"{size:,} messages of {_COMPARED}: a plain script (official SDK, json, dlt) does {theirs:,.0f} messages/s "
            f"at {cost * 1e6:.0f} µs of processor time each; the steps do {ours:,.0f}, {ours / theirs:.2f} times as "
            f"many, at {our_cost * 1e6:.0f} µs, {our_cost / cost:.2f} of the cost",
            soft_wrap=True,
        )
