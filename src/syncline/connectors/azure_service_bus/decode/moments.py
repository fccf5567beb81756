"""Dates and times that a format gives as integers, converted for a whole column.

Only the years 1 to 9999 can be in a column, as destinations have it. What is finer than a microsecond is cut off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from syncline.warehouses import types
from syncline.warehouses.types import ColumnType

EARLIEST = -62_135_596_800_000_000
LATEST = 253_402_300_799_999_999
"""The years 1 to 9999 in microseconds of the Unix epoch."""
_DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Converter:
    """How integers of one kind become a column."""

    integer: str
    """Avro's type of the integers: int or long."""
    column_type: ColumnType
    build: Callable[[Sequence[Any]], pa.Array]
    """Raises ValueError (or Arrow's kind of it) where an integer is out of range."""


def instant(microseconds: int) -> datetime:
    """The moment so long after the Unix epoch."""
    return _EPOCH + timedelta(microseconds=microseconds)


def local(microseconds: int) -> datetime:
    """The date and time, in no zone, so long after the beginning of 1970."""
    return instant(microseconds).replace(tzinfo=None)


def moments_column(microseconds: pa.Array, arrow_type: pa.DataType) -> pa.Array:
    """A column of timestamps of their microseconds.

    Raises:
        ValueError: One is before the year 1 or after 9999.
    """
    _check(microseconds, EARLIEST, LATEST, "the years 1 to 9999")
    return microseconds.cast(arrow_type)


def _check(integers: pa.Array, least: int, most: int, bounds: str) -> None:
    found = pc.min_max(integers).as_py()
    if found["min"] is not None and not least <= found["min"] <= found["max"] <= most:
        wrong = found["min"] if found["min"] < least else found["max"]
        raise ValueError(f"{wrong} is not within {bounds}")


def _microseconds(values: Sequence[Any], per_unit: int, per_microsecond: int) -> pa.Array:
    integers = pa.array(values, pa.int64())
    if per_unit > 1:
        return pc.multiply_checked(integers, per_unit)
    if per_microsecond > 1:
        # Arrow's own division goes towards zero; this goes towards the past, before 1970 too.
        rest = pc.subtract(integers, pc.multiply(pc.divide(integers, per_microsecond), per_microsecond))
        return pc.subtract(pc.divide(integers, per_microsecond), pc.less(rest, 0).cast(pa.int64()))
    return integers


def _timestamps(column_type: ColumnType, per_unit: int, per_microsecond: int = 1) -> Converter:
    def build(values: Sequence[Any]) -> pa.Array:
        return moments_column(_microseconds(values, per_unit, per_microsecond), types.to_arrow(column_type))

    return Converter("long", column_type, build)


def _dates(values: Sequence[Any]) -> pa.Array:
    days = pa.array(values, pa.int32())
    _check(days, EARLIEST // _DAY, LATEST // _DAY, "the years 1 to 9999")
    return days.cast(pa.date32())


def _times(integer: str, per_unit: int) -> Converter:
    def build(values: Sequence[Any]) -> pa.Array:
        microseconds = _microseconds(values, per_unit, 1)
        _check(microseconds, 0, _DAY - 1, "a day")
        return microseconds.cast(pa.time64("us")).cast(pa.string())

    return Converter(integer, types.STRING, build)


CONVERTERS = {
    "date": Converter("int", types.LOCALDATE, _dates),
    "time-millis": _times("int", 1000),
    "time-micros": _times("long", 1),
    "timestamp-millis": _timestamps(types.INSTANT, 1000),
    "timestamp-micros": _timestamps(types.INSTANT, 1),
    "timestamp-nanos": _timestamps(types.INSTANT, 1, 1000),
    "local-timestamp-millis": _timestamps(types.LOCALDATETIME, 1000),
    "local-timestamp-micros": _timestamps(types.LOCALDATETIME, 1),
    "local-timestamp-nanos": _timestamps(types.LOCALDATETIME, 1, 1000),
}
"""By the name of Avro's logical type."""
