"""Compare what arrived in the soak with what was published, message by message."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson

from benchmarks.soak_messages import Topic, amount_of, is_amount, version_of

_CHUNK = 50_000


@dataclass
class Found:
    """What arrived of one topic."""

    published: int
    rows: int = 0
    rejected: int = 0
    lost: int = 0
    duplicated: int = 0
    changed: int = 0
    """Rows that say something else than their message did."""

    @property
    def is_complete(self) -> bool:
        """Whether everything is there, once and unchanged."""
        return not self.lost and not self.duplicated and not self.changed


def compare(database: Path, schema: str, topic: Topic, published: int) -> Found:
    """Look at every row of a topic's tables."""
    found = Found(published)
    with duckdb.connect(str(database), read_only=True) as connection:
        rows, rejects = _seen(published), _seen(published)
        for message_id, *values in _rows(connection, schema, topic):
            found.rows += 1
            number = _note(topic, message_id, rows, found)
            if number is not None and (
                topic.is_bad(number) or not _says_the_same(topic, values, number, version_of(number, published))
            ):
                found.changed += 1
        for message_id, body in _rejects(connection, schema, topic):
            found.rejected += 1
            number = _note(topic, message_id, rejects, found)
            if number is not None and (not topic.is_bad(number) or body != topic.message_body(number, published)):
                found.changed += 1
    found.lost = sum(not (row or reject) for row, reject in zip(rows, rejects, strict=True))
    return found


def _seen(count: int) -> bytearray:
    return bytearray(count)


def _note(topic: Topic, message_id: str, seen: bytearray, found: Found) -> int | None:
    """The number of a message that is met, unless it was met before or never published."""
    name, _, digits = message_id.rpartition("-")
    if name != topic.name or not digits.isdigit() or int(digits) >= len(seen):
        found.changed += 1
        return None
    number = int(digits)
    if seen[number]:
        found.duplicated += 1
        return None
    seen[number] = 1
    return number


def _rows(connection: duckdb.DuckDBPyConnection, schema: str, topic: Topic) -> Iterator[tuple[Any, ...]]:
    columns = ["value"] if topic.sync_type == "Packed" else ["value_number", "value_name", "value_amount"]
    if topic.message_type == "Protobuf":
        columns[2] = "value_added_in_3"
    chosen = ", ".join(f"CAST({column} AS VARCHAR)" for column in columns)
    yield from _fetched(connection.execute(f"SELECT message_id, {chosen} FROM {schema}.{topic.name}"))


def _rejects(connection: duckdb.DuckDBPyConnection, schema: str, topic: Topic) -> Iterator[tuple[Any, ...]]:
    table = f"{topic.name}__rejected"
    if connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?", [schema, table]
    ).fetchall():
        # A message that the sender had to send twice is two messages to Service Bus, and a table of rejects has both.
        yield from _fetched(
            connection.execute(f"SELECT message_id, any_value(body) FROM {schema}.{table} GROUP BY message_id")
        )


def _fetched(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(_CHUNK):
        yield from rows


def _says_the_same(topic: Topic, values: list[str | None], number: int, version: int) -> bool:
    match topic.message_type, topic.sync_type:
        case "Protobuf", _:
            added = str(number) if version >= 3 else None
            return values[0] == str(number) and values[1] == f"Zoë {number}" and values[2] in (added, added or "0")
        case _, "Unpacked":
            stored, name, amount = values
            return stored == str(number) and name == f"Zoë {number}" and is_amount(amount or "", number, version)
        case "Json", _:
            value = orjson.loads(values[0] or "")
            expected = amount_of(number, version)
            same = value["amount"] == (float(expected) if isinstance(expected, Decimal) else expected)
            return bool(value["number"] == number and same)
        case "Text", _:
            return (values[0] or "").encode() == topic.body(number, version)
        case _:
            said = re.search(rf'number="{number}"><amount>([^<]*)</amount>', values[0] or "")
            return said is not None and said[1] == str(amount_of(number, version))
