"""Reading a subscription through the official SDK, from the emulator."""

import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from syncline.amqp import Data, Message, Properties, Symbol, Timestamp, Value
from syncline.amqp import Sequence as AmqpSequence
from syncline.amqp.sections import encode_message_annotations
from syncline.amqp.types import Char, Decimal64, Int
from syncline.connectors.azure_service_bus import encoded as encoded_messages
from syncline.connectors.azure_service_bus import retries
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA
from syncline.connectors.base import (
    ReadLimits,
    SourceConfigurationError,
    SourceContext,
    SourceThrottled,
    SourceUnavailable,
    Stream,
)
from syncline.connectors.registry import connector_for
from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.descriptions import SubscriptionDescription, TopicDescription
from syncline.emulator.emulator import EmulatorThread
from tests.connectors.azure_service_bus.conftest import (
    SUBSCRIPTION,
    Publish,
    context_for,
    opened,
    read_all,
    rows,
    without_manage,
)

ORDERS = Stream("orders", "bus")


def numbered(count: int, start: int = 0) -> list[ServiceBusMessage]:
    return [ServiceBusMessage(b'{"n":%d}' % n, message_id=f"m{n}") for n in range(start, start + count)]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)


class TestMessages:
    def test_every_part_of_a_message_becomes_a_column(self, emulator: EmulatorThread, publish: Publish) -> None:
        before = datetime.now(UTC) - timedelta(minutes=1)
        publish(
            [
                ServiceBusMessage(
                    b'{"a": 1}',
                    message_id="m1",
                    session_id="s1",
                    content_type="application/json",
                    correlation_id="c1",
                    application_properties={"name": "Zoë", "count": 3, "ratio": 0.5, "on": True},
                )
            ]
        )
        (batch,) = read_all(without_manage(emulator))
        assert batch.table.schema == MESSAGE_SCHEMA
        (row,) = rows([batch])
        assert before < row.pop("enqueued_time") < datetime.now(UTC) + timedelta(minutes=1)
        assert row == {
            "message_id": "m1",
            "sequence_num": 1,
            "enqueued_sequence_number": row["enqueued_sequence_number"],
            "session_id": "s1",
            "content_type": "application/json",
            "correlation_id": "c1",
            "dead_letter_error_description": None,
            "dead_letter_reason": None,
            "dead_letter_source": None,
            "application_properties": '{"name":"Zoë","count":3,"ratio":0.5,"on":true}',
            "content_encoding": None,
            "body": b'{"a": 1}',
        }
        assert batch.bytes == 8
        assert batch.stream == ORDERS

    def test_a_message_without_an_id_is_keyed_by_its_sequence_number(
        self, emulator: EmulatorThread, publish: Publish
    ) -> None:
        publish([AmqpAnnotatedMessage(data_body=b"x"), AmqpAnnotatedMessage(data_body=b"y")])
        publish([ServiceBusMessage(b"z", message_id="m")])
        for _ in range(2):
            found = [(row["message_id"], row["body"]) for row in rows(read_all(without_manage(emulator)))]
            assert [(key.partition("@")[0], body) for key, body in found] == [
                ("sequence_num:1", b"x"),
                ("sequence_num:2", b"y"),
                ("m", b"z"),
            ]

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"data_body": [b"ab", b"cd"]}, b"abcd"),
            ({"data_body": b""}, b""),
            ({"value_body": {"a": [1, None, True]}}, b'{"a":[1,null,true]}'),
            ({"value_body": "text"}, b"text"),
            ({"value_body": 7}, b"7"),
            ({"value_body": None}, b""),
            ({"sequence_body": [[1, "two"], [3]]}, b'[1,"two",3]'),
        ],
    )
    def test_every_kind_of_body_becomes_bytes(
        self, emulator: EmulatorThread, publish: Publish, body: dict[str, Any], expected: bytes
    ) -> None:
        publish([AmqpAnnotatedMessage(**body, properties={"message_id": "m"})])
        assert rows(read_all(without_manage(emulator)))[0]["body"] == expected


