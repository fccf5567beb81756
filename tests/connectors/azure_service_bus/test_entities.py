"""Queues, dead-letter queues, and what is told of topics and queues that fill up."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from syncline.connectors.azure_service_bus.config import DECLARATION, AzureServiceBusConfig
from syncline.connectors.base import ReadLimits, SourceConfigurationError, SourceContext, SourceWarning
from syncline.connectors.registry import connector_for
from syncline.declarations import InvalidField
from syncline.emulator.descriptions import QueueDescription, SubscriptionDescription, TopicDescription
from syncline.emulator.emulator import EmulatorThread
from tests.connectors.azure_service_bus.conftest import (
    SUBSCRIPTION,
    Publish,
    context_for,
    opened,
    rows,
    without_manage,
)


@pytest.fixture(autouse=True)
def _queue(emulator: EmulatorThread) -> None:
    emulator.call(lambda namespace: namespace.create_queue(QueueDescription("invoices")))


@pytest.fixture
def client(emulator: EmulatorThread) -> Any:
    with ServiceBusClient.from_connection_string(emulator.connection_string("Root"), keep_alive=0) as running:
        yield running


def read_streams(context: SourceContext) -> dict[str, list[dict[str, Any]]]:
    with opened(context) as source:
        return {
            stream.name: rows(list(source.read(stream, None, ReadLimits(), threading.Event())))
            for stream in source.streams()
        }


def send(client: ServiceBusClient, queue: str, *bodies: bytes) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([ServiceBusMessage(body, message_id=body.decode()) for body in bodies])


class TestQueues:
    def test_a_named_queue_is_a_stream(self, emulator: EmulatorThread, client: ServiceBusClient) -> None:
        send(client, "invoices", b"1", b"2")
        context = context_for(emulator.connection_string("Listen"), queues=["invoices"])
        assert DECLARATION.missing(context.config) == []
        assert [row["message_id"] for row in read_streams(context)["invoices"]] == ["1", "2"]

    def test_beside_topics(self, emulator: EmulatorThread) -> None:
        context = context_for(emulator.connection_string("Root"), has_manage_permissions=True, queues=["invoices"])
        with opened(context) as source:
            assert [stream.name for stream in source.streams()] == ["orders", "payments", "shipments", "invoices"]

    def test_without_being_named_none_is_read(self, emulator: EmulatorThread) -> None:
        context = context_for(emulator.connection_string("Root"), has_manage_permissions=True)
        with opened(context) as source:
            assert "invoices" not in [stream.name for stream in source.streams()]

    def test_one_that_is_not_there_is_told(self, emulator: EmulatorThread) -> None:
        context = context_for(emulator.connection_string("Root"), has_manage_permissions=True, queues=["nothing"])
        with opened(context) as source, pytest.raises(SourceConfigurationError, match="no queue nothing"):
            source.streams()

    def test_a_name_is_a_topics_or_a_queues(self) -> None:
        with pytest.raises(InvalidField, match=r"queues\[0\]"):
            AzureServiceBusConfig.parse({"schema": "bus", "topics": ["orders"], "queues": ["Orders"]})

    def test_the_new_settings_are_marked_as_our_own(self) -> None:
        own = {field.name for field in AzureServiceBusConfig.declared_fields() if field.extension}
        assert own == {"queues", "dead_letter_queues", "read_mode"}

    async def test_setup_tests_look_into_them(self, emulator: EmulatorThread, client: ServiceBusClient) -> None:
        send(client, "invoices", b"1")
        context = context_for(emulator.connection_string("Listen"), queues=["invoices"])
        results = {result.title: result for result in await connector_for("azure_service_bus").run_setup_tests(context)}
        assert {result.status for result in results.values()} == {"PASSED"}
        assert results["Queues"].message == "1 queue can be read."
        assert results["Messages"].message == "A message of the queue invoices was read and decoded."
        assert not {"Topics", "Subscriptions"} & results.keys()

    async def test_setup_tests_tell_of_one_that_is_not_there(self, emulator: EmulatorThread) -> None:
        context = context_for(
            emulator.connection_string("Listen"), topics=["orders"], subscriber_name=SUBSCRIPTION, queues=["nothing"]
        )
        results = {result.title: result for result in await connector_for("azure_service_bus").run_setup_tests(context)}
        assert results["Subscriptions"].status == "PASSED"
        assert results["Queues"].status == "FAILED"
        assert "config.queues" in results["Queues"].details


class TestSessions:
    @pytest.fixture(autouse=True)
    def _ordered(self, emulator: EmulatorThread) -> None:
        def make(namespace: Any) -> None:
            namespace.create_topic(TopicDescription("ordered"))
            namespace.create_subscription(SubscriptionDescription("ordered", SUBSCRIPTION, requires_session=True))

        emulator.call(make)

    def test_they_cannot_be_browsed(self, emulator: EmulatorThread) -> None:
        with pytest.raises(SourceConfigurationError, match="read_mode to Drain"):
            read_streams(without_manage(emulator, "ordered"))

    @pytest.mark.parametrize("manage", [False, True])
    @pytest.mark.parametrize(("mode", "status"), [("Browse", "FAILED"), ("Drain", "PASSED")])
    async def test_setup_tests_say_so(self, emulator: EmulatorThread, mode: str, status: str, manage: bool) -> None:
        context = context_for(
            emulator.connection_string("Root"),
            topics=["ordered"],
            subscriber_name=SUBSCRIPTION,
            read_mode=mode,
            has_manage_permissions=manage,
        )
        results = await connector_for("azure_service_bus").run_setup_tests(context)
        assert ({result.status for result in results} == {"PASSED"}) is (status == "PASSED"), results
        if status == "FAILED":
            assert any("Drain" in f"{result.message} {result.details}" for result in results)


class TestDeadLetters:
    def test_they_are_streams_of_their_own(
        self, emulator: EmulatorThread, client: ServiceBusClient, publish: Publish
    ) -> None:
        publish([ServiceBusMessage(b"1", message_id="good"), ServiceBusMessage(b"2", message_id="bad")])
        with client.get_subscription_receiver("orders", SUBSCRIPTION) as receiver:
            for message in receiver.receive_messages(2, max_wait_time=2):
                if message.message_id == "bad":
                    receiver.dead_letter_message(message, reason="broken", error_description="cannot be read")
                else:
                    receiver.abandon_message(message)
        context = context_for(
            emulator.connection_string("Listen"),
            topics=["orders"],
            subscriber_name=SUBSCRIPTION,
            queues=["invoices"],
            dead_letter_queues=True,
        )
        found = read_streams(context)
        assert list(found) == ["orders", "invoices", "orders__dead_letter", "invoices__dead_letter"]
        assert [row["message_id"] for row in found["orders"]] == ["good"]
        (dead,) = found["orders__dead_letter"]
        assert {name: dead[name] for name in dead if name.startswith("dead_letter")} == {
            "dead_letter_reason": "broken",
            "dead_letter_error_description": "cannot be read",
            "dead_letter_source": f"orders/Subscriptions/{SUBSCRIPTION}",
        }

    def test_two_that_would_share_a_table_are_refused(self, emulator: EmulatorThread) -> None:
        context = context_for(
            emulator.connection_string("Listen"),
            topics=["orders", "orders__dead_letter"],
            subscriber_name=SUBSCRIPTION,
            dead_letter_queues=True,
        )
        with opened(context) as source, pytest.raises(SourceConfigurationError, match="same table"):
            source.streams()


class TestFullness:
    def warnings(self, emulator: EmulatorThread, **values: Any) -> dict[str, SourceWarning]:
        values = {"topics": ["orders"], "subscriber_name": SUBSCRIPTION, **values}
        context = context_for(emulator.connection_string("Root"), has_manage_permissions=True, **values)
        with opened(context) as source:
            source.streams()
            return {warning.code: warning for warning in source.warnings()}

    def test_a_subscription_of_our_own_needs_no_warning(self, emulator: EmulatorThread) -> None:
        assert self.warnings(emulator, subscriber_name=None) == {}

    def test_messages_that_never_expire_are_warned_of(self, emulator: EmulatorThread) -> None:
        found = self.warnings(emulator)
        assert list(found) == ["messages_never_expire"]
        assert found["messages_never_expire"].subject == "orders"
        assert self.warnings(emulator, read_mode="Drain") == {}

    def test_dead_letters_that_nobody_reads_are_warned_of(
        self, emulator: EmulatorThread, client: ServiceBusClient
    ) -> None:
        send(client, "invoices", b"1")
        with client.get_queue_receiver("invoices") as receiver:
            receiver.dead_letter_message(receiver.receive_messages(1)[0])
        found = self.warnings(emulator, read_mode="Drain", queues=["invoices"])
        assert list(found) == ["dead_letters_not_read"]
        assert "1 message" in found["dead_letters_not_read"].message
        assert self.warnings(emulator, read_mode="Drain", queues=["invoices"], dead_letter_queues=True) == {}

    def test_a_topic_that_is_nearly_full_is_warned_of(
        self, emulator: EmulatorThread, publish: Publish, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def make(namespace: Any) -> None:
            namespace.create_topic(TopicDescription("small", max_size_in_megabytes=1))
            namespace.create_subscription(
                SubscriptionDescription("small", SUBSCRIPTION, default_message_time_to_live=timedelta(days=1))
            )

        emulator.call(make)
        for _ in range(3):
            publish([ServiceBusMessage(b"x" * 200_000)], to="small")
        assert self.warnings(emulator, topics=["small"]) == {}
        publish([ServiceBusMessage(b"x" * 200_000), ServiceBusMessage(b"x" * 40_000)], to="small")
        found = self.warnings(emulator, topics=["small"])
        assert list(found) == ["quota_nearly_reached"]
        assert "0.8 MB of the 1.0 MB" in found["quota_nearly_reached"].message
        assert "refuses" in found["quota_nearly_reached"].message
