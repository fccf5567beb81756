"""The catalog of a connection, in both kinds of store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import event

from syncline.store.database import Database
from syncline.store.migrate import migrate
from syncline.store.models import Account, Connection, Group, KnownColumn, KnownTable, SchemaConfig, User
from syncline.store.sealing import Sealer
from syncline.sync.catalog import EverythingCatalog, StoreCatalog, digest_of, parse_type, salt_of
from syncline.sync.selection import OTHER, SyncMode
from syncline.warehouses import types
from syncline.warehouses.naming import normalize

SEALER = Sealer([Fernet.generate_key().decode()])
PAGE = {"message_id": types.STRING, "sequence_num": types.LONG, "value_n": types.INT}


@pytest.fixture
def database(store_url: str, tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "home").mkdir()
    migrate(store_url)
    database = Database(store_url)
    with database.sync_session() as session:
        session.add(Account(id="account", name="a"))
        session.flush()
        session.add(User(id="user", account_id="account", email="a@b"))
        session.add(Group(id="group", account_id="account", name="g", public_key="", sealed_private_key=""))
        session.flush()
        for name in ("one", "two"):
            session.add(
                Connection(
                    id=name,
                    account_id="account",
                    group_id="group",
                    service="azure_service_bus",
                    schema=name,
                    connected_by="user",
                )
            )
    yield database
    database.close_sync()


def catalog(database: Database) -> StoreCatalog:
    return StoreCatalog(database, SEALER, "one")


def run(database: Database, stream: str = "orders", **more: types.ColumnType) -> StoreCatalog:
    """A sync that loads a batch of a stream."""
    found = catalog(database)
    found.choose_streams([stream])
    columns = PAGE | more
    selection = found.choose_columns(stream, columns)
    names = {name: normalize(name) for name in columns if name not in selection.blocked}
    found.note_load(stream, stream, names, selection.sync_mode)
    found.note_end()
    return found


def test_the_first_sync_notes_everything_as_enabled(database: Database) -> None:
    run(database)
    with database.sync_session(read_only=True) as session:
        table = session.get_one(KnownTable, ("one", "orders"))
        assert (table.enabled, table.name_in_destination, table.loaded_mode) == (True, "orders", "SOFT_DELETE")
        assert table.first_seen_at is not None
        assert table.captured_at is not None
        column = session.get_one(KnownColumn, ("one", "orders", digest_of("value_n")))
        assert (column.enabled, column.hashed, column.type, column.set_by_user) == (True, False, "INT", False)


def test_a_sync_that_meets_nothing_new_writes_nothing(database: Database) -> None:
    run(database)
    statements: list[str] = []
    event.listen(database._sync_engine, "before_cursor_execute", lambda c, cursor, text, *_: statements.append(text))
    found = catalog(database)
    found.choose_streams(["orders"])
    for _ in range(3):
        selection = found.choose_columns("orders", PAGE)
        found.note_load("orders", "orders", {name: name for name in PAGE}, selection.sync_mode)
    assert not [text for text in statements if not text.lstrip().startswith(("SELECT", "BEGIN"))]


def test_types_are_remembered_joined(database: Database) -> None:
    run(database, value_d=types.decimal(3, 2))
    run(database, value_d=types.decimal(5, 1), value_n=types.STRING)
    with database.sync_session(read_only=True) as session:
        read = {
            name: session.get_one(KnownColumn, ("one", "orders", digest_of(name))).type
            for name in ("value_n", "value_d")
        }
    assert read == {"value_n": "STRING", "value_d": "DECIMAL(7,2)"}
    assert parse_type("DECIMAL(7,2)") == types.decimal(5, 2)


def test_names_that_a_store_cannot_hold_as_they_are(database: Database) -> None:
    long = "value_" + "x" * 5000
    odd = {"value_a\x00b": types.INT, long: types.INT, "value_\U0001f600": types.INT}
    run(database, **odd)
    with database.sync_session() as session:
        for name in ("value_a␀b", long, "value_\U0001f600"):
            session.get_one(KnownColumn, ("one", "orders", digest_of(name))).enabled = False
    assert catalog(database).choose_columns("orders", PAGE | odd).blocked == {"value_a␀b", long, "value_\U0001f600"}


@pytest.mark.parametrize(
    ("handling", "is_blocked"), [("ALLOW_ALL", False), ("ALLOW_COLUMNS", False), ("BLOCK_ALL", True)]
)
def test_columns_are_new_once_a_sync_has_come_to_its_end(database: Database, handling: str, is_blocked: bool) -> None:
    first = catalog(database)
    first.choose_streams(["orders"])
    with database.sync_session() as session:
        session.get_one(SchemaConfig, "one").schema_change_handling = handling
    first.choose_columns("orders", PAGE)
    assert first.choose_columns("orders", PAGE | {"value_late": types.INT}).blocked == frozenset()
    run(database)
    selection = catalog(database).choose_columns("orders", PAGE | {"value_new": types.INT})
    assert selection.blocked == ({"value_new"} if is_blocked else frozenset())
    assert catalog(database).choose_columns("orders", PAGE).blocked == selection.blocked


def test_choices_are_those_of_the_start(database: Database) -> None:
    run(database)
    found = catalog(database)
    with database.sync_session() as session:
        table = session.get_one(KnownTable, ("one", "orders"))
        table.enabled, table.sync_mode = False, "HISTORY"
    assert found.choose_streams(["orders", "payments"]) == {"orders", "payments"}
    assert found.choose_columns("orders", PAGE).sync_mode is SyncMode.SOFT_DELETE
    later = catalog(database)
    assert later.choose_streams(["orders", "payments"]) == {"payments"}
    assert later.choose_columns("orders", PAGE).needs_new_key


def test_columns_to_drop_are_told_until_they_are_gone(database: Database) -> None:
    run(database)
    with database.sync_session() as session:
        column = session.get_one(KnownColumn, ("one", "orders", digest_of("value_n")))
        column.enabled, column.drop_requested = False, True
    found = catalog(database)
    assert found.doomed_columns() == {"orders": ["value_n"]}
    found.note_drop("orders")
    assert found.doomed_columns() == catalog(database).doomed_columns() == {}
    with database.sync_session(read_only=True) as session:
        assert session.get_one(KnownColumn, ("one", "orders", digest_of("value_n"))).name_in_destination is None


def test_a_group_has_one_salt(database: Database) -> None:
    salt = salt_of(database, SEALER, "one")
    assert len(salt) == 32
    assert salt_of(database, SEALER, "two") == salt_of(database, SEALER, "one") == salt


def test_without_a_store_everything_is_synced() -> None:
    found = EverythingCatalog()
    assert found.choose_streams(["a", "b"]) == {"a", "b"}
    assert found.choose_columns("a", PAGE).blocked == frozenset()
    assert found.doomed_columns() == {}


def test_the_column_that_fields_share_is_let_in_unless_it_is_blocked_by_hand(database: Database) -> None:
    run(database)
    with database.sync_session() as session:
        session.get_one(SchemaConfig, "one").schema_change_handling = "BLOCK_ALL"
    selection = run(database, **{OTHER: types.JSON}).choose_columns("orders", {})
    assert OTHER not in selection.blocked
    with database.sync_session() as session:
        column = session.get_one(KnownColumn, ("one", "orders", digest_of(OTHER)))
        assert column.name_in_destination == "value_other"
        column.enabled = False
    assert OTHER in catalog_of_known_streams(database).choose_columns("orders", {}).blocked


def catalog_of_known_streams(database: Database) -> StoreCatalog:
    found = catalog(database)
    found.choose_streams(["orders"])
    return found
