"""JSON, unpacked: each first-level field of the message's object is a column `value_<field>`.

A column has the narrowest type that holds its values of the batch without loss (see :mod:`syncline.warehouses.types`):
whole numbers are SHORT, INT or LONG, other numbers DECIMAL (DOUBLE where 38 digits do not do), objects and arrays stay
JSON, strings stay STRING: that a string looks like a date says nothing about the next message. A field that is null
or absent in all messages of the batch has no type and makes no column. Of a field that stands twice in one object the
last one counts. A message that is no object is kept whole in the JSON column `value`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa

from syncline.connectors.azure_service_bus.decode.json_text import Unreadable, dump, parse
from syncline.connectors.azure_service_bus.decode.numbers import number_column
from syncline.connectors.azure_service_bus.decode.outcome import Decoded
from syncline.connectors.schema_registry import SchemaRegistry
from syncline.warehouses import types

MOST_FIELDS = 1000
"""First-level fields of one message. More than this are data rather than structure, and no table has such columns."""


_AT_ONCE = 2500
"""Messages whose objects are in memory together. Fewer of them also stay in the processor's cache, which takes a fifth
off the time."""

_STRUCTURES = {dict, list}


def decode(messages: pa.Table, schemas: SchemaRegistry | None = None) -> Decoded:
    """Parse the bodies and make typed columns of their first-level fields."""
    parts: dict[str, list[_Part]] = {}
    others: dict[int, str] = {}
    reasons: dict[int, str] = {}
    rows = 0
    for start in range(0, messages.num_rows, _AT_ONCE):
        objects: list[dict[str, Any]] = []
        for place, value in enumerate(parse(messages.slice(start, _AT_ONCE)), start):
            if type(value) is dict and len(value) <= MOST_FIELDS:
                objects.append(value)
            elif type(value) is dict:
                reasons[place] = (
                    f"The object has {len(value):,} fields, but only {MOST_FIELDS:,} can become columns. "
                    "Set sync_type to Packed to keep such messages whole."
                )
            elif isinstance(value, Unreadable):
                reasons[place] = str(value)
            else:
                others[rows + len(objects)] = dump(value)
                objects.append({})
        for name in dict.fromkeys(chain.from_iterable(objects)):
            parts.setdefault(name, []).append(_part(rows, [value.get(name) for value in objects]))
        rows += len(objects)
    fields: list[pa.Field] = []
    columns: list[pa.Array | pa.ChunkedArray] = []
    if others:
        fields.append(types.arrow_field("value", types.JSON))
        columns.append(pa.array([others.get(row) for row in range(rows)], pa.string()))
    for name, of_name in parts.items():
        typed = _column(of_name, rows)
        if typed is not None:
            fields.append(types.arrow_field(f"value_{name}", typed[0]))
            columns.append(typed[1])
    return Decoded(fields, columns, reasons)


@dataclass(frozen=True, slots=True)
class _Part:
    """The values of one field in messages that follow one another."""

    start: int
    """The row of the first."""
    found: set[type]
    """The types of the values, but for null."""
    values: list[Any] | pa.Array
    """Strings and booleans are an array, and objects and arrays their JSON text, if there is nothing else beside."""

    def texts(self, *, as_json: bool) -> pa.Array:
        """The values as text: strings as they are, unless JSON is wanted; all else as JSON."""
        if isinstance(self.values, pa.Array) and (self.found <= _STRUCTURES or (self.found == {str} and not as_json)):
            return self.values
        values = self.values.to_pylist() if isinstance(self.values, pa.Array) else self.values
        made = [each if each is None or (type(each) is str and not as_json) else dump(each) for each in values]
        return pa.array(made, pa.string())


def _part(start: int, values: list[Any]) -> _Part:
    found = set(map(type, values))
    found.discard(type(None))
    if found == {str}:
        return _Part(start, found, pa.array(values, pa.string()))
    if found == {bool}:
        return _Part(start, found, pa.array(values, pa.bool_()))
    if found and found <= _STRUCTURES:
        texts = [None if value is None else dump(value) for value in values]
        return _Part(start, found, pa.array(texts, pa.string()))
    return _Part(start, found, values)


def _column(parts: list[_Part], rows: int) -> tuple[types.ColumnType, pa.Array | pa.ChunkedArray] | None:
    """The type and the values of a field over `rows` messages; None when all are null."""
    parts = [part for part in parts if part.found]
    found = set().union(*(part.found for part in parts))
    if not found:
        return None
    if found == {str}:
        return types.STRING, _filled(parts, [part.values for part in parts], rows, pa.string())
    if found == {bool}:
        return types.BOOLEAN, _filled(parts, [part.values for part in parts], rows, pa.bool_())
    if not found & {str, bool, *_STRUCTURES}:
        values: list[Any] = []
        for part in parts:
            values += [None] * (part.start - len(values))
            values += part.values
        return number_column(values + [None] * (rows - len(values)), found)
    column_type = types.JSON if str not in found else types.STRING
    texts = [part.texts(as_json=str not in found) for part in parts]
    return column_type, _filled(parts, texts, rows, pa.string())


def _filled(parts: list[_Part], arrays: Sequence[pa.Array], rows: int, arrow_type: pa.DataType) -> pa.ChunkedArray:
    """The arrays of parts, with nulls for the messages that no part has."""
    chunks: list[pa.Array] = []
    end = 0
    for part, array in zip(parts, arrays, strict=True):
        if part.start > end:
            chunks.append(pa.nulls(part.start - end, arrow_type))
        chunks.append(array)
        end = part.start + len(array)
    if rows > end:
        chunks.append(pa.nulls(rows - end, arrow_type))
    return pa.chunked_array(chunks, arrow_type)
