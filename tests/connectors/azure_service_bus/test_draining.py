"""Draining: messages are locked, and removed once they are acknowledged."""

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from syncline.amqp import Data, Message, Properties
from syncline.amqp.types import Char
from syncline.connectors.azure_service_bus import drain, retries
from syncline.connectors.azure_service_bus.locked import Link
from syncline.connectors.base import RawBatch, ReadLimits, Source, SourceThrottled, Stream
from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.descriptions import QueueDescription, SubscriptionDescription, TopicDescription
from syncline.emulator.emulator import EmulatorThread
from tests.connectors.azure_service_bus.conftest import (
    SUBSCRIPTION,
    Publish,
    context_for,
    opened,
    rows,
)

ORDERS = Stream("orders", "bus")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "EMPTY_AFTER", 0.4)
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)


@pytest.fixture
def source(emulator: EmulatorThread) -> Iterator[Source]:
    with opened(draining(emulator)) as running:
        yield running


def draining(emulator: EmulatorThread, *topics: str, **values: Any) -> Any:
    return context_for(
        emulator.connection_string("Listen"),
        topics=list(topics or ("orders",)),
        subscriber_name=SUBSCRIPTION,
        read_mode="Drain",
        **values,
    )


def numbered(count: int, start: int = 0, **values: Any) -> list[ServiceBusMessage]:
    return [ServiceBusMessage(b'{"n":%d}' % n, message_id=f"m{n}", **values) for n in range(start, start + count)]


def ids(batches: list[RawBatch]) -> list[str]:
    return [row["message_id"] for row in rows(batches)]


def drained(source: Source, stream: Stream = ORDERS, **limits: int) -> Iterator[RawBatch]:
    return source.read(stream, None, ReadLimits(**limits), threading.Event())


def drain_all(source: Source, stream: Stream = ORDERS, **limits: int) -> list[RawBatch]:
    """Every batch, each acknowledged as soon as it came."""
    batches = []
    for batch in drained(source, stream, **limits):
        batches.append(batch)
        source.acknowledge(stream, [batch.receipt])
    return batches


def store(emulator: EmulatorThread, topic: str = "orders") -> Any:
    return emulator.call(lambda namespace: namespace.topic(topic).subscription(SUBSCRIPTION).store)


def delivery_counts(emulator: EmulatorThread, topic: str = "orders") -> list[int]:
    held = store(emulator, topic)
    return [stored.delivery_count for stored in emulator.call(lambda _: held.peek(0, 1000, max_bytes=10**8))]


