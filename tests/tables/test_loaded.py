"""What `/v1/metadata/connectors/{id}` tells of the tables and columns that were loaded."""

from typing import Any

import httpx

from tests.tables.conftest import Connected


async def listed(client: httpx.AsyncClient, connection_id: str, what: str, limit: int = 100) -> list[dict[str, Any]]:
    """All items, page by page."""
    path = f"/v1/metadata/connectors/{connection_id}/{what}"
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = await client.get(path, params={"limit": limit, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        page = answer.json()["data"]
        assert 0 < len(page["items"]) <= limit
        items += page["items"]
        cursor = page.get("next_cursor")
        if cursor is None:
            return items


async def test_loaded_tables_and_columns_are_listed_with_what_they_are_called_in_the_destination(
    connection: Connected,
) -> None:
    client = connection.client
    await connection.publish("orders", ("one", {"number": 1, "Paid by": "Ana"}))
    await connection.publish("sales/Payments.EU", ("two", {"paid": True}))
    await connection.sync()

    (schema,) = await listed(client, connection.id, "schemas")
    assert (schema["name_in_source"], schema["name_in_destination"]) == ("bus", "bus")
    tables = await listed(client, connection.id, "tables", limit=1)
    assert {table["name_in_source"]: table["name_in_destination"] for table in tables} == {
        "orders": "orders",
        "sales/Payments.EU": "sales_payments_eu",
    }
    assert {table["parent_id"] for table in tables} == {schema["id"]}

    columns = await listed(client, connection.id, "columns", limit=3)
    assert len({column["id"] for column in columns}) == len(columns)
    for table in tables:
        named = {column["name_in_destination"] for column in columns if column["parent_id"] == table["id"]}
        assert named == set(connection.columns(table["name_in_destination"]))
    orders = next(table["id"] for table in tables if table["name_in_source"] == "orders")
    of_orders = {column["name_in_source"]: column for column in columns if column["parent_id"] == orders}
    types = {name: of_orders[name]["type_in_source"] for name in ("message_id", "value_number", "value_Paid by")}
    assert types == {"message_id": "STRING", "value_number": "SHORT", "value_Paid by": "STRING"}
    assert [name for name, column in of_orders.items() if column["is_primary_key"]] == ["message_id"]
    assert not any(column["is_foreign_key"] for column in columns)


async def test_before_the_first_sync_there_is_nothing_to_list(connection: Connected) -> None:
    for what in ("tables", "columns"):
        answer = await connection.client.get(f"/v1/metadata/connectors/{connection.id}/{what}")
        assert answer.json()["data"] == {"items": []}
        nobody = await connection.client.get(f"/v1/metadata/connectors/nobody/{what}")
        assert (nobody.status_code, nobody.json()["code"]) == (404, "NotFound_Connection")
    tables = await connection.client.get(f"/v1/metadata/connectors/{connection.id}/columns?cursor=eyJhZnRlciI6ICJ4In0")
    assert (tables.status_code, tables.json()["code"]) == (400, "InvalidInput")
