"""The administration API as the official asynchronous Python SDK uses it, over HTTPS."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.servicebus.management import SqlRuleFilter

from tests.emulator.administration_server import AdministrationServer, serve_administration

pytest.importorskip("aiohttp", reason="the asynchronous SDK speaks HTTP through aiohttp, which is not installed")

from azure.servicebus.aio.management import ServiceBusAdministrationClient


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AdministrationServer]:
    with serve_administration(tmp_path) as server:
        yield server


@pytest.fixture
async def client(server: AdministrationServer) -> AsyncIterator[ServiceBusAdministrationClient]:
    async with ServiceBusAdministrationClient.from_connection_string(
        server.connection_string(), connection_verify=str(server.authority_file), retry_total=0
    ) as client:
        yield client


async def test_the_asynchronous_client(client: ServiceBusAdministrationClient) -> None:
    await client.create_topic("orders", user_metadata="m")
    subscription = await client.create_subscription("orders", "all", lock_duration=timedelta(seconds=20))
    assert subscription.lock_duration == timedelta(seconds=20)
    await client.create_rule("orders", "all", "rule", filter=SqlRuleFilter("a = @b", parameters={"@b": 1}))
    rule = await client.get_rule("orders", "all", "rule")
    assert rule.filter.parameters == {"@b": 1}
    assert [rule.name async for rule in client.list_rules("orders", "all")] == ["$Default", "rule"]
    await client.update_topic(await client.get_topic("orders"), user_metadata="n")
    assert (await client.get_topic("orders")).user_metadata == "n"
    assert (await client.get_subscription_runtime_properties("orders", "all")).active_message_count == 0
    with pytest.raises(ResourceExistsError):
        await client.create_topic("orders")
    await client.delete_rule("orders", "all", "rule")
    await client.delete_subscription("orders", "all")
    await client.delete_topic("orders")
    assert [topic.name async for topic in client.list_topics()] == []
    with pytest.raises(ResourceNotFoundError):
        await client.get_topic("orders")
    await client.create_queue("queue")
    assert (await client.get_queue_runtime_properties("queue")).total_message_count == 0
    await client.delete_queue("queue")
