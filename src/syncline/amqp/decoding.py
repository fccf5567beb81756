"""Decoding of AMQP 1.0 values (part 1, sections 1.2 to 1.6).

A value is a constructor byte and then its data, so one table of 256 functions, indexed by constructor, does
the work. Every function takes (buffer, offset after the constructor, depth) and returns (value, next offset).
Whatever the bytes, the only exception that leaves the public functions is `DecodeError`.
"""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class, the module just does not say so
from typing import Any, Final, NoReturn
from uuid import UUID

from syncline.amqp.errors import DecodeError
from syncline.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal32,
    Decimal64,
    Decimal128,
    Described,
    Float32,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

Buffer = bytes | memoryview
Decoder = Callable[[Buffer, int, int], tuple[Any, int]]

MAXIMUM_DEPTH: Final = 32
"""How many lists, maps, arrays and described values may stand inside each other."""

_MAXIMUM_EMPTY_ITEMS: Final = 64
# Items of such constructors take no bytes, so the array's size does not bound how many are claimed.
_ZERO_WIDTH: Final = frozenset({0x40, 0x41, 0x42, 0x43, 0x44, 0x45})

MALFORMED: Final = (IndexError, StructError, UnicodeDecodeError, ValueError, TypeError, OverflowError)
"""What truncated or nonsensical bytes make of the decoding functions; public functions turn them to DecodeError."""

UNSIGNED_32: Final = Struct(">I").unpack_from
_UNSIGNED_16: Final = Struct(">H").unpack_from
_UNSIGNED_64: Final = Struct(">Q").unpack_from
_SIGNED_16: Final = Struct(">h").unpack_from
_SIGNED_32: Final = Struct(">i").unpack_from
_SIGNED_64: Final = Struct(">q").unpack_from
_FLOAT: Final = Struct(">f").unpack_from
_DOUBLE: Final = Struct(">d").unpack_from


def decode_value(buffer: Buffer, offset: int = 0) -> tuple[Any, int]:
    """Decode the value at `offset`; answers it and the offset of what follows it.

    Fixed-width types other than long and double decode to the classes of `syncline.amqp.types`. Raises
    DecodeError when the bytes are truncated, malformed or nested deeper than `MAXIMUM_DEPTH`.
    """
    try:
        return DECODERS[buffer[offset]](buffer, offset + 1, 0)
    except MALFORMED as error:
        raise DecodeError(f"malformed AMQP value at byte {offset}: {error}") from error


def slice_exactly(buffer: Buffer, start: int, stop: int) -> bytes:
    """The bytes from start to stop, or DecodeError when the buffer ends before."""
    if stop > len(buffer):
        raise DecodeError(f"a value of {stop - start} bytes at byte {start} passes the end at {len(buffer)}")
    return bytes(buffer[start:stop])


def container_header(
    buffer: Buffer, offset: int, depth: int, *, small: bool, least_item: int = 1
) -> tuple[int, int, int]:
    """Read the size and count of a list, map or array: (count, offset of the items, end of the container).

    Checks the size against the buffer and the count against the size, before anything is built from them.
    """
    if depth >= MAXIMUM_DEPTH:
        raise DecodeError(f"values nest deeper than {MAXIMUM_DEPTH} levels")
    if small:
        end = offset + 1 + buffer[offset]
        count = buffer[offset + 1]
        start = offset + 2
    else:
        end = offset + 4 + UNSIGNED_32(buffer, offset)[0]
        count = UNSIGNED_32(buffer, offset + 4)[0]
        start = offset + 8
    if end > len(buffer):
        raise DecodeError(f"a container of {end - offset} bytes at byte {offset} passes the end at {len(buffer)}")
    if start > end or count * least_item > end - start:
        raise DecodeError(f"a container of {end - offset} bytes at byte {offset} cannot hold {count} items")
    return count, start, end


def _check_end(offset: int, end: int) -> None:
    if offset != end:
        raise DecodeError(f"a container's items end at byte {offset}, its size says byte {end}")