class TestMessagesBeyondTheSdk:
    """The SDK fails for all messages of a request when one holds a type that it does not know."""

    @pytest.mark.parametrize("value", [Char("x"), Decimal64(bytes(8)), [Char("x")]])
    def test_a_message_with_a_type_that_it_lacks_is_read_with_the_others(
        self, emulator: EmulatorThread, publish: Publish, value: Any
    ) -> None:
        publish(numbered(2))
        send_encoded(
            emulator,
            Message(
                properties=Properties(message_id="odd", correlation_id=UUID(int=7), group_id="s"),
                application_properties={"odd": value, "n": Int(7), "when": Timestamp(1000), "text": "t"},
                body=Data(b'{"a": 1}'),
            ),
        )
        publish(numbered(2, start=2))
        batches = read_all(without_manage(emulator))
        found = {row["message_id"]: row for row in rows(batches)}
        assert list(found) == ["m0", "m1", "odd", "m2", "m3"]
        assert found["odd"]["body"] == b'{"a": 1}'
        assert found["odd"]["correlation_id"] == "ID:AMQP_UUID:00000000-0000-0000-0000-000000000007"
        assert found["odd"]["session_id"] == "s"
        assert found["odd"]["enqueued_time"] is not None
        properties = json.loads(found["odd"]["application_properties"])
        assert (properties["n"], properties["when"], properties["text"]) == (7, "1970-01-01T00:00:01Z", "t")
        assert batches[-1].position["partitions"]["0"]["sequence_number"] == 5
        again = read_all(without_manage(emulator), position=batches[-1].position)
        assert again == []

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (Value({"a": Char("x")}), b'{"a":"x"}'),
            (Value(Char("x")), b"x"),
            (AmqpSequence(([1, Char("x")], [True])), b'[1,"x",true]'),
        ],
    )
    def test_so_is_its_body(self, emulator: EmulatorThread, body: Any, expected: bytes) -> None:
        send_encoded(emulator, Message(properties=Properties(message_id="odd"), body=body))
        assert [row["body"] for row in rows(read_all(without_manage(emulator)))] == [expected]

    def test_what_is_not_amqp_keeps_its_bytes(self) -> None:
        annotations = {Symbol("x-opt-sequence-number"): 9, Symbol("x-opt-enqueued-time"): Timestamp(1000)}
        encoded = encode_message_annotations(annotations) + b"\x00\x53\x74\xc1\x03\x02\xff\xff"
        page = encoded_messages.page([encoded])
        (row,) = page.rows.to_pylist()
        assert (row["message_id"], row["sequence_num"], row["body"]) == ("sequence_num:9@1000", 9, encoded)
        assert page.last_sequence == 9


def send_encoded(emulator: EmulatorThread, message: Message) -> None:
    content = BrokeredMessage(message.encode())
    emulator.call(lambda namespace: namespace.topic("orders").send([content]))


