"""Queues, topics and subscriptions that are deleted and made anew: nothing of the new ones is lost, or taken for older.

A new one counts from 1 again, so neither numbers nor what is made of them tell its messages from those of the old one.
"""

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from syncline.emulator.descriptions import QueueDescription, SubscriptionDescription, TopicDescription
from syncline.emulator.emulator import EmulatorThread
from syncline.sync.catalog import EverythingCatalog
from syncline.sync.selection import Selection, SyncMode
from tests.connectors.azure_service_bus.conftest import SUBSCRIPTION
from tests.connectors.azure_service_bus.test_syncs import Sync, sync

__all__ = ["sync"]

ENTITIES = ["topic", "subscription", "queue", "dead letters"]
MODES = ["Browse", "Drain"]


class Place:
    """A topic or a queue of a sync that can be deleted and made anew."""

    def __init__(self, sync: Sync, emulator: EmulatorThread, kind: str, config: dict[str, Any]) -> None:
        self.sync = sync
        self.emulator = emulator
        self.kind = kind
        self.name = "jobs" if kind == "queue" else "orders"
        self.table = f"{self.name}__dead_letter" if kind == "dead letters" else self.name
        self.config: dict[str, Any] = {"topics": ["orders"], "sync_type": "Unpacked", **config}
        if kind == "queue":
            self.config |= {"topics": None, "queues": ["jobs"]}
            self._call(lambda namespace: namespace.create_queue(QueueDescription("jobs")))
        elif kind == "dead letters":
            self.config["dead_letter_queues"] = True

    def make_anew(self) -> None:
        subscription = SubscriptionDescription("orders", SUBSCRIPTION)
        if self.kind == "queue":
            self._call(lambda namespace: namespace.delete_queue("jobs"))
            self._call(lambda namespace: namespace.create_queue(QueueDescription("jobs")))
        elif self.kind == "subscription":
            self._call(lambda namespace: namespace.delete_subscription("orders", SUBSCRIPTION))
            self._call(lambda namespace: namespace.create_subscription(subscription))
        else:
            self._call(lambda namespace: namespace.delete_topic("orders"))
            self._call(lambda namespace: namespace.create_topic(TopicDescription("orders")))
            self._call(lambda namespace: namespace.create_subscription(subscription))

    def send(self, *messages: tuple[str | None, str]) -> None:
        """Messages of an id (or none) and a value; what is no JSON is sent as it is."""
        with ServiceBusClient.from_connection_string(self.emulator.connection_string("Root")) as client:
            is_queue = self.kind == "queue"
            with client.get_queue_sender(self.name) if is_queue else client.get_topic_sender(self.name) as sender:
                for key, value in messages:
                    body = value.encode() if value.startswith("{") else json.dumps({"v": value}).encode()
                    sender.send_messages(
                        AmqpAnnotatedMessage(data_body=[body])
                        if key is None
                        else ServiceBusMessage(body, message_id=key)
                    )
            if self.kind == "dead letters":
                with client.get_subscription_receiver("orders", SUBSCRIPTION) as receiver:
                    for message in receiver.receive_messages(len(messages), max_wait_time=5):
                        receiver.dead_letter_message(message)

    def run(self) -> None:
        self.sync.run(**self.config)

    def values(self, suffix: str = "", column: str = "value_v") -> list[str]:
        with duckdb.connect(str(self.sync.folder / "warehouse.duckdb")) as connection:
            found = connection.execute(f'SELECT {column} FROM bus."{self.table}{suffix}" ORDER BY 1').fetchall()
        return [value for (value,) in found]

    def _call(self, action: Callable[[Any], Any]) -> None:
        self.emulator.call(action)


@pytest.fixture(params=[(kind, mode) for kind in ENTITIES for mode in MODES], ids=lambda param: " ".join(param))
def place(request: pytest.FixtureRequest, sync: Sync, emulator: EmulatorThread) -> Place:
    kind, mode = request.param
    return Place(sync, emulator, kind, {"read_mode": mode})


