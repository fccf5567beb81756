"""A soak: mixed formats over ten topics, with changing types, cut connections, throttling and kills of the server.

The server is killed with SIGKILL again and again while it syncs and while more is published. In the end every message
that was published is looked for in the destination.
"""

import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psutil
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSender
from azure.servicebus.exceptions import ServiceBusError
from rich.console import Console
from rich.table import Table

from benchmarks.soak_check import Found, compare
from benchmarks.soak_messages import Topic, topics
from syncline.cli import processes
from tests.e2e.product import Faults, Server, connection_body, wait_until
from tests.support.schema_registry import KEY, SECRET, SchemaRegistryServer

SUBSCRIPTION = "syncline"
MOST_MEMORY = 500_000_000
"""Bytes that no process of the server may go beyond."""
SYNC_TIMEOUT = 1800.0
_SEND_ATTEMPTS = 20


@dataclass
class Memory:
    """Watches the memory of the server and its workers."""

    server: Server
    largest: int = 0
    """Most bytes of one process."""
    together: int = 0
    """Most bytes of all processes together."""
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch until the block ends."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.25):
            sizes = []
            with suppress(psutil.NoSuchProcess):
                process = self.server.process
                if process is not None:
                    root = psutil.Process(process.pid)
                    for each in (root, *root.children(recursive=True)):
                        with suppress(psutil.NoSuchProcess):
                            sizes.append(each.memory_info().rss)
            self.largest = max(self.largest, *sizes, 0)
            self.together = max(self.together, sum(sizes))


