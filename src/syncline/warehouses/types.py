"""The types a column can have, and how they widen.

The lattice is data: :data:`WIDENS_TO` names, for each kind, the next wider kinds that hold all of its values without
loss. :func:`join` finds the narrowest type above two others; STRING is above them all. Decimals have a size: two
decimals join to one that holds the integer digits and the scale of both, as long as that fits 38 digits.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

DECIMAL_DIGITS = 38
"""Most digits of a decimal: what Arrow's decimal128, DuckDB and most warehouses hold."""

_METADATA_KEY = b"syncline.kind"


class Kind(StrEnum):
    """A kind of column, by the name the API uses for it."""

    BOOLEAN = "BOOLEAN"
    SHORT = "SHORT"
    INT = "INT"
    LONG = "LONG"
    DECIMAL = "DECIMAL"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    LOCALDATE = "LOCALDATE"
    LOCALDATETIME = "LOCALDATETIME"
    INSTANT = "INSTANT"
    JSON = "JSON"
    XML = "XML"
    BINARY = "BINARY"
    STRING = "STRING"


WIDENS_TO: Mapping[Kind, tuple[Kind, ...]] = MappingProxyType(
    {
        Kind.BOOLEAN: (Kind.JSON,),
        Kind.SHORT: (Kind.INT, Kind.FLOAT),
        Kind.INT: (Kind.LONG, Kind.DOUBLE),
        Kind.LONG: (Kind.DECIMAL,),
        Kind.DECIMAL: (Kind.JSON,),
        Kind.FLOAT: (Kind.DOUBLE,),
        Kind.DOUBLE: (Kind.JSON,),
        Kind.LOCALDATE: (Kind.LOCALDATETIME,),
        Kind.LOCALDATETIME: (Kind.STRING,),
        Kind.INSTANT: (Kind.STRING,),
        Kind.JSON: (Kind.STRING,),
        Kind.XML: (Kind.STRING,),
        Kind.BINARY: (Kind.STRING,),
        Kind.STRING: (),
    }
)
"""The next wider kinds of each kind.

A double does not hold every decimal or long, nor the other way round, so those meet in JSON, which holds any number as
it was written. A local date and time has no zone, so it is no instant: the two meet in STRING.
"""

INTEGER_DIGITS: Mapping[Kind, int] = MappingProxyType({Kind.SHORT: 5, Kind.INT: 10, Kind.LONG: 19})
"""Digits that a decimal needs to hold every value of an integer kind."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of a column: a kind, and for a DECIMAL its size."""

    kind: Kind
    integer_digits: int = 0
    """Digits before the decimal point of a DECIMAL."""
    scale: int = 0
    """Digits after the decimal point of a DECIMAL."""

    @property
    def precision(self) -> int:
        """All digits of a DECIMAL."""
        return max(1, self.integer_digits + self.scale)

    def __str__(self) -> str:
        return f"DECIMAL({self.precision},{self.scale})" if self.kind is Kind.DECIMAL else str(self.kind)


BOOLEAN = ColumnType(Kind.BOOLEAN)
SHORT = ColumnType(Kind.SHORT)
INT = ColumnType(Kind.INT)
LONG = ColumnType(Kind.LONG)
FLOAT = ColumnType(Kind.FLOAT)
DOUBLE = ColumnType(Kind.DOUBLE)
LOCALDATE = ColumnType(Kind.LOCALDATE)
LOCALDATETIME = ColumnType(Kind.LOCALDATETIME)
INSTANT = ColumnType(Kind.INSTANT)
JSON = ColumnType(Kind.JSON)
XML = ColumnType(Kind.XML)
BINARY = ColumnType(Kind.BINARY)
STRING = ColumnType(Kind.STRING)


def decimal(integer_digits: int, scale: int) -> ColumnType:
    """A DECIMAL that holds `integer_digits` before and `scale` digits after the point, at most 38 together."""
    if integer_digits < 0 or scale < 0 or not 0 < integer_digits + scale <= DECIMAL_DIGITS:
        raise ValueError(f"a decimal cannot have {integer_digits} integer digits and scale {scale}")
    return ColumnType(Kind.DECIMAL, integer_digits, scale)


def join(first: ColumnType, second: ColumnType) -> ColumnType:
    """The narrowest type that holds the values of both without loss. Order and grouping do not matter."""
    kind = _join_kinds(first.kind, second.kind)
    if kind is not Kind.DECIMAL:
        return ColumnType(kind)
    integer_digits = max(_integer_digits(first), _integer_digits(second))
    scale = max(first.scale, second.scale)
    if integer_digits + scale > DECIMAL_DIGITS:
        return JSON
    return decimal(integer_digits, scale)


