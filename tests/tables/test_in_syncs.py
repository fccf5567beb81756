"""What the schema config does in the next sync."""

import base64
import hmac
import sqlite3
from contextlib import closing
from typing import Any

from syncline.settings import Settings
from syncline.store.sealing import load_sealer
from tests.tables.conftest import Connect, Connected


def column(enabled: bool = True, hashed: bool = False) -> dict[str, Any]:
    return {"enabled": enabled, "hashed": hashed}


async def test_a_sync_takes_note_of_what_it_meets(connection: Connected) -> None:
    status, code, message = await connection.refusal("GET")
    assert (status, code) == (404, "NotFound_SchemaConfig")
    assert "/schemas/reload asks the source" in message
    await connection.publish("orders", ("a", {"Customer Name": "Ann", "total": 1}))
    await connection.sync()
    config = await connection.answer("GET")
    assert (config["schema_change_handling"], config["enable_new_by_default"]) == ("ALLOW_ALL", True)
    schema = config["schemas"]["bus"]
    assert (schema["name_in_destination"], schema["enabled"]) == ("bus", True)
    assert list(schema["tables"]) == ["orders", "sales/Payments.EU"]
    assert schema["tables"]["sales/Payments.EU"] == {
        "name_in_destination": "sales_payments_eu",
        "enabled": True,
        "sync_mode": "SOFT_DELETE",
        "supports_columns_config": True,
        "supports_history_mode": True,
        "enabled_patch_settings": {"allowed": True},
        "columns": {},
    }
    columns = (await connection.answer("GET", "/bus/tables/orders/columns"))["columns"]
    assert columns["value_Customer Name"] == {
        "name_in_destination": "value_customer_name",
        "enabled": True,
        "hashed": False,
        "is_primary_key": False,
        "enabled_patch_settings": {"allowed": True},
    }
    assert {entry["name_in_destination"] for entry in columns.values()} == set(connection.columns("orders"))
    assert columns["message_id"]["is_primary_key"] is True
    assert columns["message_id"]["enabled_patch_settings"] == {
        "allowed": False,
        "reason_code": "OTHER",
        "reason": "It is the primary key.",
    }
    for name in ("sequence_num", "_fivetran_synced"):
        assert columns[name]["enabled_patch_settings"] == {"allowed": False, "reason_code": "SYSTEM_COLUMN"}


async def test_names_may_stay_as_the_source_has_them(connect: Connect) -> None:
    connection = await connect(naming="SOURCE_NAMING", topics=["orders", "sales/Payments.EU"])
    await connection.answer("POST", "/reload")
    assert (await connection.table("sales/Payments.EU"))["name_in_destination"] == "sales_Payments_EU"
    await connection.publish("sales/Payments.EU", ("a", {"Customer Name": "Ann", "customerId": 7}))
    await connection.sync()
    assert (await connection.table("sales/Payments.EU"))["name_in_destination"] == "sales_Payments_EU"
    columns = (await connection.answer("GET", "/bus/tables/sales%2FPayments.EU/columns"))["columns"]
    assert columns["value_customerId"]["name_in_destination"] == "value_customerId"
    assert {entry["name_in_destination"] for entry in columns.values()} == set(connection.columns("sales_Payments_EU"))
    found = connection.query(
        'SELECT message_id, "value_Customer Name", "value_customerId" FROM bus."sales_Payments_EU"'
    )
    assert found == [("a", "Ann", 7)]


async def test_a_disabled_table_is_not_read_and_goes_on_where_it_was(connection: Connected) -> None:
    await connection.publish("orders", ("a", {"n": 1}))
    await connection.publish("sales/Payments.EU", ("p", {"n": 1}))
    assert (await connection.sync()).rows == 2
    config = await connection.answer("PATCH", "/bus/tables/sales%2FPayments.EU", {"enabled": False})
    assert config["schemas"]["bus"]["tables"]["sales/Payments.EU"]["enabled"] is False
    await connection.publish("orders", ("b", {"n": 2}))
    await connection.publish("sales/Payments.EU", ("q", {"n": 2}))
    assert (await connection.sync()).rows == 1
    assert connection.query("SELECT message_id FROM bus.sales_payments_eu") == [("p",)]
    await connection.answer("PATCH", "/bus/tables/sales%2FPayments.EU", {"enabled": True})
    assert (await connection.sync()).rows == 1
    assert connection.query("SELECT message_id FROM bus.sales_payments_eu ORDER BY 1") == [("p",), ("q",)]


