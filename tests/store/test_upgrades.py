"""A store that an earlier version of Syncline has filled is brought to the present shape, and nothing of it is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, Column, Connection, DateTime, Integer, MetaData, Table, select, text
from sqlalchemy.orm import Session

from syncline.store.database import create_sync_engine, parse_url
from syncline.store.migrate import MIGRATIONS, MigrationError, migrate
from syncline.store.models import Base

ROWS = 3
"""Rows of each table: of those that may be null, the first has all, the second none."""

HEAD, *EARLIER = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]

REALISTIC: dict[str, Any] = {
    "config": {"topics": ["orders", "Größen"], "auth_type": "ConnectionString", "sync_type": "Unpacked", "port": 5432},
    "setup_tests": [{"title": "Namespace", "status": "PASSED", "message": "", "details": ""}],
    "position": {"partitions": {"0": 9_007_199_254_740_993}, "enqueued_time": "2026-01-02T03:04:05Z"},
    "permissions": [{"resource": "connection", "access": "read"}],
    "pending_resync": {"streams": None},
    "state": "succeeded",
    "role": "Account Administrator",
    "schedule_type": "auto",
    "sync_frequency": 360,
    "time_zone_offset": "+5:30",
    "daily_sync_time": "14:00",
}
"""What stands in columns of this name, where that could matter; what a migration may read belongs here."""


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    engine = create_sync_engine(parse_url(url))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def make_store(url: str, revision: str) -> None:
    """A store as the version of Syncline left it whose newest revision this was."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    path = parse_url(url).database
    if parse_url(url).get_backend_name() == "sqlite":
        Path(str(path)).parent.mkdir(parents=True, exist_ok=True)
    with opened(url) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def tables_of(connection: Connection) -> list[Table]:
    """The tables in the store, parents first."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def value_of(column: Column[Any], number: int) -> Any:
    if column.name in REALISTIC:
        return REALISTIC[column.name]
    if isinstance(column.type, Boolean):
        return number % 2 == 0
    if isinstance(column.type, DateTime):
        return datetime(2026, 1, 2, 3, 4, 5, 678901, UTC) + timedelta(days=number)
    if isinstance(column.type, Integer):
        return 2**31 - 1 - number
    if isinstance(column.type, JSON):
        return {"written": ["by", "an", "earlier", number]}
    length = getattr(column.type, "length", None) or 80
    return f"{column.name} ä {number}"[:length]


def row_of(table: Table, number: int, stored: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """A row that fits to those of the tables that it refers to."""
    row: dict[str, Any] = {}
    may_be_null = [column for column in table.columns if column.nullable]
    references = [column for column in may_be_null if column.foreign_keys]
    for column in table.columns:
        if column in references:  # of several, one at a time: a certificate is a connection's or a destination's
            row[column.name] = None if column is not references[number % len(references)] else ...
        elif column in may_be_null and number == 1:
            row[column.name] = None
        else:
            row[column.name] = value_of(column, number)
    for constraint in table.foreign_key_constraints:
        parent = stored[constraint.referred_table.name][number]
        for element in constraint.elements:
            if row[element.parent.name] is not None:
                row[element.parent.name] = parent[element.column.name]
    return row


def fill(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Put rows into every table; return them by table."""
    stored: dict[str, list[dict[str, Any]]] = {}
    for table in tables_of(connection):
        stored[table.name] = [row_of(table, number, stored) for number in range(ROWS)]
        connection.execute(table.insert(), stored[table.name])
    return {table.name: rows_of(connection, table) for table in tables_of(connection)}


def rows_of(connection: Connection, table: Table) -> list[dict[str, Any]]:
    statement = select(table).order_by(*table.primary_key.columns)
    return [dict(row) for row in connection.execute(statement).mappings()]


@pytest.mark.parametrize("revision", EARLIER)
def test_a_filled_store_of_every_earlier_version_keeps_all_its_rows(revision: str, store_url: str) -> None:
    make_store(store_url, revision)
    with opened(store_url) as connection:
        before = fill(connection)
    assert before
    migrate(store_url)
    with opened(store_url) as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == HEAD
        after = {table.name: rows_of(connection, table) for table in tables_of(connection)}
        with Session(connection) as session:
            read = {
                mapper.class_.__tablename__: [
                    {name: getattr(row, name) for name in mapper.columns.keys()}  # noqa: SIM118 - no mapping
                    for row in session.scalars(select(mapper.class_))
                ]
                for mapper in Base.registry.mappers
            }
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]]
        assert kept == rows, table
        assert len(read[table]) == ROWS, f"the models can read {table}"


def test_the_rows_of_this_test_are_of_every_kind(store_url: str) -> None:
    migrate(store_url)
    with opened(store_url) as connection:
        fill(connection)
        empty = {
            f"{table.name}.{column.name}"
            for table in tables_of(connection)
            for column in table.columns
            if all(row[column.name] is None for row in rows_of(connection, table))
        }
        assert empty == set()
        assert {table.name for table in tables_of(connection)} == set(Base.metadata.tables)


def test_what_an_upgrade_cannot_decide_is_told_and_nothing_is_changed(store_url: str) -> None:
    make_store(store_url, "0003")
    with opened(store_url) as connection:
        fill(connection)
        connection.execute(text("UPDATE connections SET group_id = (SELECT min(group_id) FROM connections)"))
        connection.execute(
            text("UPDATE connections SET schema = 'Orders' WHERE id = (SELECT min(id) FROM connections)")
        )
        connection.execute(
            text("UPDATE connections SET schema = 'orders' WHERE id = (SELECT max(id) FROM connections)")
        )
    with pytest.raises(MigrationError, match=r"'orders'.*differ by case alone.*Delete"):
        migrate(store_url)
    with opened(store_url) as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0003"
