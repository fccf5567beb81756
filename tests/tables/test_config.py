"""Reading and changing the schema config over HTTP, without a sync."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import httpx
import pytest

from syncline.settings import Settings
from syncline.warehouses.registry import warehouse_for
from tests.tables.conftest import Connect, Connected


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> Settings:
    return Settings(home=tmp_path / "home", port=0, database_url=store_url, concurrent_syncs=1)


@pytest.fixture
async def known(connection: Connected) -> Connected:
    """A connection whose source was asked."""
    await connection.answer("POST", "/reload", {})
    return connection


def tables(config: Any) -> dict[str, bool]:
    """Whether each table is enabled."""
    return {name: table["enabled"] for name, table in config["schemas"]["bus"]["tables"].items()}


async def test_a_reload_asks_the_source(connection: Connected) -> None:
    config = await connection.answer("POST", "/reload")
    assert tables(config) == {"orders": True, "sales/Payments.EU": True}
    assert await connection.answer("GET") == config
    assert tables(await connection.answer("POST", "/reload", {"exclude_mode": "EXCLUDE"})) == {
        "orders": False,
        "sales/Payments.EU": False,
    }
    assert (await connection.answer("GET"))["schemas"]["bus"]["enabled"] is False
    await connection.answer(
        "PATCH", "", {"schemas": {"bus": {"enabled": True, "tables": {"orders": {"enabled": True}}}}}
    )
    assert tables(await connection.answer("POST", "/reload", {"exclude_mode": "PRESERVE"})) == {
        "orders": True,
        "sales/Payments.EU": False,
    }
    config = await connection.answer("POST", "/reload", {"exclude_mode": "INCLUDE"})
    assert (tables(config), config["schemas"]["bus"]["enabled"]) == ({"orders": True, "sales/Payments.EU": True}, True)


async def test_a_reload_tells_what_the_source_has_no_longer(known: Connected) -> None:
    await known.create_topic("extra")
    assert tables(await known.answer("POST", "/reload"))["extra"] is True
    await known.delete_topic("extra")
    config = await known.answer("POST", "/reload")
    extra = config["schemas"]["bus"]["tables"]["extra"]
    assert extra["enabled_patch_settings"] == {"allowed": False, "reason_code": "DELETED"}
    status, code, message = await known.refusal("PATCH", "/bus/tables/extra", {"enabled": False})
    assert (status, code) == (400, "InvalidInput")
    assert "'extra' cannot be disabled: the source has it no longer" in message
    await known.create_topic("extra")
    config = await known.answer("POST", "/reload")
    assert config["schemas"]["bus"]["tables"]["extra"]["enabled_patch_settings"] == {"allowed": True}


async def test_a_source_that_refuses_is_told(connect: Connect) -> None:
    connection = await connect(topics=["orders"])
    await connection.delete_topic("orders")
    status, code, message = await connection.refusal("POST", "/reload")
    assert (status, code) == (400, "IllegalState")
    assert message.startswith("The source did not say what it has: The namespace has no topic orders.")


async def test_the_whole_config_is_changed_at_once_or_not_at_all(known: Connected) -> None:
    before = await known.answer("GET")
    request: dict[str, Any] = {
        "schema_change_handling": "BLOCK_ALL",
        "schemas": {"bus": {"tables": {"orders": {"enabled": False}, "Orders": {"enabled": False}}}},
    }
    status, code, message = await known.refusal("PATCH", "", request)
    assert (status, code) == (404, "NotFound_Table")
    assert "'Orders'" in message
    assert "Did you mean 'orders'?" in message
    assert await known.answer("GET") == before
    del request["schemas"]["bus"]["tables"]["Orders"]
    config = await known.answer("PATCH", "", request)
    assert config["schema_change_handling"] == "BLOCK_ALL"
    assert tables(config) == {"orders": False, "sales/Payments.EU": True}
    assert await known.answer("PATCH", "", {}) == config


WRONG: list[tuple[str, str, Any, tuple[int, str], str]] = [
    ("PATCH", "/Bus", {"enabled": True}, (404, "NotFound_Schema"), "The schema of this connection is 'bus'"),
    ("PATCH", "/x/tables/orders", {"enabled": True}, (404, "NotFound_Schema"), "'x'"),
    ("PATCH", "/bus/tables/nope", {"enabled": True}, (404, "NotFound_Table"), "schemas/reload"),
    ("GET", "/bus/tables/nope/columns", None, (404, "NotFound_Table"), "'nope'"),
    ("GET", "/x/tables/orders/columns", None, (404, "NotFound_Schema"), "'x'"),
    ("PATCH", "", {"schemas": {"x": {"enabled": True}}}, (404, "NotFound_Schema"), "'x'"),
    ("PATCH", "/bus/tables/orders", {"sync_mode": "ALL"}, (400, "InvalidInput"), "sync_mode"),
    ("PATCH", "/bus/tables/orders", {"enable": True}, (400, "InvalidInput"), "enable"),
    ("PATCH", "/bus/tables/orders", {"enabled": "true"}, (400, "InvalidInput"), "enabled"),
    ("PATCH", "", {"schema_change_handling": "ALLOW"}, (400, "InvalidInput"), "schema_change_handling"),
    ("POST", "/reload", {"exclude_mode": "ALL"}, (400, "InvalidInput"), "exclude_mode"),
    ("POST", "", {"schemas": {}}, (400, "IllegalState"), "has a schema config already"),
    ("DELETE", "/bus/tables/orders/columns/value_x", None, (404, "NotFound_Column"), "'value_x'"),
    ("DELETE", "/bus/tables/orders/columns/message_id", None, (409, "Conflict"), "needed to load"),
    ("POST", "/drop-columns", {"schemas": {"bus": {"tables": {}, "x": 1}}}, (400, "InvalidInput"), "schemas.bus.x"),
]


async def test_what_is_wrong_is_named(known: Connected) -> None:
    for method, path, body, expected, part in WRONG:
        status, code, message = await known.refusal(method, path, body)
        assert (status, code) == expected, message
        assert part in message


async def test_what_loading_needs_can_be_neither_blocked_nor_hashed(known: Connected) -> None:
    for name in ("message_id", "sequence_num", "enqueued_time", "_fivetran_synced"):
        path = f"/bus/tables/orders/columns/{name}"
        for change, word in (({"enabled": False}, "disabled"), ({"hashed": True}, "hashed")):
            status, code, message = await known.refusal("PATCH", path, change)
            assert (status, code) == (400, "InvalidInput")
            assert f"The column '{name}' of the table 'orders' cannot be {word}" in message
        await known.answer("PATCH", path, {"enabled": True, "hashed": False})


async def test_the_primary_key_cannot_be_chosen(known: Connected) -> None:
    status, code, message = await known.refusal(
        "PATCH", "/bus/tables/orders/columns/value_id", {"is_primary_key": True}
    )
    assert (status, code) == (400, "InvalidInput")
    assert "the primary key of the table 'orders' is message_id" in message
    status, _, _ = await known.refusal("PATCH", "/bus/tables/orders/columns/message_id", {"is_primary_key": False})
    assert status == 400
    await known.answer("PATCH", "/bus/tables/orders/columns/message_id", {"is_primary_key": True})


async def test_columns_can_be_named_before_the_first_message(known: Connected) -> None:
    path = "/bus/tables/sales%2FPayments.EU/columns"
    assert list((await known.answer("GET", path))["columns"]) == [
        "_fivetran_synced",
        "enqueued_time",
        "message_id",
        "sequence_num",
    ]
    config = await known.answer("PATCH", f"{path}/value_a%2Fb", {"enabled": False})
    (name,) = config["schemas"]["bus"]["tables"]["sales/Payments.EU"]["columns"]
    assert name == "value_a/b"
    await known.answer("DELETE", f"{path}/value_a%2Fb")
    await known.answer("PATCH", f"{path}/value_a%2Fb", {"enabled": True})
    status, code, message = await known.refusal("DELETE", f"{path}/value_a%2Fb")
    assert (status, code) == (409, "Conflict")
    assert "Set its `enabled` to false first" in message


BODIES: list[Any] = [None, {}, {"enabled": False}, {"columns": {}}]


async def test_all_columns_can_be_listed_and_no_more(known: Connected) -> None:
    for table, method, body in itertools.product(
        ("orders", "sales%2FPayments.EU", "columns"), ("PATCH", "POST", "PUT", "DELETE"), BODIES
    ):
        answer = await known.client.request(method, f"{known.path}/bus/tables/{table}/columns", json=body)
        assert (answer.status_code, answer.json()["code"]) == (405, "MethodNotAllowed"), answer.text
        assert answer.headers["Allow"] == "GET"
        assert "It takes GET." in answer.json()["message"]


async def test_a_topic_may_be_called_columns(known: Connected) -> None:
    for topic in ("columns", "sales/columns"):
        await known.create_topic(topic)
    await known.answer("POST", "/reload")
    assert tables(await known.answer("PATCH", "/bus/tables/columns", {"enabled": False}))["columns"] is False
    assert len((await known.answer("GET", "/bus/tables/columns/columns"))["columns"]) == 4
    # Its own path reads as the columns of the table sales, but the schema can be changed.
    assert len((await known.answer("GET", "/bus/tables/sales%2Fcolumns/columns"))["columns"]) == 4
    config = await known.answer("PATCH", "/bus", {"tables": {"sales/columns": {"enabled": False}}})
    assert tables(config)["sales/columns"] is False


async def test_columns_cannot_be_dropped_where_the_destination_cannot(
    known: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse_for("duckdb"), "drops_columns", False)
    await known.answer("PATCH", "/bus/tables/orders/columns/value_x", {"enabled": False})
    status, code, message = await known.refusal("DELETE", "/bus/tables/orders/columns/value_x")
    assert (status, code) == (400, "IllegalState")
    assert "Columns cannot be dropped in a duckdb destination" in message


async def test_changes_at_the_same_time_all_count(known: Connected) -> None:
    names = [f"value_{number}" for number in range(12)]
    requests = [known.answer("PATCH", f"/bus/tables/orders/columns/{name}", {"hashed": True}) for name in names]
    await asyncio.gather(*requests, known.answer("POST", "/reload"))
    assert set((await known.table())["columns"]) == set(names)


async def test_a_connection_that_is_not_connected_has_none(client: httpx.AsyncClient, group_id: str) -> None:
    body = {
        "group_id": group_id,
        "service": "azure_service_bus",
        "run_setup_tests": False,
        "config": {"schema": "other"},
    }
    identifier = (await client.post("/v1/connections", json=body)).json()["data"]["id"]
    for method, path, request in (
        ("GET", "", None),
        ("POST", "", {"schemas": {}}),
        ("PATCH", "", {}),
        ("POST", "/reload", {}),
        ("PATCH", "/other/tables/t", {"enabled": True}),
        ("GET", "/other/tables/t/columns", None),
    ):
        answer = await client.request(method, f"/v1/connections/{identifier}/schemas{path}", json=request)
        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
        assert "has the setup state 'incomplete'" in answer.json()["message"]
    answer = await client.get("/v1/connectors/nobody/schemas")
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound_Connection")


async def test_nothing_can_be_changed_before_anything_is_known(connection: Connected) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("PATCH", "/bus"), ("PATCH", "/bus/tables/orders")):
        status, code, _ = await connection.refusal(
            method, path, None if method == "GET" else {"enabled": True} if path else {}
        )
        assert (status, code) == (404, "NotFound_SchemaConfig")


async def test_deleting_the_connection_deletes_its_config(known: Connected) -> None:
    assert (await known.client.delete(f"/v1/connections/{known.id}")).status_code == 200
    status, code, _ = await known.refusal("GET")
    assert (status, code) == (404, "NotFound_Connection")
