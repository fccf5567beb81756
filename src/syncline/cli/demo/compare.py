"""Comparing what was published with what the warehouse holds, message by message and value by value."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson

from syncline.cli.demo.messages import DemoMessage


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison; a message that arrived with another content counts as lost."""

    tables: int
    messages: int
    lost: int
    duplicated: int
    example: str = ""
    """The first difference, for a person."""

    @property
    def is_clean(self) -> bool:
        return self.lost == 0 and self.duplicated == 0


def compare(database: Path, schema: str, published: Iterable[DemoMessage]) -> Comparison:
    """Compare the tables of `schema` in a DuckDB file with the messages that were published.

    Every first-level field of a message has to stand in its column `value_<field>`; a field that a message lacks
    has to be null. Rows that nobody published count as duplicated.
    """
    expected: dict[str, dict[str, dict[str, Any]]] = {}
    for message in published:
        expected.setdefault(message.topic, {})[message.message_id] = message.body
    lost = duplicated = rows_seen = 0
    example = ""
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = {row[0] for row in connection.execute(_TABLES, [schema]).fetchall()}
        for topic, bodies in expected.items():
            rows = _rows(connection, schema, topic) if topic in tables else []
            rows_seen += len(rows)
            copies = Counter(row["message_id"] for row in rows)
            duplicated += sum(copies.values()) - len(copies.keys() & bodies.keys())
            by_id = {row["message_id"]: row for row in rows}
            for message_id, body in bodies.items():
                difference = _difference(body, by_id.get(message_id))
                if difference:
                    lost += 1
                    example = example or f"{topic} {message_id}: {difference}"
    return Comparison(len(tables & expected.keys()), rows_seen, lost, duplicated, example)


_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = ?"


def _rows(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> list[dict[str, Any]]:
    cursor = connection.execute(f'SELECT * FROM "{schema}"."{table}"')  # noqa: S608 - names of the demo itself
    names = [column[0] for column in cursor.description]
    types = {column[0]: str(column[1]) for column in cursor.description}
    return [
        {name: _plain(value, types[name]) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()
    ]


def _plain(value: Any, column_type: str) -> Any:
    if value is not None and column_type.upper().endswith("JSON"):
        return orjson.loads(value)
    return value


def _difference(body: dict[str, Any], row: dict[str, Any] | None) -> str:
    if row is None:
        return "not in the table"
    columns = {name: value for name, value in row.items() if name.startswith("value_")}
    for name in columns.keys() | {f"value_{field}" for field in body}:
        sent = body.get(name.removeprefix("value_"))
        held = columns.get(name)
        if not _same(sent, held):
            return f"{name} is {held!r} where {sent!r} was sent"
    return ""


def _same(sent: Any, held: Any) -> bool:
    if isinstance(sent, bool) or isinstance(held, bool):
        return sent is held
    if isinstance(sent, int | float) and isinstance(held, int | float | Decimal):
        return Decimal(repr(sent)) == Decimal(str(held))
    return bool(sent == held)