async def test_a_disabled_schema_is_not_read(connection: Connected) -> None:
    await connection.publish("orders", ("a", {"n": 1}))
    await connection.sync()
    config = await connection.answer("PATCH", "/bus", {"enabled": False})
    assert config["schemas"]["bus"]["enabled"] is False
    assert config["schemas"]["bus"]["tables"]["orders"]["enabled"] is True
    await connection.publish("orders", ("b", {"n": 2}))
    assert (await connection.sync()).rows == 0
    await connection.answer("PATCH", "/bus", {"enabled": True})
    assert (await connection.sync()).rows == 1


async def test_a_blocked_column_stays_and_is_not_written(connection: Connected) -> None:
    await connection.publish("orders", ("a", {"n": 1, "ssn": "1"}), subject="x")
    await connection.sync()
    await connection.answer("PATCH", "/bus/tables/orders/columns/value_ssn", {"enabled": False})
    assert (await connection.table())["columns"]["value_ssn"]["enabled"] is False
    await connection.publish("orders", ("b", {"n": 2, "ssn": "2"}))
    await connection.sync()
    rows = "SELECT message_id, value_n, value_ssn FROM bus.orders ORDER BY 1"
    assert connection.query(rows) == [("a", 1, "1"), ("b", 2, None)]
    await connection.answer("PATCH", "/bus/tables/orders/columns/value_ssn", {"enabled": True})
    await connection.publish("orders", ("c", {"n": 3, "ssn": "3"}))
    await connection.sync()
    assert connection.query(rows)[2] == ("c", 3, "3")


async def test_a_hashed_column_holds_a_salted_hash(connection: Connected, settings: Settings) -> None:
    await connection.publish("orders", ("a", {"mail": "ann@example.com", "age": 30}))
    await connection.sync()
    request = {"columns": {"value_mail": {"hashed": True}, "value_age": {"hashed": True}}}
    config = await connection.answer("PATCH", "/bus/tables/orders", request)
    assert config["schemas"]["bus"]["tables"]["orders"]["columns"]["value_mail"]["hashed"] is True
    await connection.publish(
        "orders",
        ("b", {"mail": "bob@example.com", "age": 30}),
        ("c", {"mail": "bob@example.com", "age": 31}),
        ("d", {"mail": None}),
    )
    await connection.sync()
    await connection.publish("orders", ("e", {"mail": "bob@example.com"}))
    await connection.sync()
    (a, b, c, d, e) = connection.query("SELECT value_mail, value_age FROM bus.orders ORDER BY message_id")
    assert a == ("ann@example.com", "30"), "rows that were there are not touched"
    assert b[0] == c[0] == e[0]
    assert b[1] != c[1]
    assert d == (None, None)
    assert len(base64.b64decode(b[0])) == 32
    with closing(sqlite3.connect(settings.home / "syncline.db")) as store:
        ((token,),) = store.execute("SELECT sealed_hash_salt FROM groups WHERE sealed_hash_salt IS NOT NULL")
    salt = bytes.fromhex(load_sealer(settings).open(token))
    assert base64.b64decode(b[0]) == hmac.digest(salt, b"bob@example.com", "sha256")


async def test_new_columns_follow_the_policy(connection: Connected) -> None:
    await connection.publish("orders", ("a", {"n": 1}))
    await connection.sync()
    config = await connection.answer("PATCH", "", {"schema_change_handling": "BLOCK_ALL"})
    assert (config["schema_change_handling"], config["enable_new_by_default"]) == ("BLOCK_ALL", False)
    await connection.publish("orders", ("b", {"n": 2, "new": "secret"}))
    await connection.sync()
    assert "value_new" not in connection.columns("orders")
    columns = (await connection.answer("GET", "/bus/tables/orders/columns"))["columns"]
    assert columns["value_new"]["enabled"] is False
    assert columns["value_n"]["enabled"] is True
    await connection.answer("PATCH", "", {"schema_change_handling": "ALLOW_COLUMNS"})
    await connection.publish("orders", ("c", {"newer": True, "new": "still blocked"}))
    await connection.sync()
    assert connection.query("SELECT value_newer FROM bus.orders ORDER BY message_id") == [(None,), (None,), (True,)]
    assert "value_new" not in connection.columns("orders")


async def test_new_tables_follow_the_policy(connection: Connected) -> None:
    await connection.answer("POST", "/reload")
    for handling, is_synced in (("BLOCK_ALL", False), ("ALLOW_COLUMNS", False), ("ALLOW_ALL", True)):
        await connection.answer("PATCH", "", {"schema_change_handling": handling})
        topic = f"new-{handling.lower()}"
        await connection.create_topic(topic)
        await connection.publish(topic, ("a", {"n": 1}))
        assert (await connection.sync()).rows == int(is_synced)
        assert (await connection.table(topic))["enabled"] is is_synced
    await connection.answer("PATCH", "/bus/tables/new-block_all", {"enabled": True})
    await connection.answer("PATCH", "", {"schema_change_handling": "BLOCK_ALL"})
    assert (await connection.sync()).rows == 1
    assert connection.query("SELECT message_id, value_n FROM bus.new_block_all") == [("a", 1)]