def _unassigned(buffer: Buffer, offset: int, depth: int) -> NoReturn:
    raise DecodeError(f"0x{buffer[offset - 1]:02x} at byte {offset - 1} is not the constructor of any AMQP type")


def _null(buffer: Buffer, offset: int, depth: int) -> tuple[None, int]:
    return None, offset


def _true(buffer: Buffer, offset: int, depth: int) -> tuple[bool, int]:
    return True, offset


def _false(buffer: Buffer, offset: int, depth: int) -> tuple[bool, int]:
    return False, offset


def _boolean(buffer: Buffer, offset: int, depth: int) -> tuple[bool, int]:
    value = buffer[offset]
    if value > 1:
        raise DecodeError(f"a boolean at byte {offset} is 0x{value:02x}, neither 0x00 nor 0x01")
    return value == 1, offset + 1


def _constant(value: object) -> Decoder:
    def decode(buffer: Buffer, offset: int, depth: int) -> tuple[object, int]:
        return value, offset

    return decode


def _fixed_integer(kind: type[int], unpack: Callable[[Buffer, int], tuple[Any, ...]], width: int) -> Decoder:
    new = int.__new__  # the width itself keeps the value in range, so the class need not check it again

    def decode(buffer: Buffer, offset: int, depth: int) -> tuple[int, int]:
        return new(kind, unpack(buffer, offset)[0]), offset + width

    return decode


def _small_unsigned(kind: type[int]) -> Decoder:
    new = int.__new__

    def decode(buffer: Buffer, offset: int, depth: int) -> tuple[int, int]:
        return new(kind, buffer[offset]), offset + 1

    return decode


def _small_signed(kind: type[int]) -> Decoder:
    new = int.__new__

    def decode(buffer: Buffer, offset: int, depth: int) -> tuple[int, int]:
        value = buffer[offset]
        return new(kind, value - 256 if value > 127 else value), offset + 1

    return decode


def _small_long(buffer: Buffer, offset: int, depth: int) -> tuple[int, int]:
    value = buffer[offset]
    return value - 256 if value > 127 else value, offset + 1


def _long(buffer: Buffer, offset: int, depth: int) -> tuple[int, int]:
    return _SIGNED_64(buffer, offset)[0], offset + 8


def _float(buffer: Buffer, offset: int, depth: int) -> tuple[Float32, int]:
    return Float32(_FLOAT(buffer, offset)[0]), offset + 4


def _double(buffer: Buffer, offset: int, depth: int) -> tuple[float, int]:
    return _DOUBLE(buffer, offset)[0], offset + 8


def _decimal(kind: type[Decimal32] | type[Decimal64] | type[Decimal128]) -> Decoder:
    width = kind.WIDTH

    def decode(buffer: Buffer, offset: int, depth: int) -> tuple[object, int]:
        return kind(slice_exactly(buffer, offset, offset + width)), offset + width

    return decode


def _char(buffer: Buffer, offset: int, depth: int) -> tuple[Char, int]:
    return Char(chr(UNSIGNED_32(buffer, offset)[0])), offset + 4


def _uuid(buffer: Buffer, offset: int, depth: int) -> tuple[UUID, int]:
    return UUID(bytes=slice_exactly(buffer, offset, offset + 16)), offset + 16


def _binary8(buffer: Buffer, offset: int, depth: int) -> tuple[bytes, int]:
    start = offset + 1
    stop = start + buffer[offset]
    data = bytes(buffer[start:stop])
    if len(data) != stop - start:
        raise DecodeError(f"a value of {stop - start} bytes at byte {start} passes the end at {len(buffer)}")
    return data, stop


def _binary32(buffer: Buffer, offset: int, depth: int) -> tuple[bytes, int]:
    stop = offset + 4 + UNSIGNED_32(buffer, offset)[0]
    return slice_exactly(buffer, offset + 4, stop), stop


def _string8(buffer: Buffer, offset: int, depth: int) -> tuple[str, int]:
    start = offset + 1
    stop = start + buffer[offset]
    data = bytes(buffer[start:stop])
    if len(data) != stop - start:
        raise DecodeError(f"a value of {stop - start} bytes at byte {start} passes the end at {len(buffer)}")
    return data.decode(), stop


