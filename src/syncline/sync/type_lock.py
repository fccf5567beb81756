"""Columns that keep their type: values that do not fit it become null.

A batch has one type for all values of a field, so one value out of place makes text of its neighbours too. Those are
read back from the text; only what cannot be is lost. A number fits a float that is written with the same digits.
"""

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from syncline.warehouses import types
from syncline.warehouses.duckdb_connect import connect_in_memory
from syncline.warehouses.types import ColumnType, Kind

_INTEGER = r"-?\d+(\.0+)?"
_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = _DATE + r"[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?"
_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)"

_SQL_TYPES = {
    Kind.SHORT: "SMALLINT",
    Kind.INT: "INTEGER",
    Kind.LONG: "BIGINT",
    Kind.FLOAT: "FLOAT",
    Kind.DOUBLE: "DOUBLE",
    Kind.LOCALDATE: "DATE",
    Kind.LOCALDATETIME: "TIMESTAMP",
    Kind.INSTANT: "TIMESTAMPTZ",
    Kind.BOOLEAN: "BOOLEAN",
}
_FLOATS = (Kind.FLOAT, Kind.DOUBLE)
_FORMS = {
    Kind.SHORT: _INTEGER,
    Kind.INT: _INTEGER,
    Kind.LONG: _INTEGER,
    Kind.FLOAT: r"-?\d.*",
    Kind.DOUBLE: r"-?\d.*",
    Kind.LOCALDATE: _DATE,
    Kind.LOCALDATETIME: _TIME,
    Kind.INSTANT: _TIME + _ZONE,
    Kind.BOOLEAN: "true|false",
}
"""What the text of a value looks like that has a type. Casts alone would round numbers, and guess."""


def fitted(column: pa.ChunkedArray, source: ColumnType, target: ColumnType) -> pa.ChunkedArray:
    """The values of `column` as `target`, null where they do not fit it without loss."""
    if types.holds(target, source):
        return types.convert(column, source, target)
    arrow_type = types.to_arrow(target)
    if source.kind in _FLOATS and target.kind in _FLOATS:
        narrow = column.cast(arrow_type, safe=False)
        return pc.if_else(_has_digits_of(narrow, column), narrow, pa.scalar(None, arrow_type))
    expression = _expression(target)
    if expression is None:
        return pa.chunked_array([pa.nulls(len(column), arrow_type)])
    text = types.convert(column, source, types.STRING)
    value = "v"
    if source.kind is Kind.JSON and target.kind is not Kind.JSON:
        value = "CASE WHEN json_type(v) = 'VARCHAR' THEN v ->> '$' ELSE v END"
    batch = pa.table({"place": pa.array(range(len(column)), pa.int64()), "v": text})
    with connect_in_memory() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("batch", batch)
        found = connection.sql(
            f"SELECT {expression} AS v, x FROM (SELECT place, {value} AS x FROM batch) ORDER BY place"  # noqa: S608 - ours
        ).to_arrow_table()
    fitting = found.column("v").cast(arrow_type)
    if target.kind in _FLOATS:
        return pc.if_else(_has_digits_of(fitting, found.column("x")), fitting, pa.scalar(None, arrow_type))
    return fitting


def _has_digits_of(floats: pa.ChunkedArray, numbers: pa.ChunkedArray) -> pa.Array:
    """Which floats, in as many digits as tell them from their neighbours, are the numbers that they were made from."""
    pairs = zip(floats.cast(pa.string()).to_pylist(), numbers.cast(pa.string()).to_pylist(), strict=True)
    return pa.array(
        [made is not None and (made == number or Decimal(made) == Decimal(number)) for made, number in pairs],
        pa.bool_(),
    )


def _expression(target: ColumnType) -> str | None:
    """SQL that makes a value of the text `x`, or null; None where no text is one."""
    if target.kind is Kind.JSON:
        return "CASE WHEN json_valid(x) THEN x ELSE CAST(to_json(x) AS VARCHAR) END"
    if target.kind is Kind.DECIMAL:
        sql_type = f"DECIMAL({target.precision},{target.scale})"
        form = rf"-?\d+(\.\d{{0,{target.scale}}}0*)?"
    elif target.kind in _FORMS:
        sql_type, form = _SQL_TYPES[target.kind], _FORMS[target.kind]
    else:
        return None
    return f"CASE WHEN regexp_full_match(x, '{form}') THEN TRY_CAST(x AS {sql_type}) END"
