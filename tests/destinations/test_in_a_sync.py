"""What changes of a destination do to the next sync: a real Service Bus (the emulator) and real worker processes."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow.parquet as pq
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from syncline.emulator.emulator import EmulatorThread
from syncline.emulator.topology import load_topology

KEY = "cm9vdC1rZXktcm9vdC1rZXktcm9vdC1rZXktMTIzNDU2Nzg="


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    topic = {"Name": "orders", "Properties": {}, "Subscriptions": [{"Name": "reader", "Properties": {}, "Rules": []}]}
    policy = {"KeyName": "Root", "Key": KEY, "Claims": ["Manage"]}
    namespace = {"Name": "test", "Queues": [], "Topics": [topic], "SharedAccessPolicies": [policy]}
    with EmulatorThread(load_topology({"UserConfig": {"Namespaces": [namespace]}})) as running:
        yield running


def publish(emulator: EmulatorThread, numbers: range) -> None:
    with (
        ServiceBusClient.from_connection_string(emulator.connection_string("Root")) as client,
        client.get_topic_sender("orders") as sender,
    ):
        sender.send_messages(
            [ServiceBusMessage(json.dumps({"number": number}), message_id=f"m{number}") for number in numbers]
        )


async def create(client: httpx.AsyncClient, emulator: EmulatorThread, group_id: str, **destination: Any) -> str:
    """A destination and a connection, which begins to sync at once."""
    answer = await client.post("/v1/destinations", json={"group_id": group_id, "time_zone_offset": "0", **destination})
    assert answer.json()["data"]["setup_status"] == "connected", answer.text
    answer = await client.post(
        "/v1/connections",
        json={
            "group_id": group_id,
            "service": "azure_service_bus",
            "sync_frequency": 1440,
            "config": {
                "schema": "bus",
                "auth_type": "ConnectionString",
                "connection_string": emulator.connection_string("Root"),
                "connection_method": "DIRECT",
                "has_manage_permissions": True,
                "subscriber_name": "reader",
                "message_type": "Json",
                "sync_type": "Unpacked",
            },
        },
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


async def synced(client: httpx.AsyncClient, connection_id: str, since: str | None) -> str:
    """Wait until a sync succeeds after `since`."""
    deadline = time.monotonic() + 60
    while True:
        data = (await client.get(f"/v1/connections/{connection_id}")).json()["data"]
        if data["succeeded_at"] != since:
            return str(data["succeeded_at"])
        assert time.monotonic() < deadline, data
        await asyncio.sleep(0.05)


async def test_a_lake_in_a_folder(
    client: httpx.AsyncClient, group_id: str, emulator: EmulatorThread, tmp_path: Path
) -> None:
    await asyncio.to_thread(publish, emulator, range(100))
    config = {"storage_provider": "LOCAL", "path": str(tmp_path / "lake")}
    connection_id = await create(client, emulator, group_id, service="managed_data_lake", config=config)
    first = await synced(client, connection_id, None)
    await asyncio.to_thread(publish, emulator, range(100, 130))
    assert (await client.post(f"/v1/connections/{connection_id}/sync", json={"force": False})).status_code == 200
    await synced(client, connection_id, first)
    table = pq.read_table(tmp_path / "lake" / "bus" / "orders" / "data.parquet")
    assert sorted(table.column("value_number").to_pylist()) == list(range(130))
    with duckdb.connect() as connection:
        pattern = tmp_path / "lake" / "bus" / "orders" / "*.parquet"
        assert connection.execute(f"SELECT count(DISTINCT message_id) FROM '{pattern}'").fetchall() == [(130,)]


async def test_the_next_sync_goes_to_the_changed_destination(
    client: httpx.AsyncClient, group_id: str, emulator: EmulatorThread, tmp_path: Path
) -> None:
    await asyncio.to_thread(publish, emulator, range(10))
    config = {"path": str(tmp_path / "old.duckdb")}
    connection_id = await create(client, emulator, group_id, service="duckdb", config=config)
    first = await synced(client, connection_id, None)
    change = {"config": {"path": str(tmp_path / "new.duckdb")}}
    answer = await client.patch(f"/v1/destinations/{group_id}", json=change)
    assert answer.json()["data"]["setup_status"] == "connected"
    await asyncio.to_thread(publish, emulator, range(10, 15))
    assert (await client.post(f"/v1/connections/{connection_id}/sync", json={"force": False})).status_code == 200
    await synced(client, connection_id, first)
    with duckdb.connect(str(tmp_path / "new.duckdb")) as connection:
        found = connection.execute("SELECT value_number FROM bus.orders ORDER BY 1").fetchall()
    assert [number for (number,) in found] == list(range(10, 15))