def _string32(buffer: Buffer, offset: int, depth: int) -> tuple[str, int]:
    stop = offset + 4 + UNSIGNED_32(buffer, offset)[0]
    return slice_exactly(buffer, offset + 4, stop).decode(), stop


def _symbol8(buffer: Buffer, offset: int, depth: int) -> tuple[Symbol, int]:
    start = offset + 1
    stop = start + buffer[offset]
    data = bytes(buffer[start:stop])
    if len(data) != stop - start:
        raise DecodeError(f"a value of {stop - start} bytes at byte {start} passes the end at {len(buffer)}")
    return Symbol(data.decode("ascii")), stop


def _symbol32(buffer: Buffer, offset: int, depth: int) -> tuple[Symbol, int]:
    stop = offset + 4 + UNSIGNED_32(buffer, offset)[0]
    return Symbol(slice_exactly(buffer, offset + 4, stop).decode("ascii")), stop


def _empty_list(buffer: Buffer, offset: int, depth: int) -> tuple[list[Any], int]:
    return [], offset


def _list(small: bool) -> Decoder:
    def decode(buffer: Buffer, offset: int, depth: int) -> tuple[list[Any], int]:
        count, offset, end = container_header(buffer, offset, depth, small=small)
        decoders, depth = DECODERS, depth + 1
        items = []
        for _ in range(count):
            item, offset = decoders[buffer[offset]](buffer, offset + 1, depth)
            items.append(item)
        _check_end(offset, end)
        return items, offset

    return decode