async def test_history_keeps_every_delivery(connection: Connected) -> None:
    await connection.publish("orders", ("a", {"n": 1}))
    await connection.sync()
    assert (await connection.answer("PATCH", "/bus/tables/orders", {"sync_mode": "HISTORY"}))["schemas"]["bus"][
        "tables"
    ]["orders"]["sync_mode"] == "HISTORY"
    columns = (await connection.answer("GET", "/bus/tables/orders/columns"))["columns"]
    assert [name for name, entry in columns.items() if entry["is_primary_key"]] == [
        "enqueued_time",
        "message_id",
        "sequence_num",
    ]
    await connection.publish("orders", ("a", {"n": 2}))
    await connection.publish("orders", ("a", {"n": 3}))
    await connection.sync()
    rows = "SELECT message_id, value_n FROM bus.orders ORDER BY sequence_num"
    assert connection.query(rows) == [("a", 1), ("a", 2), ("a", 3)]
    await connection.answer("PATCH", "/bus/tables/orders", {"sync_mode": "LIVE"})
    await connection.publish("orders", ("b", {"n": 4}))
    await connection.sync()
    assert connection.query(rows) == [("a", 3), ("b", 4)]


async def test_blocked_columns_are_dropped_by_the_next_sync(connection: Connected) -> None:
    await connection.publish("orders", ("a", {"n": 1, "x": 1, "y": 1}))
    await connection.sync()
    blocked = {"value_x": column(enabled=False), "value_y": column(enabled=False)}
    await connection.answer("PATCH", "/bus/tables/orders", {"columns": blocked})
    await connection.answer("DELETE", "/bus/tables/orders/columns/value_x")
    body = {"schemas": {"bus": {"tables": {"orders": {"columns": ["value_y"]}}}}}
    await connection.answer("POST", "/drop-columns", body)
    assert {"value_x", "value_y"} <= set(connection.columns("orders"))
    await connection.answer("PATCH", "/bus/tables/orders/columns/value_y", {"enabled": True})
    await connection.publish("orders", ("b", {"n": 2, "x": 2, "y": 2}))
    await connection.sync()
    assert "value_x" not in connection.columns("orders")
    assert connection.query("SELECT value_n, value_y FROM bus.orders ORDER BY 1") == [(1, 1), (2, 2)]
    assert (await connection.table())["columns"]["value_x"]["enabled"] is False
    await connection.answer("PATCH", "/bus/tables/orders/columns/value_x", {"enabled": True})
    await connection.publish("orders", ("c", {"x": 3}))
    await connection.sync()
    assert connection.query("SELECT value_x FROM bus.orders ORDER BY message_id") == [(None,), (None,), (3,)]


async def test_locked_types_stay_and_what_does_not_fit_is_left_empty(connection: Connected) -> None:
    await connection.answer("POST", "/reload")
    await connection.answer("PATCH", "", {"is_type_locked": True})
    await connection.publish("orders", ("a", {"n": 1}))
    await connection.sync()
    await connection.publish("orders", ("b", {"n": 2}), ("c", {"n": "many"}))
    await connection.sync()
    rows = "SELECT value_n FROM bus.orders ORDER BY message_id"
    assert connection.query(rows) == [(1,), (2,), (None,)]
    (message,) = await connection.warnings("type_locked")
    assert "1 values of the column value_n of orders" in message
    await connection.answer("PATCH", "", {"is_type_locked": False})
    assert await connection.warnings("type_locked") == []
    await connection.publish("orders", ("d", {"n": "many"}))
    await connection.sync()
    assert connection.query(rows) == [("1",), ("2",), (None,), ("many",)]


async def test_a_config_that_is_set_up_ahead_is_in_force_in_the_first_sync(connection: Connected) -> None:
    request = {
        "schema_change_handling": "ALLOW_COLUMNS",
        "schemas": {"bus": {"tables": {"orders": {"columns": {"value_ssn": column(enabled=False)}}}}},
    }
    config = await connection.answer("POST", "", request)
    assert config["schema_change_handling"] == "ALLOW_COLUMNS"
    assert config["schemas"]["bus"]["tables"]["orders"]["columns"]["value_ssn"]["enabled"] is False
    await connection.publish("orders", ("a", {"n": 1, "ssn": "1"}))
    await connection.publish("sales/Payments.EU", ("p", {"n": 1}))
    assert (await connection.sync()).rows == 1
    assert "value_ssn" not in connection.columns("orders")
    assert (await connection.table("sales/Payments.EU"))["enabled"] is False
