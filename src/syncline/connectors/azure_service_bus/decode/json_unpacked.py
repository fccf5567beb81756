"""JSON, unpacked: each first-level field of the message's object is a column `value_<field>`.

A column has the narrowest type that holds its values of the batch without loss (see :mod:`syncline.warehouses.types`):
whole numbers are SHORT, INT or LONG, other numbers DECIMAL (DOUBLE where 38 digits do not do), objects and arrays stay
JSON, strings stay STRING: that a string looks like a date says nothing about the next message. A field that is null
or absent in all messages of the batch has no type and makes no column. Of a field that stands twice in one object the
last one counts. A message that is no object is kept whole in the JSON column `value`.
"""

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


def decode(messages: pa.Table, schemas: SchemaRegistry | None = None) -> Decoded:
    """Parse the bodies and make typed columns of their first-level fields."""
    objects: list[dict[str, Any]] = []
    others: dict[int, str] = {}
    reasons: dict[int, str] = {}
    for place, value in enumerate(parse(messages)):
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
            others[len(objects)] = dump(value)
            objects.append({})
    fields: list[pa.Field] = []
    columns: list[pa.Array] = []
    if others:
        fields.append(types.arrow_field("value", types.JSON))
        columns.append(pa.array([others.get(row) for row in range(len(objects))], pa.string()))
    for name in dict.fromkeys(chain.from_iterable(objects)):
        typed = _column([value.get(name) for value in objects])
        if typed is not None:
            fields.append(types.arrow_field(f"value_{name}", typed[0]))
            columns.append(typed[1])
    return Decoded(fields, columns, reasons)


def _column(values: list[Any]) -> tuple[types.ColumnType, pa.Array] | None:
    """The type and the Arrow array of a field's values; None when all are null."""
    found = set(map(type, values))
    found.discard(type(None))
    if not found:
        return None
    if found == {str}:
        return types.STRING, pa.array(values, pa.string())
    if found == {bool}:
        return types.BOOLEAN, pa.array(values, pa.bool_())
    if not found & {str, bool, dict, list}:
        return number_column(values, found)
    if str not in found:
        return types.JSON, pa.array([None if value is None else dump(value) for value in values], pa.string())
    texts = [value if value is None or type(value) is str else dump(value) for value in values]
    return types.STRING, pa.array(texts, pa.string())
