"""The official Python SDK against topics and subscriptions: send, batch, peek, receive, settle."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import AutoLockRenewer, ServiceBusClient, ServiceBusMessage, ServiceBusReceiveMode

from syncline.emulator.descriptions import SubscriptionDescription, TopicDescription
from syncline.emulator.emulator import EmulatorThread


def test_a_batch_sent_to_a_topic_is_peeked_from_its_subscription_in_order(client: ServiceBusClient) -> None:
    with client.get_topic_sender("events") as sender:
        batch = sender.create_message_batch()
        for number in range(100):
            batch.add_message(
                ServiceBusMessage(
                    json.dumps({"number": number, "name": "Zoë"}),
                    message_id=f"id-{number}",
                    content_type="application/json",
                    subject="event",
                    application_properties={"number": number},
                )
            )
        sender.send_messages(batch)
    with client.get_subscription_receiver("events", "audit") as receiver:
        peeked = receiver.peek_messages(max_message_count=250)
        assert [message.message_id for message in peeked] == [f"id-{number}" for number in range(100)]
        assert [message.sequence_number for message in peeked] == list(range(1, 101))
        assert json.loads(str(peeked[7])) == {"number": 7, "name": "Zoë"}
        assert peeked[7].application_properties == {b"number": 7}
        assert peeked[7].enqueued_time_utc is not None
        assert receiver.peek_messages(max_message_count=10, sequence_number=96)[0].message_id == "id-95"
        assert receiver.peek_messages(max_message_count=10, sequence_number=101) == []


def test_each_subscription_gets_its_own_copy_and_rules_choose(client: ServiceBusClient) -> None:
    with client.get_topic_sender("orders") as sender:
        sender.send_messages(
            [
                ServiceBusMessage("a", subject="order", application_properties={"amount": 500, "city": "Berlin"}),
                ServiceBusMessage("b", subject="order", application_properties={"amount": 5, "city": "Berlin"}),
                ServiceBusMessage("c", subject="refund", application_properties={"amount": 500, "city": "Paris"}),
            ]
        )
    received = {}
    for subscription in ("everything", "large", "berlin"):
        with client.get_subscription_receiver(
            "orders", subscription, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver:
            received[subscription] = [str(message) for message in receiver.receive_messages(10, max_wait_time=2)]
            assert receiver.peek_messages(10) == []
    assert received == {"everything": ["a", "b", "c"], "large": ["a"], "berlin": ["a", "b"]}


def test_peek_lock_complete_and_abandon(client: ServiceBusClient) -> None:
    with client.get_queue_sender("plain") as sender:
        sender.send_messages([ServiceBusMessage("one"), ServiceBusMessage("two")])
    with client.get_queue_receiver("plain") as receiver:
        first, second = receiver.receive_messages(2, max_wait_time=5)
        assert (str(first), str(second)) == ("one", "two")
        assert first.delivery_count == 0
        receiver.complete_message(second)
        receiver.abandon_message(first)
        (again,) = receiver.receive_messages(2, max_wait_time=1)
        assert str(again) == "one"
        assert again.delivery_count == 1
        receiver.complete_message(again)
        assert receiver.peek_messages(1) == []


@pytest.mark.parametrize("size", [1, 70_000, 200_000])
def test_messages_larger_than_a_frame_travel_both_ways(client: ServiceBusClient, size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    with client.get_queue_sender("plain") as sender:
        sender.send_messages(ServiceBusMessage(body))
    with client.get_queue_receiver("plain") as receiver:
        (peeked,) = receiver.peek_messages(1)
        assert b"".join(peeked.body) == body
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        assert b"".join(message.body) == body
        receiver.complete_message(message)


def test_an_unknown_entity_is_told_by_name(emulator: EmulatorThread, client: ServiceBusClient) -> None:
    from azure.servicebus.exceptions import MessagingEntityNotFoundError

    with pytest.raises(MessagingEntityNotFoundError, match="nowhere"), client.get_queue_sender("nowhere"):
        pass


def test_a_topic_takes_scheduled_messages(emulator: EmulatorThread, client: ServiceBusClient) -> None:
    due = datetime.now(UTC) + timedelta(seconds=1)
    with client.get_topic_sender("orders") as sender:
        _, second = sender.schedule_messages([ServiceBusMessage("first"), ServiceBusMessage("second")], due)
        sender.cancel_scheduled_messages([second])
    with client.get_subscription_receiver("orders", "everything", receive_mode="receiveanddelete") as receiver:
        (message,) = receiver.receive_messages(2, max_wait_time=5)
        assert str(message) == "first"
        assert datetime.now(UTC) >= due


def test_locks_are_renewed_in_the_background(client: ServiceBusClient) -> None:
    with client.get_queue_sender("short-lock") as sender:
        sender.send_messages(ServiceBusMessage("long work"))
    with (
        AutoLockRenewer() as renewer,
        client.get_queue_receiver("short-lock", auto_lock_renewer=renewer) as receiver,
    ):
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        time.sleep(3)
        receiver.complete_message(message)
        assert receiver.peek_messages(1) == []


def test_numbers_of_a_partitioned_topic_name_the_partition(emulator: EmulatorThread, client: ServiceBusClient) -> None:
    description = TopicDescription("partitioned", enable_partitioning=True)
    emulator.call(lambda namespace: namespace.create_topic(description))
    emulator.call(lambda namespace: namespace.create_subscription(SubscriptionDescription("partitioned", "all")))
    with client.get_topic_sender("partitioned") as sender:
        sender.send_messages([ServiceBusMessage(str(number)) for number in range(40)])
        sender.send_messages([ServiceBusMessage("same", partition_key="key") for _ in range(3)])
    with client.get_subscription_receiver("partitioned", "all") as receiver:
        numbers = [message.sequence_number or 0 for message in receiver.peek_messages(100)]
        assert numbers == sorted(numbers)
        assert len(numbers) == 43
        assert {number >> 48 for number in numbers} == set(range(16))
        first_of_third = (3 << 48) + 1
        assert receiver.peek_messages(1, sequence_number=3 << 48)[0].sequence_number == first_of_third
        keyed = [message for message in receiver.peek_messages(100) if str(message) == "same"]
        assert len({(message.sequence_number or 0) >> 48 for message in keyed}) == 1