class TestDraining:
    def test_acknowledged_messages_are_removed(
        self, emulator: EmulatorThread, publish: Publish, source: Source
    ) -> None:
        publish(numbered(700))
        batches = drain_all(source, rows=300)
        assert ids(batches) == [f"m{n}" for n in range(700)]
        assert [batch.table.num_rows for batch in batches] == [300, 300, 100]
        assert all(batch.is_urgent for batch in batches)
        assert len(store(emulator)) == 0

    def test_until_then_they_are_locked_and_there(
        self, emulator: EmulatorThread, publish: Publish, source: Source
    ) -> None:
        publish(numbered(5))
        (batch,) = list(drained(source))
        assert len(store(emulator)) == 5
        with opened(draining(emulator)) as other:
            assert drain_all(other) == []
        source.acknowledge(ORDERS, [batch.receipt])
        assert len(store(emulator)) == 0

    def test_what_is_not_acknowledged_is_given_back_at_once_and_undelivered(
        self, emulator: EmulatorThread, publish: Publish
    ) -> None:
        publish(numbered(5))
        for _ in range(12):
            with opened(draining(emulator)) as source:
                assert len(rows(list(drained(source)))) == 5
        assert delivery_counts(emulator) == [0] * 5

    def test_so_is_what_was_received_and_not_handed_over(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish(numbered(100))
        with opened(draining(emulator)) as source:
            batch = next(drained(source, rows=10))
            source.acknowledge(ORDERS, [batch.receipt])
        with opened(draining(emulator)) as source:
            assert len(rows(drain_all(source))) == 90

    def test_the_reader_does_not_run_ahead(
        self, emulator: EmulatorThread, publish: Publish, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(drain, "MOST_BATCHES", 1)
        publish(numbered(100))
        seen: list[RawBatch] = []
        reader = threading.Thread(target=lambda: seen.extend(_counted(drained(source, rows=10), arrived)))
        arrived: list[RawBatch] = []
        reader.start()
        time.sleep(1.5)
        assert len(arrived) == 2
        done = 0
        while reader.is_alive():
            if done < len(arrived):
                source.acknowledge(ORDERS, [arrived[done].receipt])
                done += 1
            else:
                time.sleep(0.01)
        assert len(rows(seen)) == 100

    def test_a_queue_and_its_dead_letters(self, emulator: EmulatorThread) -> None:
        emulator.call(lambda namespace: namespace.create_queue(QueueDescription("invoices")))
        with ServiceBusClient.from_connection_string(emulator.connection_string("Root")) as client:
            with client.get_queue_sender("invoices") as sender:
                sender.send_messages(numbered(3))
            with client.get_queue_receiver("invoices") as receiver:
                receiver.dead_letter_message(receiver.receive_messages(1)[0], reason="bad", error_description="very")
        context = context_for(
            emulator.connection_string("Listen"), queues=["invoices"], read_mode="Drain", dead_letter_queues=True
        )
        with opened(context) as source:
            found = {stream.name: rows(drain_all(source, stream)) for stream in source.streams()}
        assert [row["message_id"] for row in found["invoices"]] == ["m1", "m2"]
        (dead,) = found["invoices__dead_letter"]
        assert (dead["message_id"], dead["dead_letter_reason"]) == ("m0", "bad")
        assert (dead["dead_letter_error_description"], dead["dead_letter_source"]) == ("very", "invoices")
        queue = emulator.call(lambda namespace: namespace.queue_counts("invoices"))
        assert (queue.active, queue.dead_letter) == (0, 0)

    def test_a_busy_topic_does_not_keep_it(self, emulator: EmulatorThread, publish: Publish, source: Source) -> None:
        publish(numbered(300))
        over = threading.Event()

        def chatter() -> None:
            with (
                ServiceBusClient.from_connection_string(emulator.connection_string("Root")) as client,
                client.get_topic_sender("orders") as sender,
            ):
                while not over.is_set():
                    sender.send_messages(ServiceBusMessage(b"{}"))

        thread = threading.Thread(target=chatter)
        thread.start()
        try:
            assert len(rows(drain_all(source))) >= 300
        finally:
            over.set()
            thread.join()

    def test_a_message_without_an_id_is_keyed_by_its_number(
        self, emulator: EmulatorThread, publish: Publish, source: Source
    ) -> None:
        publish([AmqpAnnotatedMessage(data_body=b"x")])
        (found,) = ids(drain_all(source))
        assert found.startswith("sequence_num:1@")

    def test_deferred_messages_stay(self, emulator: EmulatorThread, publish: Publish, source: Source) -> None:
        publish(numbered(2))
        with (
            ServiceBusClient.from_connection_string(emulator.connection_string("Root")) as client,
            client.get_subscription_receiver("orders", SUBSCRIPTION) as receiver,
        ):
            receiver.defer_message(receiver.receive_messages(1)[0])
        assert ids(drain_all(source)) == ["m1"]
        assert len(store(emulator)) == 1


def _counted(batches: Iterator[RawBatch], arrived: list[RawBatch]) -> Iterator[RawBatch]:
    for batch in batches:
        arrived.append(batch)
        yield batch


class TestLocks:
    @pytest.fixture(autouse=True)
    def _brief(self, emulator: EmulatorThread) -> None:
        def make(namespace: Any) -> None:
            namespace.create_topic(TopicDescription("brief"))
            namespace.create_subscription(
                SubscriptionDescription("brief", SUBSCRIPTION, lock_duration=timedelta(seconds=3))
            )

        emulator.call(make)

    def test_they_are_renewed_while_a_load_takes(self, emulator: EmulatorThread, publish: Publish) -> None:
        stream = Stream("brief", "bus")
        publish(numbered(600), to="brief")
        with opened(draining(emulator, "brief")) as source:
            batches = list(drained(source, stream))
            time.sleep(6)
            assert delivery_counts(emulator, "brief") == [0] * 600
            source.acknowledge(stream, [batch.receipt for batch in batches])
            assert len(store(emulator, "brief")) == 0
            assert source.warnings() == ()

    def test_a_lost_one_means_that_the_message_comes_again(
        self, emulator: EmulatorThread, publish: Publish, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(drain.Drainer, "_keep", lambda drainer: None)
        stream = Stream("brief", "bus")
        publish(numbered(5), to="brief")
        with opened(draining(emulator, "brief")) as source:
            batches = list(drained(source, stream))
            time.sleep(3.2)
            source.acknowledge(stream, [batch.receipt for batch in batches])
            assert len(store(emulator, "brief")) == 5
            (warning,) = source.warnings()
            assert (warning.code, warning.subject) == ("locks_lost", "brief")
            assert warning.message.startswith("The locks of up to 5 messages of brief ended before")
            assert "come again" in warning.message
            assert "lock duration" in warning.message
            assert ids(drain_all(source, stream)) == [f"m{n}" for n in range(5)]
            assert len(store(emulator, "brief")) == 0

    def test_those_that_could_not_be_renewed_are_warned_of_once(
        self, emulator: EmulatorThread, publish: Publish
    ) -> None:
        stream = Stream("brief", "bus")
        publish(numbered(3), to="brief")
        throttle = {"fault": "throttle", "entity": "brief", "seconds": 3.5}
        with opened(draining(emulator, "brief")) as source:
            batches = list(drained(source, stream))
            assert source.warnings() == ()
            emulator.call(lambda namespace: namespace.faults.apply(throttle))
            deadline = time.monotonic() + 20
            while not source.warnings():
                assert time.monotonic() < deadline, "a lock that is lost has to be noticed before the load ends"
                time.sleep(0.05)
            source.acknowledge(stream, [batch.receipt for batch in batches])
            (warning,) = source.warnings()
            assert "up to 3 messages" in warning.message, "the same messages are not counted twice"
            assert ids(drain_all(source, stream)) == ["m0", "m1", "m2"]

    def test_the_lock_of_a_message_that_was_just_removed_is_not_lost(
        self, emulator: EmulatorThread, publish: Publish, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        complete = Link.complete

        def complete_slowly(link: Link, deliveries: Mapping[int, bytes]) -> int:
            doubtful = complete(link, deliveries)
            time.sleep(2)  # the locks are to be renewed meanwhile
            return doubtful

        monkeypatch.setattr(Link, "complete", complete_slowly)
        stream = Stream("brief", "bus")
        publish(numbered(3), to="brief")
        with opened(draining(emulator, "brief")) as source:
            drain_all(source, stream)
            assert source.warnings() == ()
        assert len(store(emulator, "brief")) == 0

    def test_what_is_delivered_often_is_warned_of(
        self, emulator: EmulatorThread, publish: Publish, source: Source
    ) -> None:
        publish(numbered(1))
        with (
            ServiceBusClient.from_connection_string(emulator.connection_string("Root")) as client,
            client.get_subscription_receiver("orders", SUBSCRIPTION) as receiver,
        ):
            for _ in range(6):
                receiver.abandon_message(receiver.receive_messages(1)[0])
        (batch,) = drain_all(source)
        assert [warning.code for warning in batch.warnings] == ["delivered_often"]


class TestSessions:
    @pytest.fixture(autouse=True)
    def _ordered(self, emulator: EmulatorThread) -> None:
        def make(namespace: Any) -> None:
            namespace.create_topic(TopicDescription("ordered"))
            namespace.create_subscription(
                SubscriptionDescription(
                    "ordered", SUBSCRIPTION, requires_session=True, lock_duration=timedelta(seconds=3)
                )
            )

        emulator.call(make)

    def test_they_are_accepted_one_after_another(
        self, emulator: EmulatorThread, publish: Publish, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(drain, "MOST_SESSIONS", 3)
        stream = Stream("ordered", "bus")
        for session in range(7):
            publish(numbered(10, start=10 * session, session_id=f"s{session}"), to="ordered")
        with opened(draining(emulator, "ordered")) as source:
            seen: list[RawBatch] = []
            reader = threading.Thread(target=lambda: seen.extend(_acknowledged(source, stream)))
            reader.start()
            reader.join(60)
        found = rows(seen)
        assert sorted(row["message_id"] for row in found) == sorted(f"m{n}" for n in range(70))
        in_session = [row["message_id"] for row in found if row["session_id"] == "s3"]
        assert in_session == [f"m{n}" for n in range(30, 40)]
        assert len(store(emulator, "ordered")) == 0

    def test_they_are_held_while_a_load_takes(self, emulator: EmulatorThread, publish: Publish) -> None:
        stream = Stream("ordered", "bus")
        publish(numbered(3, session_id="a"), to="ordered")
        publish(numbered(3, start=3, session_id="b"), to="ordered")
        with opened(draining(emulator, "ordered")) as source:
            batches = list(drained(source, stream))
            time.sleep(5)
            source.acknowledge(stream, [batch.receipt for batch in batches])
        assert len(store(emulator, "ordered")) == 0

    def test_what_is_not_acknowledged_is_given_back(self, emulator: EmulatorThread, publish: Publish) -> None:
        stream = Stream("ordered", "bus")
        publish(numbered(3, session_id="a"), to="ordered")
        for _ in range(3):
            with opened(draining(emulator, "ordered")) as source:
                assert len(rows(list(drained(source, stream)))) == 3
        assert delivery_counts(emulator, "ordered") == [0] * 3


def _acknowledged(source: Source, stream: Stream) -> Iterator[RawBatch]:
    for batch in drained(source, stream):
        threading.Timer(0.2, source.acknowledge, [stream, [batch.receipt]]).start()
        yield batch


class TestTrouble:
    def test_a_connection_that_breaks_loses_nothing(
        self, emulator: EmulatorThread, publish: Publish, source: Source
    ) -> None:
        publish(numbered(60))
        seen = []
        for batch in drained(source, rows=20):
            seen.append(batch)
            emulator.call(lambda namespace: namespace.faults.apply({"fault": "drop_connections"}))
            source.acknowledge(ORDERS, [batch.receipt])
        assert {f"m{n}" for n in range(60)} <= set(ids(seen)) | set(ids(drain_all(source)))
        assert len(store(emulator)) == 0

    def test_a_session_that_is_lost_with_its_connection_is_warned_of(
        self, emulator: EmulatorThread, publish: Publish
    ) -> None:
        def make(namespace: Any) -> None:
            namespace.create_topic(TopicDescription("ordered"))
            namespace.create_subscription(SubscriptionDescription("ordered", SUBSCRIPTION, requires_session=True))

        emulator.call(make)
        stream = Stream("ordered", "bus")
        publish(numbered(4, session_id="a"), to="ordered")
        with opened(draining(emulator, "ordered")) as source:
            (batch,) = list(drained(source, stream))
            emulator.call(lambda namespace: namespace.faults.apply({"fault": "drop_connections"}))
            source.acknowledge(stream, [batch.receipt])
            (warning,) = source.warnings()
        assert (warning.code, warning.subject) == ("locks_lost", "ordered")
        assert "up to 4 messages" in warning.message
        assert len(store(emulator, "ordered")) == 4

    def test_a_token_that_ends_is_made_anew(self, emulator: EmulatorThread, publish: Publish, source: Source) -> None:
        publish(numbered(60))
        seen = []
        for batch in drained(source, rows=20):
            seen.append(batch)
            emulator.call(lambda namespace: namespace.faults.apply({"fault": "expire_token"}))
            source.acknowledge(ORDERS, [batch.receipt])
        assert sorted(set(ids(seen))) == sorted(f"m{n}" for n in range(60))

    def test_throttling_is_told(self, emulator: EmulatorThread, publish: Publish, source: Source) -> None:
        publish(numbered(5))
        emulator.call(lambda namespace: namespace.faults.apply({"fault": "throttle", "entity": "orders"}))
        with pytest.raises(SourceThrottled):
            drain_all(source)


class TestMessagesBeyondTheSdk:
    """The SDK fails for a whole connection when a message holds a type that it does not know."""

    def test_one_is_drained_with_the_others(self, emulator: EmulatorThread, publish: Publish, source: Source) -> None:
        publish(numbered(2))
        odd = Message(
            properties=Properties(message_id="odd"),
            application_properties={"odd": Char("x")},
            body=Data(b'{"a": 1}'),
        )
        content = BrokeredMessage(odd.encode())
        emulator.call(lambda namespace: namespace.topic("orders").send([content]))
        publish(numbered(2, start=2))
        found = {row["message_id"]: row for row in rows(drain_all(source))}
        assert list(found) == ["m0", "m1", "odd", "m2", "m3"]
        assert found["odd"]["body"] == b'{"a": 1}'
        assert found["odd"]["application_properties"] == '{"odd":"x"}'
        assert len(store(emulator)) == 0
