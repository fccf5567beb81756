"""What the SDK sees of a namespace as a whole: claims, administration on the same port, lost connections."""

import http.client

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import (
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusServerBusyError,
)

from syncline.emulator.emulator import EmulatorThread
from syncline.emulator.errors import InvalidEntityError


def test_a_wrong_key_is_not_accepted(emulator: EmulatorThread) -> None:
    wrong = emulator.connection_string().replace("SAS_KEY_VALUE", "guessed")
    with (
        ServiceBusClient.from_connection_string(wrong, retry_total=0) as client,
        pytest.raises(ServiceBusAuthenticationError),
        client.get_queue_sender("plain"),
    ):
        pass


def test_a_policy_allows_what_its_claims_say(emulator: EmulatorThread) -> None:
    with ServiceBusClient.from_connection_string(emulator.connection_string("send-only"), retry_total=0) as client:
        with client.get_queue_sender("plain") as sender:
            sender.send_messages(ServiceBusMessage("x"))
        with pytest.raises(ServiceBusAuthorizationError, match="Listen"), client.get_queue_receiver("plain"):
            pass


def test_a_connection_string_names_a_policy_that_exists(emulator: EmulatorThread) -> None:
    assert "EntityPath=plain;" in emulator.connection_string("listen-only", "plain")
    with pytest.raises(InvalidEntityError, match="listen-only"):
        emulator.connection_string("nobody")
    with pytest.raises(InvalidEntityError, match="TLS"):
        emulator.connection_string(tls=True)


def test_http_is_answered_on_the_port_of_amqp(emulator: EmulatorThread) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=5)
    connection.request("GET", "/$emulator/health")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_client_connects_again_after_its_connection_was_cut(emulator: EmulatorThread) -> None:
    with (
        ServiceBusClient.from_connection_string(
            emulator.connection_string(), retry_total=3, retry_backoff_factor=0.1
        ) as client,
        client.get_subscription_receiver("events", "audit") as receiver,
    ):
        assert receiver.peek_messages(1) == []
        emulator.call(lambda namespace: namespace.faults.apply({"fault": "drop_connections"}))
        assert receiver.peek_messages(1) == []


def test_throttling_is_told_as_server_busy(emulator: EmulatorThread, client: ServiceBusClient) -> None:
    with client.get_subscription_receiver("events", "audit") as receiver:
        emulator.call(lambda namespace: namespace.faults.apply({"fault": "throttle", "entity": "events", "count": 1}))
        with pytest.raises(ServiceBusServerBusyError, match="10 seconds"):
            receiver.peek_messages(1)
        assert receiver.peek_messages(1) == []


def test_the_sdk_lists_sessions(client: ServiceBusClient) -> None:
    with client.get_queue_sender("with-sessions") as sender:
        sender.send_messages([ServiceBusMessage("x", session_id=name) for name in ("b", "a")])
    assert list(client.list_queue_sessions("with-sessions")) == ["a", "b"]
