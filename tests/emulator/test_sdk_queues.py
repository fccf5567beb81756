"""The official Python SDK against queues: every settlement, deferral, schedules, locks, dead letters."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
)

from syncline.emulator.descriptions import QueueDescription, RuntimeCounts
from syncline.emulator.emulator import EmulatorThread


@contextmanager
def own_queue(emulator: EmulatorThread, lock_duration: timedelta) -> Iterator[str]:
    name = f"queue-{time.monotonic_ns()}"
    description = QueueDescription(name, lock_duration=lock_duration, max_delivery_count=3)
    emulator.call(lambda namespace: namespace.create_queue(description))
    yield name
    emulator.call(lambda namespace: namespace.delete_queue(name))


@pytest.fixture
def queue(emulator: EmulatorThread) -> Iterator[str]:
    """A queue of the test's own."""
    with own_queue(emulator, timedelta(minutes=1)) as name:
        yield name


@pytest.fixture
def impatient_queue(emulator: EmulatorThread) -> Iterator[str]:
    """A queue of the test's own, with locks of two seconds."""
    with own_queue(emulator, timedelta(seconds=2)) as name:
        yield name


def send(client: ServiceBusClient, queue: str, *bodies: str, **options: object) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([ServiceBusMessage(body, **options) for body in bodies])  # type: ignore[arg-type]


def counts(emulator: EmulatorThread, queue: str) -> RuntimeCounts:
    return emulator.call(lambda namespace: namespace.queue_counts(queue))


