"""Typed columns of JSON numbers."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from syncline.connectors.azure_service_bus.decode.json_text import dump
from syncline.warehouses import types

_SHORT = 2**15
_INT = 2**31
_INTEGER_DIGITS = (10, 19, 28)
"""Decimals are made this wide before the point, so that a column does not widen again with each larger value."""
_MOST_SCALE_OF_FLOATS = 22
"""A double times this power of ten is still exact in the arithmetic of :func:`_scale_of_floats`."""


def number_column(values: Sequence[Any], found: set[type]) -> tuple[types.ColumnType, pa.Array]:
    """The narrowest type that holds all numbers, and their array. `found` are the Python types among them."""
    if found == {int}:
        array = pa.array(values, pa.int64())
        column_type = _integer_type(array)
        return column_type, array.cast(types.to_arrow(column_type))
    if Decimal not in found:
        made = _decimals_of_floats(values)
        if made is not None:
            return made
    return _decimals(values)


def unscaled_column(column_type: types.ColumnType, values: Sequence[bytes | None]) -> pa.Array:
    """A column of decimals that come as their unscaled values: integers in two's complement, big-endian.

    Raises:
        ValueError: One has more digits than the column.
    """
    integers = [None if value is None else int.from_bytes(value, signed=True) for value in values]
    arrow_type = types.to_arrow(column_type)
    try:
        unscaled = pa.array(integers, pa.int64()).cast(pa.decimal128(types.DECIMAL_DIGITS, 0))
    except (OverflowError, pa.ArrowInvalid):
        scale = column_type.scale
        exact = [None if each is None else Decimal(f"{each}E-{scale}") for each in integers]
        return pa.array(exact, arrow_type)
    # The same integers, with the point elsewhere; the cast then checks the digits.
    placed = pa.Array.from_buffers(
        pa.decimal128(types.DECIMAL_DIGITS, column_type.scale), len(unscaled), unscaled.buffers()
    )
    return placed.cast(arrow_type)


def _integer_type(array: pa.Array) -> types.ColumnType:
    bounds = pc.min_max(array).as_py()
    for limit, column_type in ((_SHORT, types.SHORT), (_INT, types.INT)):
        if -limit <= bounds["min"] and bounds["max"] < limit:
            return column_type
    return types.LONG


def _decimals_of_floats(values: Sequence[Any]) -> tuple[types.ColumnType, pa.Array] | None:
    """The fast way, for numbers with at most 14 digits; None where it does not do.

    Such a double has one shortest text, which is the number as it was written: Arrow makes that text, and the decimal
    of it.
    """
    try:
        array = pa.array(values, pa.float64())
    except pa.ArrowInvalid:
        return None
    scale = _scale_of_floats(array)
    bounds = pc.min_max(array).as_py()
    largest = max(abs(bounds["min"]), abs(bounds["max"]))
    if scale is None or largest >= 10**15:
        return None
    column_type = _decimal_type(10 if largest < 10**10 else 19, scale)
    if column_type is None:
        return None
    return column_type, array.cast(pa.string()).cast(types.to_arrow(column_type))


def _scale_of_floats(array: pa.Array) -> int | None:
    for scale in range(1, _MOST_SCALE_OF_FLOATS + 1):
        if pc.all(pc.equal(pc.round(array, scale), array), skip_nulls=True).as_py():
            return scale
    return None


def _decimals(values: Sequence[Any]) -> tuple[types.ColumnType, pa.Array]:
    """The exact way, number by number."""
    numbers = [None if value is None else _shortest(value) for value in values]
    present = [number for number in numbers if number is not None]
    scale = max(0, *(-int(number.as_tuple().exponent) for number in present))
    integer_digits = max(1, *(number.adjusted() + 1 for number in present if number))
    column_type = _decimal_type(integer_digits, scale)
    if column_type is not None:
        return column_type, pa.array(numbers, types.to_arrow(column_type))
    if all(Decimal(repr(float(number))) == number for number in present):
        return types.DOUBLE, pa.array([None if number is None else float(number) for number in numbers], pa.float64())
    return types.JSON, pa.array([None if value is None else dump(value) for value in values], pa.string())


def _shortest(value: int | float | Decimal) -> Decimal:
    """The number without trailing zeros in its fraction, whatever its size: rounding never happens here."""
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    sign, digits, exponent = number.as_tuple()
    if not number:
        return Decimal(0)
    zeros = len(digits)
    while zeros > 1 and digits[zeros - 1] == 0:
        zeros -= 1
    return Decimal((sign, digits[:zeros], int(exponent) + len(digits) - zeros))


def _decimal_type(integer_digits: int, scale: int) -> types.ColumnType | None:
    for width in (*_INTEGER_DIGITS, integer_digits):
        if width >= integer_digits and width + scale <= types.DECIMAL_DIGITS:
            return types.decimal(width, scale)
    return None
