"""A connected connection to a Service Bus (the emulator) and a DuckDB file, synced in this process."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.management import ServiceBusAdministrationClient

from syncline.connectors.azure_service_bus.config import AzureServiceBusConfig
from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.base import SourceContext
from syncline.emulator.emulator import EmulatorThread
from syncline.emulator.topology import load_topology
from syncline.engine.worker import run_connection
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Run, RunState
from syncline.store.sealing import load_sealer

KEY = "cm9vdC1rZXktcm9vdC1rZXktcm9vdC1rZXktMTIzNDU2Nzg="


def _topic(name: str) -> dict[str, Any]:
    return {"Name": name, "Properties": {}, "Subscriptions": [{"Name": "reader", "Properties": {}, "Rules": []}]}


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    namespace = {
        "Name": "test",
        "Queues": [],
        "Topics": [_topic("orders"), _topic("sales/Payments.EU")],
        "SharedAccessPolicies": [{"KeyName": "Root", "Key": KEY, "Claims": ["Manage"]}],
    }
    with EmulatorThread(load_topology({"UserConfig": {"Namespaces": [namespace]}})) as running:
        yield running


class Connected:
    """The connection, and what is around it."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        settings: Settings,
        emulator: EmulatorThread,
        connection_id: str,
        warehouse: Path,
    ) -> None:
        self.client = client
        self.id = connection_id
        self.path = f"/v1/connections/{connection_id}/schemas"
        self.emulator = emulator
        self.warehouse = warehouse
        self._settings = settings

    async def publish(self, topic: str, *messages: tuple[str, Any], **properties: Any) -> None:
        """Publish messages: the identifier and the body of each."""

        def send() -> None:
            with (
                ServiceBusClient.from_connection_string(self.emulator.connection_string("Root")) as bus,
                bus.get_topic_sender(topic) as sender,
            ):
                sender.send_messages(
                    [ServiceBusMessage(json.dumps(body), message_id=name, **properties) for name, body in messages]
                )

        await asyncio.to_thread(send)

    async def create_topic(self, name: str) -> None:
        """Add a topic to the namespace."""

        def create() -> None:
            with self._administration() as administration:
                administration.create_topic(name)
                administration.create_subscription(name, "reader")

        await asyncio.to_thread(create)

    async def delete_topic(self, name: str) -> None:
        """Remove a topic from the namespace."""

        def delete() -> None:
            with self._administration() as administration:
                administration.delete_topic(name)

        await asyncio.to_thread(delete)

    def _administration(self) -> AbstractContextManager[ServiceBusAdministrationClient]:
        config = {"schema": "bus", "connection_string": self.emulator.connection_string("Root")}
        return Namespace(SourceContext("", "bus", AzureServiceBusConfig.parse(config))).administration()

    async def sync(self) -> Run:
        """Sync in this process, and expect it to succeed."""

        def work() -> Run:
            database = Database(self._settings.store_url)
            try:
                run, ending = run_connection(database, load_sealer(self._settings), self._settings, self.id)
            finally:
                database.close_sync()
            assert ending.state is RunState.SUCCEEDED, ending.error
            return run

        return await asyncio.to_thread(work)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """What the warehouse says."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(statement).fetchall()

    def columns(self, table: str) -> list[str]:
        """The columns of a table in the warehouse."""
        return [
            name for (name,) in self.query(f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}'")
        ]

    async def answer(self, method: str, path: str = "", body: Any = None) -> Any:
        """The data of a successful answer."""
        answer = await self.client.request(method, self.path + path, json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["code"] == "Success"
        return answer.json().get("data")

    async def refusal(self, method: str, path: str = "", body: Any = None) -> tuple[int, str, str]:
        """Status, code and message of an answer that is none."""
        answer = await self.client.request(method, self.path + path, json=body)
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["code"], answer.json()["message"]

    async def table(self, name: str = "orders") -> Any:
        """A table of the schema config."""
        return (await self.answer("GET"))["schemas"]["bus"]["tables"][name]

    async def warnings(self, code: str) -> list[str]:
        """The messages of the connection's warnings with this code."""
        data = (await self.client.get(f"/v1/connections/{self.id}")).json()["data"]
        return [warning["message"] for warning in data["status"]["warnings"] if warning["code"] == code]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """One worker process is enough: the tests sync in their own."""
    return settings.model_copy(update={"concurrent_syncs": 1})


@pytest.fixture
async def group_id(client: httpx.AsyncClient, tmp_path: Path) -> str:
    group_id: str = (await client.post("/v1/groups", json={"name": "tests"})).json()["data"]["id"]
    destination = {
        "group_id": group_id,
        "service": "duckdb",
        "time_zone_offset": "0",
        "config": {"path": str(tmp_path / "warehouse.duckdb")},
        "run_setup_tests": False,
    }
    answer = await client.post("/v1/destinations", json=destination)
    assert answer.status_code == 201, answer.text
    return group_id


Connect = Callable[..., Awaitable[Connected]]


@pytest.fixture
def connect(
    client: httpx.AsyncClient, group_id: str, settings: Settings, emulator: EmulatorThread, tmp_path: Path
) -> Connect:
    """Makes a connection with these fields of `config`. It is paused, so that nothing but the test syncs it."""

    async def make(naming: str | None = None, **config: Any) -> Connected:
        usual = {
            "schema": "bus",
            "auth_type": "ConnectionString",
            "connection_string": emulator.connection_string("Root"),
            "has_manage_permissions": True,
            "subscriber_name": "reader",
            "message_type": "Json",
            "sync_type": "Unpacked",
        }
        body = {
            "group_id": group_id,
            "service": "azure_service_bus",
            "paused": True,
            "destination_schema_names": naming,
            "config": usual | config,
        }
        answer = await client.post("/v1/connections", json=body)
        assert answer.status_code == 201, answer.text
        data = answer.json()["data"]
        assert data["status"]["setup_state"] == "connected", data["setup_tests"]
        return Connected(client, settings, emulator, data["id"], tmp_path / "warehouse.duckdb")

    return make


@pytest.fixture
async def connection(connect: Connect) -> Connected:
    return await connect()