class Soak:
    """A soak under way."""

    def __init__(self, console: Console, folder: Path, messages: int, kills: int) -> None:
        self._console = console
        self._folder = folder
        self._kills = kills
        self._chance = random.Random(7)
        self._registry = SchemaRegistryServer()
        self.topics = topics(lambda subject, entry: self._registry.register(subject, dict(entry)).number)
        self._total = max(1, messages // len(self.topics))
        """Messages of each topic."""
        self._published = 0
        """Messages of each topic that are in Service Bus."""
        self._connections: list[str] = []

    def run(self) -> bool:
        """Run it, print what was found, and return whether it is as it should be."""
        began = time.monotonic()
        server = Server(self._folder, {"SYNCLINE_SCHEDULER_INTERVAL": "0.2"})
        memory = Memory(server)
        with self._registry, self._emulator() as connection_string, memory.watched():
            server.start()
            try:
                self._create(server, connection_string)
                faults = Faults(connection_string)
                for kill in range(self._kills):
                    self._round(server, connection_string, faults, kill)
                self._publish(connection_string, self._total)
                faults.clear()
                self._finish(server)
            finally:
                server.stop()
        found = {
            topic.name: compare(self._folder / "warehouse.duckdb", _schema(topic), topic, self._total)
            for topic in self.topics
        }
        return self._report(found, memory, time.monotonic() - began)

    @contextmanager
    def _emulator(self) -> Iterator[str]:
        entities = [
            {
                "Name": topic.name,
                "Subscriptions": [{"Name": SUBSCRIPTION}],
                "Properties": {"MaxSizeInMegabytes": 20_480},
            }
            for topic in self.topics
        ]
        config = self._folder / "topology.json"
        config.write_bytes(orjson.dumps({"UserConfig": {"Namespaces": [{"Name": "soak", "Topics": entities}]}}))
        with processes.running(
            ["emulator", "--config", str(config), "--port", "0"],
            ready_file=self._folder / "emulator.json",
            log_file=self._folder / "emulator.log",
        ) as state:
            yield state["connection_string"]

    def _create(self, server: Server, connection_string: str) -> None:
        """A connection for each kind of message: the kind is a connection's."""
        group_id = server.create_group("duckdb", {"path": str(self._folder / "warehouse.duckdb")})
        by_schema: dict[str, list[Topic]] = {}
        for topic in self.topics:
            by_schema.setdefault(_schema(topic), []).append(topic)
        for schema, members in by_schema.items():
            config: dict[str, Any] = {
                "subscriber_name": SUBSCRIPTION,
                "topics": [topic.name for topic in members],
                "message_type": members[0].message_type,
                "sync_type": members[0].sync_type,
            }
            if members[0].message_type in ("Avro", "Protobuf"):
                config |= {
                    "schema_registry_urls": [self._registry.url],
                    "schema_registry_key": KEY,
                    "schema_registry_secret": SECRET,
                }
            created = server.call(
                "POST", "/v1/connections", connection_body(group_id, connection_string, schema, **config)
            )
            if created["status"]["setup_state"] != "connected":
                raise SystemExit(f"the connection of {schema} is not connected: {created['setup_tests']}")
            self._connections.append(created["id"])

    def _round(self, server: Server, connection_string: str, faults: "Faults", kill: int) -> None:
        """Publish a part while the server syncs and things go wrong, and kill the server."""
        part = self._total * (kill + 1) // (self._kills + 1)
        publishing = threading.Thread(target=self._publish, args=(connection_string, part))
        publishing.start()
        self._start_syncs(server)
        time.sleep(self._chance.uniform(0.5, 4))
        faults.apply({"fault": "drop_connections"})
        if kill % 2:
            entity = self._chance.choice(self.topics).name
            faults.apply({"fault": "throttle", "entity": entity, "seconds": 2})
        self._start_syncs(server)
        time.sleep(self._chance.uniform(0, 2))
        states = self._states(server)
        server.kill()
        publishing.join()
        syncing = sum(state == "syncing" for state in states.values())
        self._console.print(
            f"kill {kill + 1}: {syncing} connections were syncing, {part * len(self.topics):,} published"
        )
        server.start()

    def _start_syncs(self, server: Server) -> None:
        """Start a sync of each connection that has none under way, and wait until one is."""
        for connection_id in self._connections:
            server.call("POST", f"/v1/connections/{connection_id}/sync", {"force": False})
        wait_until(lambda: "syncing" in self._states(server).values(), 60, "a sync to start")

    def _states(self, server: Server) -> dict[str, str]:
        return {
            connection_id: server.call("GET", f"/v1/connections/{connection_id}")["status"]["sync_state"]
            for connection_id in self._connections
        }

    def _publish(self, connection_string: str, until: int) -> None:
        """Publish what each topic lacks of its first `until` messages."""
        with ServiceBusClient.from_connection_string(connection_string) as client:
            for topic in self.topics:
                with client.get_topic_sender(topic.name) as sender:
                    self._send(sender, topic, range(self._published, until))
        self._published = until

    def _send(self, sender: ServiceBusSender, topic: Topic, numbers: range) -> None:
        batch: list[ServiceBusMessage] = []
        for number in numbers:
            batch.append(
                ServiceBusMessage(topic.message_body(number, self._total), message_id=topic.message_id(number))
            )
            if len(batch) == 200:
                _send_surely(sender, batch)
                batch = []
        if batch:
            _send_surely(sender, batch)

    def _finish(self, server: Server) -> None:
        """Sync every connection until a sync that began after all was published has succeeded."""
        for connection_id in self._connections:
            path = f"/v1/connections/{connection_id}"
            wait_until(
                lambda path=path: server.call("GET", path)["status"]["sync_state"] == "scheduled",  # type: ignore[misc]
                SYNC_TIMEOUT,
                "the syncs under way to end",
            )
            before = server.call("GET", path)["succeeded_at"]
            server.call("POST", f"{path}/sync", {"force": False})
            server.wait_for_sync(connection_id, since=before, timeout=SYNC_TIMEOUT)

    def _report(self, found: Mapping[str, Found], memory: Memory, seconds: float) -> bool:
        table = Table(show_edge=False)
        for column in ("topic", "published", "rows", "rejected", "lost", "duplicated", "changed"):
            table.add_column(column, justify="left" if column == "topic" else "right")
        for name, of in found.items():
            counts = (of.published, of.rows, of.rejected, of.lost, of.duplicated, of.changed)
            table.add_row(name, *(f"{count:,}" for count in counts))
        self._console.print(table)
        totals = {
            name: sum(getattr(of, name) for of in found.values())
            for name in ("published", "rejected", "lost", "duplicated", "changed")
        }
        self._console.print(
            f"soak: {totals['published']:,} messages in {len(found)} topics, {totals['rejected']:,} rejected, "
            f"{totals['lost']:,} lost, {totals['duplicated']:,} duplicated, {totals['changed']:,} changed, "
            f"peak RSS {memory.largest / 1e6:,.0f} MB a process ({memory.together / 1e6:,.0f} MB together), "
            f"{self._kills} kills, {seconds:,.0f} s",
            soft_wrap=True,
        )
        return all(of.is_complete for of in found.values()) and memory.largest <= MOST_MEMORY


def _schema(topic: Topic) -> str:
    return f"{topic.message_type}_{topic.sync_type}".lower()


def _send_surely(sender: ServiceBusSender, messages: list[ServiceBusMessage]) -> None:
    """Send messages, again when that fails: Service Bus may then have them twice, under the same ids."""
    for attempt in range(_SEND_ATTEMPTS):
        try:
            sender.send_messages(messages)
        except ServiceBusError:
            if attempt == _SEND_ATTEMPTS - 1:
                raise
            time.sleep(0.5)
        else:
            return
