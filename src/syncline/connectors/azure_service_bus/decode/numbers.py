"""Typed columns of JSON numbers."""

from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from syncline.connectors.azure_service_bus.decode.json_text import PRECISE_NUMBER
from syncline.warehouses import types

_SHORT = 2**15
_INT = 2**31
_INTEGER_DIGITS = (10, 19, 28)
"""Decimals are made this wide before the point, so that a column does not widen again with each larger value."""
_PRECISE = f"^{PRECISE_NUMBER}"
_MOST_SCALE_OF_FLOATS = 22
"""A double times this power of ten is still exact in the arithmetic of :func:`_scale_of_floats`."""


def number_column(texts: pa.Array) -> tuple[types.ColumnType, pa.Array]:
    """The narrowest type that holds all of the numbers, and their array.

    Args:
        texts: Each number as JSON, exactly; nulls stay nulls, but there is at least one number.
    """
    if _have_fractions(texts):
        made = None if pc.any(pc.match_substring_regex(texts, _PRECISE)).as_py() else _decimals_of_floats(texts)
        return made or _decimals(texts)
    try:
        integers = texts.cast(pa.int64())
    except pa.ArrowInvalid:  # too large, or with an exponent
        return _decimals(texts)
    column_type = _integer_type(integers)
    return column_type, integers.cast(types.to_arrow(column_type))


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


def _have_fractions(texts: pa.Array) -> bool:
    return bool(pc.max(pc.find_substring(texts, ".")).as_py() >= 0)


def _decimals_of_floats(texts: pa.Array) -> tuple[types.ColumnType, pa.Array] | None:
    """The fast way, for numbers with at most 14 digits; None where it does not do.

    Such a double has one shortest text, which is the number as it was written: Arrow makes that text, and the decimal
    of it.
    """
    array = texts.cast(pa.float64())
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


def _decimals(texts: pa.Array) -> tuple[types.ColumnType, pa.Array]:
    """The exact way, number by number."""
    literals = texts.to_pylist()
    numbers = [None if literal is None else _shortest(Decimal(literal)) for literal in literals]
    present = [number for number in numbers if number is not None]
    scale = max(0, *(-int(number.as_tuple().exponent) for number in present))
    integer_digits = max([1, *(number.adjusted() + 1 for number in present if number)])
    # As the fast way has it: who writes 1.0 has a fraction in mind.
    least_scale = int(_have_fractions(texts))
    column_type = _decimal_type(integer_digits, max(scale, least_scale)) or _decimal_type(integer_digits, scale)
    if column_type is not None:
        return column_type, pa.array(numbers, types.to_arrow(column_type))
    if all(Decimal(repr(float(number))) == number for number in present):
        return types.DOUBLE, pa.array([None if number is None else float(number) for number in numbers], pa.float64())
    return types.JSON, texts


def _shortest(number: Decimal) -> Decimal:
    """The number without trailing zeros in its fraction, whatever its size: rounding never happens here."""
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
