"""Batches of messages to decode, and what became of them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from syncline.connectors.azure_service_bus.decode import REJECT_SCHEMA
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA
from syncline.warehouses import types


def batch(
    bodies: Sequence[bytes],
    content_type: str | Sequence[str | None] | None = None,
    content_encoding: str | Sequence[str | None] | None = None,
) -> pa.Table:
    """A batch of messages with these bodies; the sequence numbers count from 1."""
    count = len(bodies)
    columns = {
        "message_id": pa.array([f"m{number}" for number in range(count)], pa.string()),
        "sequence_num": pa.array(range(1, count + 1), pa.int64()),
        "enqueued_time": pa.array([0] * count, pa.timestamp("us", tz="UTC")),
        "content_type": _texts(content_type, count),
        "content_encoding": _texts(content_encoding, count),
        "body": pa.array(bodies, pa.large_binary()),
    }
    arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in MESSAGE_SCHEMA]
    return pa.table(arrays, schema=MESSAGE_SCHEMA)


def _texts(value: str | Sequence[str | None] | None, count: int) -> pa.Array:
    return pa.array([value] * count if value is None or isinstance(value, str) else value, pa.string())


def typed(table: pa.Table, name: str) -> tuple[types.ColumnType, list[Any]]:
    """A column's type and its values."""
    return types.from_arrow(table.schema.field(name)), table.column(name).to_pylist()


def values(table: pa.Table) -> dict[str, tuple[types.ColumnType, list[Any]]]:
    """The columns of the decoded bodies."""
    return {name.removeprefix("value_"): typed(table, name) for name in table.column_names if name.startswith("value")}


def check_complete(bodies: Sequence[bytes], rows: pa.Table, rejects: pa.Table) -> None:
    """Every message is a row or a reject, and the rejects have the bytes that were sent."""
    accepted, rejected = rows.column("sequence_num").to_pylist(), rejects.column("sequence_num").to_pylist()
    assert accepted == sorted(accepted)
    assert sorted(accepted + rejected) == list(range(1, len(bodies) + 1))
    assert rejects.schema.equals(REJECT_SCHEMA, check_metadata=True)
    assert rejects.column("body").to_pylist() == [bodies[number - 1] for number in rejected]
    assert all(rejects.column("reason").to_pylist())