def test_receive_and_delete_leaves_nothing(emulator: EmulatorThread, client: ServiceBusClient, queue: str) -> None:
    send(client, queue, *map(str, range(30)))
    with client.get_queue_receiver(queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        bodies: list[str] = []
        while len(bodies) < 30:
            bodies += [str(message) for message in receiver.receive_messages(12, max_wait_time=5)]
    assert bodies == [str(number) for number in range(30)]
    assert counts(emulator, queue).total == 0


def test_iterating_a_receiver_ends_after_its_wait(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", "b")
    seen = []
    with client.get_queue_receiver(queue, max_wait_time=0.5, prefetch_count=5) as receiver:
        for message in receiver:
            seen.append(str(message))
            receiver.complete_message(message)
    assert seen == ["a", "b"]


def test_a_deferred_message_is_received_by_its_number(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "later", "now")
    with client.get_queue_receiver(queue) as receiver:
        later, now = receiver.receive_messages(2, max_wait_time=5)
        receiver.defer_message(later)
        receiver.complete_message(now)
        (peeked,) = receiver.peek_messages(5, sequence_number=1)
        assert peeked.state == ServiceBusMessageState.DEFERRED
        (deferred,) = receiver.receive_deferred_messages(peeked.sequence_number or 0)
        assert str(deferred) == "later"
        receiver.complete_message(deferred)
        with pytest.raises(MessageNotFoundError):
            receiver.receive_deferred_messages(peeked.sequence_number or 0)


def test_a_dead_lettered_message_tells_why(emulator: EmulatorThread, client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "bad", application_properties={"tries": 1})
    with client.get_queue_receiver(queue) as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        receiver.dead_letter_message(message, reason="malformed", error_description="It has no total.")
    assert counts(emulator, queue).dead_letter == 1
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        (peeked,) = receiver.peek_messages(10)
        assert peeked.dead_letter_reason == "malformed"
        (dead,) = receiver.receive_messages(10, max_wait_time=5)
        assert dead.dead_letter_reason == "malformed"
        assert dead.dead_letter_error_description == "It has no total."
        assert dead.dead_letter_source == queue
        assert (dead.application_properties or {})[b"tries"] == 1
        receiver.complete_message(dead)
    assert counts(emulator, queue).total == 0


def test_a_message_abandoned_too_often_is_dead_lettered(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "poison")
    with client.get_queue_receiver(queue) as receiver:
        for attempt in range(3):
            (message,) = receiver.receive_messages(1, max_wait_time=5)
            assert message.delivery_count == attempt
            receiver.abandon_message(message)
        assert receiver.peek_messages(1) == []
    with client.get_queue_receiver(queue, sub_queue="deadletter") as receiver:
        (dead,) = receiver.peek_messages(1)
        assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"


def test_a_lock_runs_out_and_the_message_comes_again(client: ServiceBusClient, impatient_queue: str) -> None:
    send(client, impatient_queue, "slow")
    with client.get_queue_receiver(impatient_queue) as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        (again,) = receiver.receive_messages(1, max_wait_time=5)
        assert again.delivery_count == 1
        with pytest.raises(MessageLockLostError):
            receiver.complete_message(message)
        receiver.complete_message(again)


def test_a_lock_lost_at_the_service_is_told_on_settling(emulator: EmulatorThread, client: ServiceBusClient) -> None:
    send(client, "plain", "gone")
    with client.get_queue_receiver("plain") as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        token = message.lock_token.bytes_le  # type: ignore[union-attr]
        emulator.call(lambda namespace: namespace.queue("plain").store.complete(token))
        with pytest.raises(MessageLockLostError):
            receiver.complete_message(message)


def test_a_lock_is_renewed(client: ServiceBusClient, impatient_queue: str) -> None:
    send(client, impatient_queue, "slow")
    with client.get_queue_receiver(impatient_queue) as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        before = message.locked_until_utc
        time.sleep(1.2)
        after = receiver.renew_message_lock(message)
        assert before is not None
        assert after > before
        time.sleep(1.0)
        receiver.complete_message(message)
        assert receiver.peek_messages(1) == []


def test_scheduled_messages_come_in_time_or_are_cancelled(
    emulator: EmulatorThread, client: ServiceBusClient, queue: str
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=1)
    with client.get_queue_sender(queue) as sender:
        first, second = sender.schedule_messages([ServiceBusMessage("first"), ServiceBusMessage("second")], due)
        with client.get_queue_receiver(queue) as receiver:
            peeked = receiver.peek_messages(5)
            assert [message.state for message in peeked] == [ServiceBusMessageState.SCHEDULED] * 2
            assert counts(emulator, queue).scheduled == 2
            sender.cancel_scheduled_messages(second)
            with pytest.raises(ServiceBusError, match=str(second)):
                sender.cancel_scheduled_messages(second)
            (message,) = receiver.receive_messages(2, max_wait_time=5)
            assert datetime.now(UTC) >= due
            assert str(message) == "first"
            assert (message.sequence_number or 0) > first
            receiver.complete_message(message)


def test_a_message_may_carry_its_own_schedule(client: ServiceBusClient, queue: str) -> None:
    due = datetime.now(UTC) + timedelta(seconds=1)
    with client.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage("later", scheduled_enqueue_time_utc=due))
    with client.get_queue_receiver(queue, receive_mode="receiveanddelete") as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        assert datetime.now(UTC) >= due
        assert str(message) == "later"
        assert message.scheduled_enqueue_time_utc is not None


def test_an_expired_message_is_found_among_the_dead_letters(client: ServiceBusClient) -> None:
    send(client, "short-lived", "mayfly")
    with client.get_queue_receiver("short-lived", sub_queue="deadletter") as receiver:
        (dead,) = receiver.receive_messages(1, max_wait_time=5)
        assert dead.dead_letter_reason == "TTLExpiredException"
        receiver.complete_message(dead)
    with client.get_queue_receiver("short-lived") as receiver:
        assert receiver.peek_messages(1) == []


def test_duplicates_are_dropped(client: ServiceBusClient) -> None:
    send(client, "unique", "one", message_id="same")
    send(client, "unique", "two", message_id="same")
    send(client, "unique", "three", message_id="other")
    with client.get_queue_receiver("unique", receive_mode="receiveanddelete") as receiver:
        assert [str(message) for message in receiver.receive_messages(5, max_wait_time=2)] == ["one", "three"]


def test_a_message_without_an_identifier_has_none_and_duplicates_nothing(client: ServiceBusClient) -> None:
    with client.get_queue_sender("unique") as sender:
        sender.send_messages([AmqpAnnotatedMessage(data_body=body) for body in (b"one", b"two")])
    with client.get_queue_receiver("unique", receive_mode="receiveanddelete") as receiver:
        received = receiver.receive_messages(5, max_wait_time=2)
        assert [(str(message), message.message_id) for message in received] == [("one", None), ("two", None)]


def test_a_queue_forwards_to_another(client: ServiceBusClient) -> None:
    send(client, "forwarding", "onward")
    with client.get_queue_receiver("plain", receive_mode="receiveanddelete") as receiver:
        assert [str(message) for message in receiver.receive_messages(5, max_wait_time=2)] == ["onward"]


def test_a_message_that_is_too_large_is_refused(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, pytest.raises(MessageSizeExceededError):
        sender.send_messages(ServiceBusMessage(b"x" * 300_000))


def test_a_full_queue_refuses_what_comes(client: ServiceBusClient) -> None:
    with client.get_queue_sender("small") as sender:
        for _ in range(5):
            sender.send_messages(ServiceBusMessage(b"x" * 200_000))
        with pytest.raises(ServiceBusQuotaExceededError, match="1 MB"):
            sender.send_messages(ServiceBusMessage(b"x" * 200_000))


def test_a_disabled_queue_is_told_to_be(emulator: EmulatorThread, client: ServiceBusClient, queue: str) -> None:
    disabled = QueueDescription(queue, status="Disabled")
    emulator.call(lambda namespace: namespace.update_queue(disabled))
    with pytest.raises(MessagingEntityDisabledError), client.get_queue_receiver(queue):
        pass
    with pytest.raises(MessagingEntityDisabledError), client.get_queue_sender(queue):
        pass


def test_what_a_closed_receiver_held_is_given_back(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", "b")
    with client.get_queue_receiver(queue, prefetch_count=10) as receiver:
        receiver.receive_messages(1, max_wait_time=5)
    with client.get_queue_receiver(queue) as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        assert str(message) == "b"
