"""The official Python SDK and sessions: accept one or the next, its lock, its state."""

import time

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)


def send(client: ServiceBusClient, queue: str, *messages: tuple[str, str]) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([ServiceBusMessage(body, session_id=session) for session, body in messages])


def test_a_named_session_gives_its_own_messages_in_order(client: ServiceBusClient) -> None:
    send(client, "with-sessions", ("red", "r1"), ("blue", "b1"), ("red", "r2"))
    with client.get_queue_receiver("with-sessions", session_id="red") as receiver:
        messages = receiver.receive_messages(5, max_wait_time=2)
        assert [(message.session_id, str(message)) for message in messages] == [("red", "r1"), ("red", "r2")]
        assert receiver.session.locked_until_utc is not None
        with (
            pytest.raises(SessionCannotBeLockedError),
            client.get_queue_receiver("with-sessions", session_id="red"),
        ):
            pass
        for message in messages:
            receiver.complete_message(message)
        assert receiver.peek_messages(5) == []
    with client.get_queue_receiver("with-sessions", session_id=NEXT_AVAILABLE_SESSION) as receiver:
        assert receiver.session.session_id == "blue"
        (message,) = receiver.receive_messages(5, max_wait_time=2)
        assert str(message) == "b1"
        receiver.complete_message(message)


def test_waiting_for_the_next_session_ends_in_time(client: ServiceBusClient) -> None:
    started = time.monotonic()
    with (
        pytest.raises(OperationTimeoutError),
        client.get_queue_receiver("with-sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=0.5),
    ):
        pass
    assert time.monotonic() - started < 10


def test_the_state_of_a_session_is_kept_and_sessions_are_listed(client: ServiceBusClient) -> None:
    send(client, "with-sessions", ("green", "g1"))
    with client.get_queue_receiver("with-sessions", session_id="green") as receiver:
        assert receiver.session.get_state() is None
        receiver.session.set_state(b"half way")
        before = receiver.session.locked_until_utc
        assert before is not None
        time.sleep(0.01)
        assert receiver.session.renew_lock() > before
    with client.get_queue_receiver("with-sessions", session_id="green") as receiver:
        assert receiver.session.get_state() == b"half way"
        (message,) = receiver.receive_messages(1, max_wait_time=2)
        receiver.complete_message(message)
        receiver.session.set_state(None)


def test_a_session_lock_that_runs_out_is_lost(client: ServiceBusClient) -> None:
    send(client, "short-sessions", ("s", "one"))
    with client.get_queue_receiver("short-sessions", session_id="s") as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=2)
        time.sleep(2.3)
        with pytest.raises((SessionLockLostError, ServiceBusError)):
            receiver.complete_message(message)
    with client.get_queue_receiver("short-sessions", session_id="s") as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=2)
        assert message.delivery_count == 1
        receiver.complete_message(message)


def test_a_deferred_message_of_a_session_is_received_in_it(client: ServiceBusClient) -> None:
    send(client, "with-sessions", ("yellow", "y1"))
    with client.get_queue_receiver("with-sessions", session_id="yellow") as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=2)
        receiver.defer_message(message)
        (deferred,) = receiver.receive_deferred_messages(message.sequence_number or 0)
        receiver.complete_message(deferred)


def test_a_message_without_a_session_is_refused(client: ServiceBusClient) -> None:
    with client.get_queue_sender("with-sessions") as sender, pytest.raises(ServiceBusError, match="session id"):
        sender.send_messages(ServiceBusMessage("nobody's"))


def test_a_receiver_without_a_session_is_refused(client: ServiceBusClient) -> None:
    with pytest.raises(ServiceBusError, match="requires sessions"), client.get_queue_receiver("with-sessions"):
        pass
