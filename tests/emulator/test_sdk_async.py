"""The official Python SDK, its asyncio half, against an emulator on the same event loop, over TLS too."""

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage, ServiceBusReceiveMode, TransportType
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient

from syncline.emulator.emulator import Emulator

from .conftest import topology


@pytest.fixture
async def running() -> AsyncIterator[Emulator]:
    async with Emulator(topology()) as emulator:
        yield emulator


@pytest.fixture
async def async_client(running: Emulator) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(
        running.connection_string(), retry_total=0, keep_alive=0
    ) as opened:
        yield opened


async def test_send_peek_and_every_settlement(running: Emulator, async_client: ServiceBusClient) -> None:
    async with async_client.get_topic_sender("events") as sender:
        batch = await sender.create_message_batch()
        for name in ("complete", "abandon", "defer", "dead-letter"):
            batch.add_message(ServiceBusMessage(name, message_id=name))
        await sender.send_messages(batch)
    async with async_client.get_subscription_receiver("events", "audit") as receiver:
        assert [message.message_id for message in await receiver.peek_messages(10)] == [
            "complete",
            "abandon",
            "defer",
            "dead-letter",
        ]
        complete, abandon, defer, dead = await receiver.receive_messages(4, max_wait_time=5)
        await receiver.complete_message(complete)
        await receiver.abandon_message(abandon)
        await receiver.defer_message(defer)
        await receiver.dead_letter_message(dead, reason="because", error_description="of this")
        await receiver.renew_message_lock((await receiver.receive_messages(1, max_wait_time=5))[0])
        (deferred,) = await receiver.receive_deferred_messages(3)
        await receiver.complete_message(deferred)
    counts = running.namespace.subscription_counts("events", "audit")
    assert (counts.active, counts.dead_letter) == (1, 1)
    async with async_client.get_subscription_receiver(
        "events", "audit", sub_queue="deadletter", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
    ) as receiver:
        (message,) = await receiver.receive_messages(5, max_wait_time=5)
        assert message.dead_letter_reason == "because"
        assert message.dead_letter_source == "events/Subscriptions/audit"


async def test_sessions_and_schedules(async_client: ServiceBusClient) -> None:
    async with async_client.get_queue_sender("short-sessions") as sender:
        await sender.schedule_messages(
            ServiceBusMessage("hello", session_id="s"), datetime.now(UTC) + timedelta(seconds=0.3)
        )
    async with async_client.get_queue_receiver(
        "short-sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=10
    ) as receiver:
        assert receiver.session.session_id == "s"
        async with AutoLockRenewer() as renewer:
            renewer.register(receiver, receiver.session)
            await receiver.session.set_state("started")
            assert await receiver.session.get_state() == b"started"
            (message,) = await receiver.receive_messages(1, max_wait_time=5)
            await receiver.complete_message(message)


async def test_over_tls_with_the_certificate_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    async with Emulator(topology(), tls=context) as emulator:
        host = f"sb://127.0.0.1:{emulator.tls_port}"
        async with ServiceBusClient.from_connection_string(
            emulator.connection_string(tls=True),
            retry_total=0,
            keep_alive=0,
            connection_verify=str(bundle),
            custom_endpoint_address=host,
            transport_type=TransportType.Amqp,
        ) as client:
            async with client.get_queue_sender("plain") as sender:
                await sender.send_messages(ServiceBusMessage("secret"))
            async with client.get_queue_receiver("plain") as receiver:
                assert [str(message) for message in await receiver.peek_messages(1)] == ["secret"]