def test_all_of_its_messages_arrive_and_the_newest_of_an_id_stays(place: Place) -> None:
    place.send((None, "old 1"), (None, "old 2"), ("other", "old 3"), ("same", "old 4"))
    place.run()
    place.make_anew()
    place.send((None, "new 1"), ("same", "new 2"))
    place.run()
    assert place.values() == ["new 1", "new 2", "old 1", "old 2", "old 3"]
    place.sync.checkpoints.saved.clear()  # as a re-sync does
    place.run()
    assert place.values() == ["new 1", "new 2", "old 1", "old 2", "old 3"]


def test_its_rejects_stand_beside_those_of_the_old_one(place: Place) -> None:
    place.send((None, "{old"), ("same", "{old too"), ("other", "old"))
    place.run()
    place.make_anew()
    place.send((None, "good"), ("same", "{new"))
    place.run()
    assert place.values("__rejected", "decode(body)") == ["{new", "{old", "{old too"]
    assert place.values() == ["good", "old"]


def test_history_keeps_the_deliveries_of_both(sync: Sync, emulator: EmulatorThread) -> None:
    class History(EverythingCatalog):
        def choose_columns(self, stream: str, columns: Any) -> Selection:
            return Selection(sync_mode=SyncMode.HISTORY)

    sync.catalog = History()
    place = Place(sync, emulator, "topic", {})
    place.send(("same", "old"))
    place.run()
    place.make_anew()
    place.send(("same", "new"), ("same", "newer"))
    place.run()
    assert place.values() == ["new", "newer", "old"]


@pytest.mark.parametrize("kind", ["subscription", "queue"])
def test_with_manage_its_age_tells_even_where_numbers_do_not(sync: Sync, emulator: EmulatorThread, kind: str) -> None:
    """The new one has grown past the position when the next sync comes, and its oldest messages are gone."""
    place = Place(sync, emulator, kind, {"has_manage_permissions": True})
    sync.policy = "Root"
    place.send(("a", "old"))
    place.run()
    position = sync.checkpoints.saved[place.name]
    assert position["created_at"]
    place.make_anew()
    place.send(("b", "new 1"), ("c", "new 2"))
    sync.checkpoints.saved[place.name]["partitions"]["0"]["enqueued_time"] = None
    place.run()
    assert place.values() == ["new 1", "new 2", "old"]
    assert sync.checkpoints.saved[place.name]["created_at"] != position["created_at"]
    assert {warning.code for warning in sync.warnings} >= {"subscription_recreated"}


def test_another_subscription_is_read_from_its_beginning(sync: Sync, emulator: EmulatorThread) -> None:
    emulator.call(lambda namespace: namespace.create_subscription(SubscriptionDescription("orders", "second")))
    place = Place(sync, emulator, "topic", {})
    place.send(*((f"m{number}", f"{number}") for number in range(3)))
    place.run()
    with duckdb.connect(str(sync.folder / "warehouse.duckdb")) as connection:
        connection.execute("DELETE FROM bus.orders WHERE message_id <> 'm2'")
    place.config["subscriber_name"] = "second"
    place.run()
    assert place.values() == ["0", "1", "2"]
    assert not [warning for warning in sync.warnings if warning.code == "subscription_recreated"]


def test_each_partition_tells(sync: Sync, emulator: EmulatorThread) -> None:
    """The oldest message of all may be in a partition that had none before."""
    place = Place(sync, emulator, "topic", {})
    wide = TopicDescription("orders", enable_partitioning=True)
    subscription = SubscriptionDescription("orders", SUBSCRIPTION)

    def make_anew() -> None:
        emulator.call(lambda namespace: namespace.delete_topic("orders"))
        emulator.call(lambda namespace: namespace.create_topic(wide))
        emulator.call(lambda namespace: namespace.create_subscription(subscription))

    make_anew()
    place.send(*((f"old{number}", f"old {number}") for number in range(15)))
    place.run()
    partitions = place.sync.checkpoints.saved["orders"]["partitions"]
    partitions.pop(min(partitions, key=int))
    make_anew()
    place.send(*((f"new{number}", f"new {number}") for number in range(20)))
    place.run()
    assert [value for value in place.values() if value.startswith("new")] == sorted(f"new {n}" for n in range(20))
