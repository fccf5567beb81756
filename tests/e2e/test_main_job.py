"""The main job: messages of a Service Bus become rows of a warehouse, through `POST /v1/connections`."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.management import ServiceBusAdministrationClient

from syncline.connectors.azure_service_bus.config import AzureServiceBusConfig
from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.base import SourceContext
from tests.e2e.product import Server, connection_body, emulator_process, publish, server_process, wait_until
from tests.e2e.warehouse import ReadTable, assert_same_messages, duckdb_reader, postgresql_reader
from tests.support.postgres import PostgresServer


@dataclass
class Warehouse:
    """A destination to load into, and the way to read it back."""

    service: str
    config: dict[str, Any]
    read: ReadTable


@pytest.fixture(params=["duckdb", "postgres_warehouse"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    if request.param == "duckdb":
        path = tmp_path / "warehouse.duckdb"
        return Warehouse("duckdb", {"path": str(path)}, duckdb_reader(path))
    return _postgresql(request.getfixturevalue("postgres"), request.getfixturevalue("postgres_database"))


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    with emulator_process(tmp_path, {"orders": ["syncline"], "payments": ["syncline"]}) as connection_string:
        yield connection_string


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with server_process(tmp_path) as server:
        yield server


def test_messages_become_rows_and_only_new_ones_are_read_again(bus: str, server: Server, warehouse: Warehouse) -> None:
    orders: dict[str, Any] = {f"order-{number}": {"number": number, "total": 10} for number in range(300)}
    payments: dict[str, Any] = {f"payment-{number}": {"number": number} for number in range(200)}
    publish(bus, "orders", orders)
    publish(bus, "payments", payments)
    group_id = server.create_group(warehouse.service, warehouse.config)

    created = server.call("POST", "/v1/connections", connection_body(group_id, bus, "bus", subscriber_name="syncline"))
    assert created["status"]["setup_state"] == "connected", created["setup_tests"]
    assert {test["status"] for test in created["setup_tests"]} <= {"PASSED", "SKIPPED"}
    assert created["status"]["is_historical_sync"] is True
    first = server.wait_for_sync(created["id"])
    assert first["source_sync_details"]["rows"] == 500
    assert first["status"]["is_historical_sync"] is False
    assert_same_messages(warehouse.read("bus", "orders"), orders, "number")
    assert_same_messages(warehouse.read("bus", "payments"), payments, "number")

    # A field appears, and a number that was whole becomes a decimal: same table, wider column, no second one.
    more: dict[str, Any] = {
        f"order-{number}": {"number": number, "total": 10.5, "tier": "gold", "lines": [{"sku": "é"}]}
        for number in range(300, 340)
    }
    publish(bus, "orders", more)
    server.call("POST", f"/v1/connections/{created['id']}/sync", {"force": False})
    second = server.wait_for_sync(created["id"], since=first["succeeded_at"])
    assert second["source_sync_details"]["rows"] == 40
    rows = warehouse.read("bus", "orders")
    assert_same_messages(rows, {**orders, **more}, "number")
    by_id = {row["message_id"]: row for row in rows}
    assert Decimal(str(by_id["order-0"]["value_total"])) == 10
    assert Decimal(str(by_id["order-339"]["value_total"])) == Decimal("10.5")
    assert by_id["order-0"]["value_tier"] is None
    assert by_id["order-339"]["value_tier"] == "gold"
    assert _json(by_id["order-339"]["value_lines"]) == [{"sku": "é"}]
    assert [name for name in by_id["order-0"] if name.startswith("value_total")] == ["value_total"]


def test_every_system_column_is_there(bus: str, server: Server, warehouse: Warehouse) -> None:
    publish(
        bus,
        "orders",
        {"one": {"number": 1}},
        correlation_id="correlation",
        content_type="application/json",
        session_id="session",
        application_properties={"origin": "test", "attempt": 3},
    )
    group_id = server.create_group(warehouse.service, warehouse.config)
    body = connection_body(group_id, bus, "bus", subscriber_name="syncline", sync_type="Packed")
    connection = server.call("POST", "/v1/connections", body)
    server.wait_for_sync(connection["id"])
    (row,) = warehouse.read("bus", "orders")
    assert row["message_id"] == "one"
    assert row["sequence_num"] >= 1
    assert row["correlation_id"] == "correlation"
    assert row["content_type"] == "application/json"
    assert row["session_id"] == "session"
    assert _json(row["application_properties"]) == {"origin": "test", "attempt": 3}
    assert _json(row["value"]) == {"number": 1}
    assert abs(_utc(row["enqueued_time"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert abs(_utc(row["_fivetran_synced"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert {
        "enqueued_sequence_number",
        "dead_letter_error_description",
        "dead_letter_reason",
        "dead_letter_source",
    } <= row.keys()


def test_a_message_that_is_not_json_is_kept_aside_with_its_bytes(
    bus: str, server: Server, warehouse: Warehouse
) -> None:
    with ServiceBusClient.from_connection_string(bus) as client, client.get_topic_sender("orders") as sender:
        sender.send_messages(ServiceBusMessage(b'{"number": 1}', message_id="good"))
        sender.send_messages(ServiceBusMessage(b'{"number": \xff}', message_id="bad"))
    group_id = server.create_group(warehouse.service, warehouse.config)
    body = connection_body(group_id, bus, "bus", subscriber_name="syncline")
    connection = server.call("POST", "/v1/connections", body)
    synced = server.wait_for_sync(connection["id"])
    assert [row["message_id"] for row in warehouse.read("bus", "orders")] == ["good"]
    (rejected,) = warehouse.read("bus", "orders__rejected")
    assert rejected["message_id"] == "bad"
    assert bytes(rejected["body"]) == b'{"number": \xff}'
    assert rejected["reason"]
    (warning,) = synced["status"]["warnings"]
    assert warning["code"] == "rejected_messages"
    assert warning["message"].startswith("1 message of orders could not be decoded")


def test_topics_and_subscriptions_are_found_and_made_with_manage_permissions(
    bus: str, server: Server, warehouse: Warehouse
) -> None:
    group_id = server.create_group(warehouse.service, warehouse.config)
    created = server.call("POST", "/v1/connections", connection_body(group_id, bus, "bus"))
    assert created["status"]["setup_state"] == "connected", created["setup_tests"]
    with _administration(bus) as administration:
        for topic in ("orders", "payments"):
            subscription = administration.get_subscription(topic, "fivetran_sub_bus")
            assert subscription.default_message_time_to_live == timedelta(days=7)
    first = server.wait_for_sync(created["id"])
    publish(bus, "payments", {"one": {"number": 1}})
    server.call("POST", f"/v1/connections/{created['id']}/sync", {"force": False})
    server.wait_for_sync(created["id"], since=first["succeeded_at"])
    assert_same_messages(warehouse.read("bus", "payments"), {"one": {"number": 1}}, "number")


def test_deleting_a_connection_stops_its_sync_and_leaves_its_tables(
    bus: str, server: Server, warehouse: Warehouse
) -> None:
    publish(bus, "orders", {"one": {"number": 1}})
    group_id = server.create_group(warehouse.service, warehouse.config)
    connection = server.call(
        "POST", "/v1/connections", connection_body(group_id, bus, "bus", subscriber_name="syncline")
    )
    server.wait_for_sync(connection["id"])
    server.call("DELETE", f"/v1/connections/{connection['id']}")
    assert server.request("GET", f"/v1/connections/{connection['id']}").status_code == 404
    assert len(warehouse.read("bus", "orders")) == 1


@pytest.mark.parametrize("warehouse", ["duckdb"], indirect=True)
def test_ctrl_c_in_the_middle_of_a_sync_loses_nothing(bus: str, tmp_path: Path, warehouse: Warehouse) -> None:
    orders: dict[str, Any] = {f"order-{number}": {"number": number} for number in range(4000)}
    publish(bus, "orders", orders)
    server = Server(tmp_path, {"SYNCLINE_BATCH_ROWS": "200"})
    server.start()
    group_id = server.create_group(warehouse.service, warehouse.config)
    body = connection_body(group_id, bus, "bus", subscriber_name="syncline")
    connection_id = server.call("POST", "/v1/connections", body)["id"]
    wait_until(lambda: _details(server, connection_id).get("rows", 0) > 0, 60, "the first rows")
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 15
    assert server.process is not None
    assert server.process.returncode == 0
    assert b"Traceback" not in server.log_file.read_bytes()

    server.start()
    try:
        server.wait_for_sync(connection_id)
    finally:
        server.stop()
    assert_same_messages(warehouse.read("bus", "orders"), orders, "number")


def _details(server: Server, connection_id: str) -> dict[str, Any]:
    details: dict[str, Any] = server.call("GET", f"/v1/connections/{connection_id}")["source_sync_details"]
    return details


def _postgresql(server: PostgresServer, database: str) -> Warehouse:
    config = {
        "host": server.host,
        "port": server.port,
        "database": database,
        "user": server.user,
        "password": server.password,
    }
    return Warehouse("postgres_warehouse", config, postgresql_reader(server.url_of(database)))


def _administration(connection_string: str) -> AbstractContextManager[ServiceBusAdministrationClient]:
    """The official client speaks HTTPS alone; the connector's speaks HTTP to an emulator."""
    config = AzureServiceBusConfig.parse({"schema": "bus", "connection_string": connection_string})
    return Namespace(SourceContext("tests", "bus", config)).administration()


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)
