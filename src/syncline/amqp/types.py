"""Python's side of the AMQP 1.0 type system (part 1 of the specification).

Python's own types stand for the AMQP types that they match: None (null), bool (boolean), int (long), float
(double), str (string), bytes (binary), uuid.UUID (uuid), list (list) and dict (map). Where AMQP has several
types for one Python type, the others have a small class here, so that a decoded value encodes to the type it
came from: `UInt(1)` is an int to Python and a uint to AMQP.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final, Self

from syncline.amqp.errors import EncodeError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class _FixedWidthInteger(int):
    """An int of a fixed width. Making one outside of its range raises ValueError."""

    __slots__ = ()
    MINIMUM: ClassVar[int]
    MAXIMUM: ClassVar[int]

    def __new__(cls, value: int) -> Self:
        if not cls.MINIMUM <= value <= cls.MAXIMUM:
            raise ValueError(f"{cls.__name__} must be from {cls.MINIMUM} to {cls.MAXIMUM}, not {int(value)}")
        return int.__new__(cls, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)})"

    __str__ = int.__repr__


class UByte(_FixedWidthInteger):
    """ubyte: 8 bits, unsigned."""

    __slots__ = ()
    MINIMUM = 0
    MAXIMUM = 0xFF


class UShort(_FixedWidthInteger):
    """ushort: 16 bits, unsigned."""

    __slots__ = ()
    MINIMUM = 0
    MAXIMUM = 0xFFFF


class UInt(_FixedWidthInteger):
    """uint: 32 bits, unsigned."""

    __slots__ = ()
    MINIMUM = 0
    MAXIMUM = 0xFFFF_FFFF


class ULong(_FixedWidthInteger):
    """ulong: 64 bits, unsigned."""

    __slots__ = ()
    MINIMUM = 0
    MAXIMUM = 0xFFFF_FFFF_FFFF_FFFF


class Byte(_FixedWidthInteger):
    """byte: 8 bits, signed."""

    __slots__ = ()
    MINIMUM = -0x80
    MAXIMUM = 0x7F


class Short(_FixedWidthInteger):
    """short: 16 bits, signed."""

    __slots__ = ()
    MINIMUM = -0x8000
    MAXIMUM = 0x7FFF


class Int(_FixedWidthInteger):
    """int: 32 bits, signed. (A plain Python int is a long, 64 bits.)"""

    __slots__ = ()
    MINIMUM = -0x8000_0000
    MAXIMUM = 0x7FFF_FFFF


class Timestamp(_FixedWidthInteger):
    """timestamp: milliseconds since 1970-01-01T00:00:00Z, 64 bits, signed."""

    __slots__ = ()
    MINIMUM = -0x8000_0000_0000_0000
    MAXIMUM = 0x7FFF_FFFF_FFFF_FFFF

    @classmethod
    def from_datetime(cls, moment: datetime) -> Self:
        """The timestamp of an aware datetime; below a millisecond is cut off. A naive one raises ValueError."""
        if moment.tzinfo is None:
            raise ValueError("a datetime without time zone is not a point in time: give it a tzinfo")
        return cls((moment - _EPOCH) // _MILLISECOND)

    def to_datetime(self) -> datetime:
        """This moment in UTC. OverflowError outside of the years 1 to 9999, which AMQP allows."""
        return _EPOCH + timedelta(milliseconds=int(self))


class Float32(float):
    """float: 32 bits. (A plain Python float is a double, 64 bits.) Encoding rounds to what 32 bits hold."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Float32({float(self)!r})"


class Symbol(str):
    """symbol: a name from a constrained domain, in ASCII. Equal to the str with the same characters."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Symbol({str(self)!r})"


class Char(str):
    """char: one Unicode scalar value. Anything but one character raises ValueError."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        if len(value) != 1 or 0xD800 <= ord(value) <= 0xDFFF:
            raise ValueError(f"Char must be one Unicode scalar value, not {value!r}")
        return str.__new__(cls, value)

    def __repr__(self) -> str:
        return f"Char({str(self)!r})"


@dataclass(frozen=True, slots=True)
class _Decimal:
    """A decimal kept as its IEEE 754-2008 bytes, big-endian, so that it passes through unchanged."""

    raw: bytes
    WIDTH: ClassVar[int]

    def __post_init__(self) -> None:
        if len(self.raw) != self.WIDTH:
            raise ValueError(f"{type(self).__name__} takes {self.WIDTH} bytes, not {len(self.raw)}")


class Decimal32(_Decimal):
    """decimal32: 4 bytes."""

    __slots__ = ()
    WIDTH = 4


class Decimal64(_Decimal):
    """decimal64: 8 bytes."""

    __slots__ = ()
    WIDTH = 8


class Decimal128(_Decimal):
    """decimal128: 16 bytes."""

    __slots__ = ()
    WIDTH = 16


@dataclass(frozen=True, slots=True)
class Described:
    """A value with a descriptor in front of it that gives it its meaning (part 1, section 1.1.2)."""

    descriptor: object
    value: object


ARRAY_TYPES: Final = frozenset(
    {
        "null", "boolean", "ubyte", "ushort", "uint", "ulong", "byte", "short", "int", "long", "float", "double",
        "decimal32", "decimal64", "decimal128", "char", "timestamp", "uuid", "binary", "string", "symbol",
        "list", "map", "array",
    }
)  # fmt: skip
"""Names of the types that an array's items may have."""


@dataclass(slots=True)
class Array:
    """array: items of one AMQP type (part 1, section 1.6.24).

    `type_name` is AMQP's name of the items' type, one of `ARRAY_TYPES`. A `descriptor` makes every item a
    described value; `items` then holds the values alone.
    """

    type_name: str
    items: Sequence[object]
    descriptor: object | None = None

    def __post_init__(self) -> None:
        if self.type_name not in ARRAY_TYPES:
            raise EncodeError(f"an array of {self.type_name!r} cannot be: AMQP has no such type")
