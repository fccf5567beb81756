"""Reading the warehouse the way its users do, and comparing it with what was published."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import psycopg

Row = dict[str, Any]
ReadTable = Callable[[str, str], list[Row]]
"""Takes a schema and a table; a table that does not exist has no rows."""


def duckdb_reader(path: Path) -> ReadTable:
    """Reads tables of a DuckDB file."""

    def read(schema: str, table: str) -> list[Row]:
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute(
                "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", [schema, table]
            ).fetchall()
            if not found:
                return []
            cursor = connection.execute(f'SELECT * FROM "{schema}"."{table}"')
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return read


def postgresql_reader(conninfo: str) -> ReadTable:
    """Reads tables of a PostgreSQL database."""

    def read(schema: str, table: str) -> list[Row]:
        with psycopg.connect(conninfo, row_factory=psycopg.rows.dict_row) as connection:
            if connection.execute("SELECT to_regclass(%s) AS found", [f'"{schema}"."{table}"']).fetchone() == {
                "found": None
            }:
                return []
            query = psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(schema, table))
            return connection.execute(query).fetchall()

    return read


def assert_same_messages(rows: list[Row], published: Mapping[str, Any], field: str) -> None:
    """Every published message is in the rows once, with the value it was sent with in `value_<field>`."""
    copies = Counter(row["message_id"] for row in rows)
    lost = published.keys() - copies.keys()
    duplicated = {message_id: count for message_id, count in copies.items() if count > 1}
    strangers = copies.keys() - published.keys()
    changed = [
        row["message_id"]
        for row in rows
        if row["message_id"] in published and row[f"value_{field}"] != published[row["message_id"]][field]
    ]
    assert not lost, f"{len(lost)} lost, such as {sorted(lost)[:3]}"
    assert not duplicated, f"{len(duplicated)} duplicated, such as {sorted(duplicated)[:3]}"
    assert not strangers, f"{len(strangers)} that nobody published, such as {sorted(strangers)[:3]}"
    assert not changed, f"{len(changed)} changed, such as {changed[:3]}"