def _map(small: bool) -> Decoder:
    def decode(buffer: Buffer, offset: int, depth: int) -> tuple[dict[Any, Any], int]:
        count, offset, end = container_header(buffer, offset, depth, small=small)
        if count % 2:
            raise DecodeError(f"a map has {count} keys and values together: an odd number leaves a key without value")
        decoders, depth = DECODERS, depth + 1
        items = {}
        for _ in range(count // 2):
            key, offset = decoders[buffer[offset]](buffer, offset + 1, depth)
            items[key], offset = decoders[buffer[offset]](buffer, offset + 1, depth)
        _check_end(offset, end)
        return items, offset

    return decode


def _array(small: bool) -> Decoder:
    def decode(buffer: Buffer, offset: int, depth: int) -> tuple[Array, int]:
        count, offset, end = container_header(buffer, offset, depth, small=small, least_item=0)
        depth += 1
        constructor, offset, descriptor = buffer[offset], offset + 1, None
        if constructor == 0x00:
            descriptor, offset = DECODERS[buffer[offset]](buffer, offset + 1, depth)
            constructor, offset = buffer[offset], offset + 1
        type_name = TYPE_NAMES.get(constructor)
        if type_name is None:
            raise DecodeError(f"0x{constructor:02x} is not the constructor of any type an array may hold")
        if count > (_MAXIMUM_EMPTY_ITEMS if constructor in _ZERO_WIDTH else end - offset):
            raise DecodeError(f"an array of {end - offset} bytes cannot hold {count} items")
        decoder = DECODERS[constructor]
        items = []
        for _ in range(count):
            item, offset = decoder(buffer, offset, depth)
            items.append(item)
        _check_end(offset, end)
        return Array(type_name, items, descriptor), offset

    return decode


def _described(buffer: Buffer, offset: int, depth: int) -> tuple[Described, int]:
    if depth >= MAXIMUM_DEPTH:
        raise DecodeError(f"values nest deeper than {MAXIMUM_DEPTH} levels")
    descriptor, offset = DECODERS[buffer[offset]](buffer, offset + 1, depth + 1)
    value, offset = DECODERS[buffer[offset]](buffer, offset + 1, depth + 1)
    return Described(descriptor, value), offset


_BY_CONSTRUCTOR: Final[dict[int, tuple[str, Decoder]]] = {
    0x40: ("null", _null),
    0x41: ("boolean", _true),
    0x42: ("boolean", _false),
    0x56: ("boolean", _boolean),
    0x50: ("ubyte", _small_unsigned(UByte)),
    0x60: ("ushort", _fixed_integer(UShort, _UNSIGNED_16, 2)),
    0x43: ("uint", _constant(UInt(0))),
    0x52: ("uint", _small_unsigned(UInt)),
    0x70: ("uint", _fixed_integer(UInt, UNSIGNED_32, 4)),
    0x44: ("ulong", _constant(ULong(0))),
    0x53: ("ulong", _small_unsigned(ULong)),
    0x80: ("ulong", _fixed_integer(ULong, _UNSIGNED_64, 8)),
    0x51: ("byte", _small_signed(Byte)),
    0x61: ("short", _fixed_integer(Short, _SIGNED_16, 2)),
    0x54: ("int", _small_signed(Int)),
    0x71: ("int", _fixed_integer(Int, _SIGNED_32, 4)),
    0x55: ("long", _small_long),
    0x81: ("long", _long),
    0x72: ("float", _float),
    0x82: ("double", _double),
    0x74: ("decimal32", _decimal(Decimal32)),
    0x84: ("decimal64", _decimal(Decimal64)),
    0x94: ("decimal128", _decimal(Decimal128)),
    0x73: ("char", _char),
    0x83: ("timestamp", _fixed_integer(Timestamp, _SIGNED_64, 8)),
    0x98: ("uuid", _uuid),
    0xA0: ("binary", _binary8),
    0xB0: ("binary", _binary32),
    0xA1: ("string", _string8),
    0xB1: ("string", _string32),
    0xA3: ("symbol", _symbol8),
    0xB3: ("symbol", _symbol32),
    0x45: ("list", _empty_list),
    0xC0: ("list", _list(small=True)),
    0xD0: ("list", _list(small=False)),
    0xC1: ("map", _map(small=True)),
    0xD1: ("map", _map(small=False)),
    0xE0: ("array", _array(small=True)),
    0xF0: ("array", _array(small=False)),
}

TYPE_NAMES: Final = {constructor: name for constructor, (name, _) in _BY_CONSTRUCTOR.items()}
"""AMQP's name of the type behind each constructor byte."""

DECODERS: Final[list[Decoder]] = [
    _described if constructor == 0 else _BY_CONSTRUCTOR.get(constructor, ("", _unassigned))[1]
    for constructor in range(256)
]
"""The decoding function of each constructor byte."""


def _width(constructor: int) -> int:
    """Bytes of data after a constructor, from its upper half (section 1.2); -1 and -4: a size of that many bytes."""
    category = constructor >> 4
    if category in (0xA, 0xC, 0xE):
        return -1
    if category in (0xB, 0xD, 0xF):
        return -4
    return {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}.get(category, _UNKNOWN_WIDTH)


_UNKNOWN_WIDTH: Final = -9
_WIDTHS: Final = tuple(_width(constructor) for constructor in range(256))


def skip_value(buffer: Buffer, offset: int) -> int:
    """The offset after the value at `offset`, without decoding it: the constructor tells the width.

    Raises DecodeError when the value is truncated or has a constructor of no known width.
    """
    start = offset
    try:
        constructor = buffer[offset]
        for _ in range(MAXIMUM_DEPTH):
            if constructor:
                break
            if buffer[offset + 1] == 0:
                raise DecodeError(f"the descriptor at byte {offset + 1} is itself described")
            offset = skip_value(buffer, offset + 1)
            constructor = buffer[offset]
        width = _WIDTHS[constructor]
        if width == -1:
            end = offset + 2 + buffer[offset + 1]
        elif width == -4:
            end = offset + 5 + UNSIGNED_32(buffer, offset + 1)[0]
        elif width >= 0:
            end = offset + 1 + width
        else:
            raise DecodeError(f"0x{constructor:02x} at byte {offset} is not the constructor of any AMQP type")
    except MALFORMED as error:
        raise DecodeError(f"malformed AMQP value at byte {start}: {error}") from error
    if end > len(buffer):
        raise DecodeError(f"a value at byte {start} passes the end at byte {len(buffer)}")
    return end
