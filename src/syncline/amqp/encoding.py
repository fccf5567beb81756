"""Encoding of Python values to AMQP 1.0 (part 1), always in the smallest form that the type has."""

from collections.abc import Callable, Sequence
from datetime import datetime
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class, the module just does not say so
from typing import Any, Final
from uuid import UUID

from syncline.amqp.errors import EncodeError
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

Encoder = Callable[[bytearray, Any], None]

PACK_UNSIGNED_32: Final = Struct(">I").pack
_SMALL_CONTAINER: Final = Struct(">BBB").pack
_LARGE_CONTAINER: Final = Struct(">BII").pack


def encode_value(value: object) -> bytes:
    """Encode one value. Raises EncodeError for what AMQP has no type for, naming it."""
    output = bytearray()
    encode_into(output, value)
    return bytes(output)


def encode_into(output: bytearray, value: object) -> None:
    """Append the encoding of `value` to `output`. Raises EncodeError as `encode_value` does."""
    try:
        encoder_of(value)(output, value)
    except (
        StructError,
        UnicodeEncodeError,
        RecursionError,
        OverflowError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:
        raise EncodeError(f"a value of type {type(value).__name__} cannot be encoded: {error}") from error


def encoder_of(value: object) -> Encoder:
    """The function that encodes values of this value's class or, failing that, of a class it derives from."""
    encoder = _ENCODERS.get(type(value))
    if encoder is not None:
        return encoder
    for base in type(value).__mro__[1:]:
        encoder = _ENCODERS.get(base)
        if encoder is not None:
            return encoder
    raise EncodeError(f"AMQP has no type for {type(value).__name__}: use one of syncline.amqp.types")


def _null(output: bytearray, value: None) -> None:
    output.append(0x40)


def _boolean(output: bytearray, value: bool) -> None:
    output.append(0x41 if value else 0x42)


def _packer(constructor: int, layout: str) -> Encoder:
    pack = Struct(">B" + layout).pack

    def encode(output: bytearray, value: int | float) -> None:
        output += pack(constructor, value)

    return encode


_long64: Final = _packer(0x81, "q")
_int32: Final = _packer(0x71, "i")
_ulong64: Final = _packer(0x80, "Q")
_uint32: Final = _packer(0x70, "I")


def _long(output: bytearray, value: int) -> None:
    if -128 <= value <= 127:
        output += bytes((0x55, value & 0xFF))
    else:
        _long64(output, value)


def _int(output: bytearray, value: int) -> None:
    if -128 <= value <= 127:
        output += bytes((0x54, value & 0xFF))
    else:
        _int32(output, value)


def encode_uint(output: bytearray, value: int) -> None:
    """Append a uint: uint0, smalluint or four bytes."""
    if 0 < value <= 255:
        output += bytes((0x52, value))
    elif value == 0:
        output.append(0x43)
    else:
        _uint32(output, value)


def encode_ulong(output: bytearray, value: int) -> None:
    """Append a ulong: ulong0, smallulong or eight bytes."""
    if 0 < value <= 255:
        output += bytes((0x53, value))
    elif value == 0:
        output.append(0x44)
    else:
        _ulong64(output, value)


def _variable(output: bytearray, small: int, large: int, data: bytes | bytearray | memoryview) -> None:
    size = len(data)
    if size <= 255:
        output += bytes((small, size))
    else:
        output.append(large)
        output += PACK_UNSIGNED_32(size)
    output += data


def encode_binary(output: bytearray, value: bytes | bytearray | memoryview) -> None:
    """Append a binary: vbin8 or vbin32."""
    _variable(output, 0xA0, 0xB0, value)


def encode_string(output: bytearray, value: str) -> None:
    """Append a string: str8-utf8 or str32-utf8."""
    _variable(output, 0xA1, 0xB1, value.encode())


def encode_symbol(output: bytearray, value: str) -> None:
    """Append a symbol: sym8 or sym32. Characters outside of ASCII raise UnicodeEncodeError."""
    _variable(output, 0xA3, 0xB3, value.encode("ascii"))


def _char(output: bytearray, value: str) -> None:
    output.append(0x73)
    output += PACK_UNSIGNED_32(ord(value))


def _uuid(output: bytearray, value: UUID) -> None:
    output.append(0x98)
    output += value.bytes


def _datetime(output: bytearray, value: datetime) -> None:
    _timestamp(output, Timestamp.from_datetime(value))


def _decimal(constructor: int) -> Encoder:
    def encode(output: bytearray, value: Decimal32 | Decimal64 | Decimal128) -> None:
        output.append(constructor)
        output += value.raw

    return encode


_timestamp: Final = _packer(0x83, "q")


def container(output: bytearray, small: int, count: int, items: bytes | bytearray) -> None:
    """Append a list or map around its encoded items; `small` is the 8-bit constructor, 0x10 more the 32-bit one."""
    size = len(items)
    if size <= 254 and count <= 255:
        output += _SMALL_CONTAINER(small, size + 1, count)
    else:
        output += _LARGE_CONTAINER(small + 0x10, size + 4, count)
    output += items


def _list(output: bytearray, value: Sequence[object]) -> None:
    if not value:
        output.append(0x45)
        return
    items = bytearray()
    for item in value:
        (_ENCODERS.get(type(item)) or encoder_of(item))(items, item)
    container(output, 0xC0, len(value), items)


def encode_map(output: bytearray, value: dict[Any, Any], key_encoder: Encoder | None = None) -> None:
    """Append a map. `key_encoder` fixes the type of the keys, such as symbol for annotations."""
    items = bytearray()
    for key, item in value.items():
        (key_encoder or encoder_of(key))(items, key)
        (_ENCODERS.get(type(item)) or encoder_of(item))(items, item)
    container(output, 0xC1, 2 * len(value), items)


def _described(output: bytearray, value: Described) -> None:
    output.append(0x00)
    encoder_of(value.descriptor)(output, value.descriptor)
    encoder_of(value.value)(output, value.value)


def _array_boolean(output: bytearray, value: bool) -> None:
    output += b"\x56\x01" if value else b"\x56\x00"


def _wide(constructor: int) -> Encoder:
    """Items of one array share a constructor, so each takes the form whose size field always suffices."""

    def encode(output: bytearray, value: Any) -> None:
        if constructor in (0xB0, 0xB1, 0xB3):
            data = value if constructor == 0xB0 else value.encode("utf-8" if constructor == 0xB1 else "ascii")
            output.append(constructor)
            output += PACK_UNSIGNED_32(len(data))
            output += data
            return
        items = bytearray()
        if constructor == 0xF0:
            _array_content(items, value)
            output.append(constructor)
            output += PACK_UNSIGNED_32(len(items) + 4) + PACK_UNSIGNED_32(len(value.items))
        else:
            parts = [part for pair in value.items() for part in pair] if constructor == 0xD1 else value
            for part in parts:
                encoder_of(part)(items, part)
            output += _LARGE_CONTAINER(constructor, len(items) + 4, len(parts))
        output += items

    return encode


# Type name -> (constructor shared by the items, encoder that starts with exactly that constructor).
_ARRAY_ITEMS: Final[dict[str, tuple[int, Encoder]]] = {
    "null": (0x40, _null),
    "boolean": (0x56, _array_boolean),
    "ubyte": (0x50, _packer(0x50, "B")),
    "ushort": (0x60, _packer(0x60, "H")),
    "uint": (0x70, _uint32),
    "ulong": (0x80, _ulong64),
    "byte": (0x51, _packer(0x51, "b")),
    "short": (0x61, _packer(0x61, "h")),
    "int": (0x71, _int32),
    "long": (0x81, _long64),
    "float": (0x72, _packer(0x72, "f")),
    "double": (0x82, _packer(0x82, "d")),
    "decimal32": (0x74, _decimal(0x74)),
    "decimal64": (0x84, _decimal(0x84)),
    "decimal128": (0x94, _decimal(0x94)),
    "char": (0x73, _char),
    "timestamp": (0x83, _timestamp),
    "uuid": (0x98, _uuid),
    "binary": (0xB0, _wide(0xB0)),
    "string": (0xB1, _wide(0xB1)),
    "symbol": (0xB3, _wide(0xB3)),
    "list": (0xD0, _wide(0xD0)),
    "map": (0xD1, _wide(0xD1)),
    "array": (0xF0, _wide(0xF0)),
}


def _array_content(output: bytearray, value: Array) -> None:
    constructor, encode = _ARRAY_ITEMS[value.type_name]
    if value.descriptor is not None:
        output.append(0x00)
        encoder_of(value.descriptor)(output, value.descriptor)
    output.append(constructor)
    item_bytes = bytearray()
    for item in value.items:
        encode(item_bytes, item)
        output += item_bytes[1:]
        item_bytes.clear()


def _array(output: bytearray, value: Array) -> None:
    content = bytearray()
    _array_content(content, value)
    container(output, 0xE0, len(value.items), content)


_ENCODERS: Final[dict[type, Encoder]] = {
    type(None): _null,
    bool: _boolean,
    int: _long,
    float: _packer(0x82, "d"),
    str: encode_string,
    bytes: encode_binary,
    bytearray: encode_binary,
    memoryview: encode_binary,
    UUID: _uuid,
    datetime: _datetime,
    list: _list,
    tuple: _list,
    dict: encode_map,
    UByte: _packer(0x50, "B"),
    UShort: _packer(0x60, "H"),
    UInt: encode_uint,
    ULong: encode_ulong,
    Byte: _packer(0x51, "b"),
    Short: _packer(0x61, "h"),
    Int: _int,
    Float32: _packer(0x72, "f"),
    Decimal32: _decimal(0x74),
    Decimal64: _decimal(0x84),
    Decimal128: _decimal(0x94),
    Char: _char,
    Timestamp: _timestamp,
    Symbol: encode_symbol,
    Array: _array,
    Described: _described,
}