def holds(wider: ColumnType, narrower: ColumnType) -> bool:
    """Whether `wider` holds every value of `narrower` without loss."""
    return join(wider, narrower) == wider


def _integer_digits(column_type: ColumnType) -> int:
    return INTEGER_DIGITS.get(column_type.kind, column_type.integer_digits)


@cache
def _wider_kinds(kind: Kind) -> frozenset[Kind]:
    """The kind itself and all kinds above it."""
    return frozenset({kind}).union(*(_wider_kinds(next_kind) for next_kind in WIDENS_TO[kind]))


@cache
def _join_kinds(first: Kind, second: Kind) -> Kind:
    common = _wider_kinds(first) & _wider_kinds(second)
    return next(kind for kind in common if common == _wider_kinds(kind))


_TO_ARROW: Mapping[Kind, pa.DataType] = MappingProxyType(
    {
        Kind.BOOLEAN: pa.bool_(),
        Kind.SHORT: pa.int16(),
        Kind.INT: pa.int32(),
        Kind.LONG: pa.int64(),
        Kind.FLOAT: pa.float32(),
        Kind.DOUBLE: pa.float64(),
        Kind.LOCALDATE: pa.date32(),
        Kind.LOCALDATETIME: pa.timestamp("us"),
        Kind.INSTANT: pa.timestamp("us", tz="UTC"),
        Kind.JSON: pa.string(),
        Kind.XML: pa.string(),
        Kind.BINARY: pa.binary(),
        Kind.STRING: pa.string(),
    }
)


def to_arrow(column_type: ColumnType) -> pa.DataType:
    """The Arrow type that carries a column. JSON and XML travel as text; :func:`arrow_field` marks them."""
    if column_type.kind is Kind.DECIMAL:
        return pa.decimal128(column_type.precision, column_type.scale)
    return _TO_ARROW[column_type.kind]


def arrow_field(name: str, column_type: ColumnType) -> pa.Field:
    """An Arrow field that says its column type, also where Arrow's own type does not (JSON and XML)."""
    metadata = {_METADATA_KEY: column_type.kind.encode()} if column_type.kind in (Kind.JSON, Kind.XML) else None
    return pa.field(name, to_arrow(column_type), metadata=metadata)


def from_arrow(field: pa.Field) -> ColumnType:
    """The column type of an Arrow field.

    Raises:
        TypeError: No column type carries this Arrow type.
    """
    if field.metadata and _METADATA_KEY in field.metadata:
        return ColumnType(Kind(field.metadata[_METADATA_KEY].decode()))
    arrow_type = field.type
    if pa.types.is_decimal128(arrow_type):
        return decimal(arrow_type.precision - arrow_type.scale, arrow_type.scale)
    if pa.types.is_timestamp(arrow_type):
        return INSTANT if arrow_type.tz else LOCALDATETIME
    for kind in (*INTEGER_DIGITS, Kind.BOOLEAN, Kind.FLOAT, Kind.DOUBLE, Kind.LOCALDATE):
        if arrow_type == _TO_ARROW[kind]:
            return ColumnType(kind)
    if pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type):
        return STRING
    if pa.types.is_binary(arrow_type) or pa.types.is_large_binary(arrow_type):
        return BINARY
    raise TypeError(f"no column type carries Arrow's {arrow_type} (column {field.name!r})")


def convert(column: pa.ChunkedArray, source: ColumnType, target: ColumnType) -> pa.ChunkedArray:
    """The values of `column` as the wider type `target`, without loss."""
    if source == target:
        return column.cast(to_arrow(target))
    if target.kind not in (Kind.JSON, Kind.STRING):
        return column.cast(to_arrow(target))
    if source.kind is Kind.BINARY:
        encoded = [None if value is None else base64.b64encode(value).decode() for value in column.to_pylist()]
        return pa.chunked_array([pa.array(encoded, pa.string())])
    if source.kind is Kind.LOCALDATETIME:
        return pc.strftime(column, "%Y-%m-%dT%H:%M:%S")
    if source.kind is Kind.INSTANT:
        return pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ")
    text = column.cast(pa.string())
    if source.kind in (Kind.FLOAT, Kind.DOUBLE) and target.kind is Kind.JSON:
        # JSON has no literal for these three; a string keeps them apart from null.
        quoted = pc.binary_join_element_wise('"', text, '"', "")
        text = pc.if_else(pc.is_finite(column), text, quoted)
    return text