class TestBatches:
    def test_batches_are_bounded_in_rows_and_in_order(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish(numbered(25))
        batches = read_all(without_manage(emulator), rows=10)
        assert [batch.table.num_rows for batch in batches] == [10, 10, 5]
        assert [row["message_id"] for row in rows(batches)] == [f"m{n}" for n in range(25)]

    def test_batches_are_bounded_in_bytes(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish([ServiceBusMessage(b"x" * 10_000) for _ in range(20)])
        batches = read_all(without_manage(emulator), bytes=50_000)
        assert sum(batch.table.num_rows for batch in batches) == 20
        assert len(batches) >= 4
        assert max(batch.bytes for batch in batches) <= 60_000

    def test_a_message_larger_than_the_limit_is_read_alone(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish([ServiceBusMessage(b"x" * 100_000) for _ in range(2)])
        assert sum(batch.table.num_rows for batch in read_all(without_manage(emulator), bytes=1024)) == 2

    def test_an_empty_subscription_gives_nothing(self, emulator: EmulatorThread) -> None:
        assert read_all(without_manage(emulator)) == []

    def test_reading_goes_on_after_the_position(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish(numbered(5))
        position = read_all(without_manage(emulator))[-1].position
        assert position["partitions"]["0"]["sequence_number"] == 5
        assert read_all(without_manage(emulator), position=position) == []
        publish(numbered(3, start=5))
        batches = read_all(without_manage(emulator), position=position)
        assert [row["message_id"] for row in rows(batches)] == ["m5", "m6", "m7"]

    def test_stop_ends_it_early_and_in_order(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish(numbered(30))
        stop = threading.Event()
        seen = []
        with opened(without_manage(emulator)) as source:
            for batch in source.read(ORDERS, None, ReadLimits(rows=10), stop):
                seen.append(batch)
                stop.set()
        assert [row["message_id"] for row in rows(seen)] == [f"m{n}" for n in range(10)]

    def test_a_topic_that_never_rests_does_not_keep_it(self, emulator: EmulatorThread, publish: Publish) -> None:
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
        began = time.monotonic()
        try:
            batches = read_all(without_manage(emulator), rows=100)
        finally:
            over.set()
            thread.join()
        assert len(rows(batches)) >= 300
        assert time.monotonic() - began < 10


class TestBrowsing:
    def test_messages_stay_unlocked_and_undelivered(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish(numbered(3))
        threads = threading.active_count()
        for _ in range(3):
            read_all(without_manage(emulator))
        assert threading.active_count() == threads
        with (
            ServiceBusClient.from_connection_string(emulator.connection_string("Root")) as client,
            client.get_subscription_receiver("orders", SUBSCRIPTION) as receiver,
        ):
            received = receiver.receive_messages(max_message_count=3, max_wait_time=2)
            assert [message.delivery_count for message in received] == [0, 0, 0]

    def test_deferred_messages_are_read_and_scheduled_ones_are_not(
        self, emulator: EmulatorThread, publish: Publish
    ) -> None:
        publish(numbered(2))
        with ServiceBusClient.from_connection_string(emulator.connection_string("Root")) as client:
            with client.get_subscription_receiver("orders", SUBSCRIPTION) as receiver:
                receiver.defer_message(receiver.receive_messages(1, max_wait_time=2)[0])
            with client.get_topic_sender("orders") as sender:
                soon = datetime.now(UTC) + timedelta(seconds=2)
                sender.schedule_messages(ServiceBusMessage(b"later", message_id="later"), soon)
        first = read_all(without_manage(emulator))
        assert sorted(row["message_id"] for row in rows(first)) == ["m0", "m1"]
        position = first[-1].position
        deadline = time.monotonic() + 10
        found: list[Any] = []
        while not found and time.monotonic() < deadline:
            time.sleep(0.3)
            found = rows(read_all(without_manage(emulator), position=position))
        assert [row["message_id"] for row in found] == ["later"]

    def test_a_recreated_subscription_is_read_from_its_beginning(
        self, emulator: EmulatorThread, publish: Publish
    ) -> None:
        publish(numbered(5))
        position = read_all(without_manage(emulator))[-1].position
        _recreate(emulator)
        publish(numbered(2, start=10))
        (batch,) = read_all(without_manage(emulator), position=position)
        assert [row["message_id"] for row in rows([batch])] == ["m10", "m11"]
        assert batch.warnings[0].code == "subscription_recreated"
        assert "orders" in batch.warnings[0].message
        assert batch.position["partitions"]["0"]["sequence_number"] == 2

    def test_with_manage_its_age_shows_that_it_was_recreated(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish(numbered(2))
        position = read_all(without_manage(emulator))[-1].position
        time.sleep(0.01)
        _recreate(emulator)
        publish(numbered(5, start=10))
        context = context_for(
            emulator.connection_string("Root"), has_manage_permissions=True, subscriber_name=SUBSCRIPTION
        )
        with opened(context) as source:
            source.streams()
            batches = list(source.read(ORDERS, position, ReadLimits(), threading.Event()))
        assert len(rows(batches)) == 5
        assert batches[0].warnings


def _recreate(emulator: EmulatorThread) -> None:
    emulator.call(lambda namespace: namespace.delete_subscription("orders", SUBSCRIPTION))
    emulator.call(lambda namespace: namespace.create_subscription(SubscriptionDescription("orders", SUBSCRIPTION)))


class TestStreams:
    def test_without_manage_they_are_the_named_topics(self, emulator: EmulatorThread) -> None:
        with opened(without_manage(emulator, "payments", "orders")) as source:
            assert source.streams() == [Stream("payments", "bus"), Stream("orders", "bus")]

    def test_with_manage_all_topics_are_found_and_subscriptions_made(self, emulator: EmulatorThread) -> None:
        context = context_for(emulator.connection_string("Root"), has_manage_permissions=True)
        with opened(context) as source:
            assert [stream.name for stream in source.streams()] == ["orders", "payments", "shipments"]
        made = emulator.call(lambda namespace: namespace.get_subscription("shipments", "fivetran_sub_bus"))
        assert made.default_message_time_to_live == timedelta(days=7)

    def test_with_manage_topics_may_be_named(self, emulator: EmulatorThread) -> None:
        context = context_for(emulator.connection_string("Root"), has_manage_permissions=True, topics=["payments"])
        with opened(context) as source:
            assert [stream.name for stream in source.streams()] == ["payments"]

    def test_a_named_topic_that_is_not_there_is_told(self, emulator: EmulatorThread) -> None:
        context = context_for(
            emulator.connection_string("Root"), has_manage_permissions=True, topics=["orders", "nothing"]
        )
        with opened(context) as source, pytest.raises(SourceConfigurationError, match="no topic nothing"):
            source.streams()

    def test_manage_without_the_claim_is_told(self, emulator: EmulatorThread) -> None:
        context = context_for(emulator.connection_string("Listen"), has_manage_permissions=True)
        with opened(context) as source, pytest.raises(SourceConfigurationError, match="Manage claim"):
            source.streams()


class TestTrouble:
    def test_a_dropped_connection_is_opened_again_without_loss(
        self, emulator: EmulatorThread, publish: Publish
    ) -> None:
        publish(numbered(30))
        seen = []
        with opened(without_manage(emulator)) as source:
            for batch in source.read(ORDERS, None, ReadLimits(rows=10), threading.Event()):
                seen.append(batch)
                emulator.call(lambda namespace: namespace.faults.apply({"fault": "drop_connections"}))
        assert [row["message_id"] for row in rows(seen)] == [f"m{n}" for n in range(30)]

    def test_a_token_that_ends_meanwhile_is_made_anew(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish(numbered(30))
        seen = []
        with opened(without_manage(emulator)) as source:
            for batch in source.read(ORDERS, None, ReadLimits(rows=10), threading.Event()):
                seen.append(batch)
                emulator.call(lambda namespace: namespace.faults.apply({"fault": "expire_token"}))
        assert [row["message_id"] for row in rows(seen)] == [f"m{n}" for n in range(30)]

    def test_what_was_read_before_a_failure_is_handed_over(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish(numbered(300))
        throttle = {"fault": "throttle", "entity": "orders", "seconds": 30}
        seen = []

        def read() -> None:
            with opened(without_manage(emulator)) as source:
                for batch in source.read(ORDERS, None, ReadLimits(rows=100), threading.Event()):
                    seen.append(batch)
                    emulator.call(lambda namespace: namespace.faults.apply(throttle))

        with pytest.raises(SourceThrottled) as caught:
            read()
        assert len(rows(seen)) == 100
        assert caught.value.retry_after_seconds >= 1

    def test_a_namespace_that_is_gone_is_unavailable(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        text = f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true"
        with pytest.raises(SourceUnavailable, match=str(port)):
            read_all(context_for(text, topics=["orders"], subscriber_name=SUBSCRIPTION))

    @pytest.mark.parametrize(("topic", "subscription"), [("nothing", SUBSCRIPTION), ("orders", "nothing")])
    def test_an_unknown_entity_is_told(self, emulator: EmulatorThread, topic: str, subscription: str) -> None:
        context = context_for(emulator.connection_string("Listen"), topics=[topic], subscriber_name=subscription)
        with pytest.raises(SourceConfigurationError, match="does not know") as caught:
            read_all(context, topic)
        assert topic in caught.value.message
        assert subscription in caught.value.message

    def test_a_key_without_listen_is_told(self, emulator: EmulatorThread) -> None:
        context = context_for(emulator.connection_string("Send"), topics=["orders"], subscriber_name=SUBSCRIPTION)
        with pytest.raises(SourceConfigurationError, match="refused the credentials") as caught:
            read_all(context)
        assert "Listen" in caught.value.remedy

    def test_a_wrong_key_is_told_without_being_shown(self, emulator: EmulatorThread) -> None:
        wrong = "d3Jvbmcta2V5LXdyb25nLWtleS13cm9uZy1rZXktMTIzNDU="
        text = emulator.connection_string("Listen").replace(emulator.emulator._policy("Listen").key, wrong)
        context = context_for(text, topics=["orders"], subscriber_name=SUBSCRIPTION)
        with pytest.raises(SourceConfigurationError) as caught:
            read_all(context)
        assert wrong not in str(caught.value)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"connection_method": "SSH_TUNNEL", "host_ip": "h", "host_user": "u"}, "SSH tunnel is not available yet"),
            ({"connection_method": "PRIVATE_LINK"}, "private link is not available yet"),
            ({"message_type": "Avro"}, "not complete: `config.schema_registry_urls`"),
        ],
    )
    def test_what_is_not_available_is_told(self, emulator: EmulatorThread, values: dict[str, Any], words: str) -> None:
        context = context_for(
            emulator.connection_string("Listen"), topics=["orders"], subscriber_name=SUBSCRIPTION, **values
        )
        with pytest.raises(SourceConfigurationError, match=words):
            opened(context).__enter__()


class TestTls:
    def context(self, emulator: EmulatorThread) -> SourceContext:
        text = emulator.connection_string(tls=True).replace(f"127.0.0.1:{emulator.tls_port}", "bus.example.com")
        address = f"127.0.0.1:{emulator.tls_port}"
        return context_for(text, asb_ip=address, has_manage_permissions=True, subscriber_name=SUBSCRIPTION)

    async def test_a_namespace_is_reached_at_another_address_under_its_own_name(self, secure: EmulatorThread) -> None:
        secure.call(lambda namespace: namespace.create_topic(TopicDescription("orders")))
        context = self.context(secure)
        results = await connector_for("azure_service_bus").run_setup_tests(context)
        assert {result.status for result in results} == {"PASSED"}, results
        with (
            ServiceBusClient.from_connection_string(secure.connection_string()) as client,
            client.get_topic_sender("orders") as sender,
        ):
            sender.send_messages(numbered(3))
        assert len(rows(read_all(context))) == 3
