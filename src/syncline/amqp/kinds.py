"""The kinds of field that composites have: one strict decoder and one encoder for each AMQP type.

These decode without wrapper classes, because the field itself says which type it is, and refuse every other
type. A string is accepted where a symbol belongs and the other way round, as many peers mix them up.
"""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class, the module just does not say so
from typing import Any, Final

from syncline.amqp.decoding import (
    DECODERS,
    TYPE_NAMES,
    UNSIGNED_32,
    Buffer,
    slice_exactly,
)
from syncline.amqp.encoding import (
    encode_binary,
    encode_map,
    encode_string,
    encode_symbol,
    encode_uint,
    encode_ulong,
    encoder_of,
)
from syncline.amqp.errors import DecodeError, EncodeError
from syncline.amqp.types import Array, Symbol

FieldDecoder = Callable[[Buffer, int], tuple[Any, int]]
FieldEncoder = Callable[[bytearray, Any], None]

UNENCODABLE: Final = (
    StructError,
    UnicodeEncodeError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    EncodeError,
)
"""What encoders raise for a value that does not fit its field."""

_UNSIGNED_16: Final = Struct(">H").unpack_from
_UNSIGNED_64: Final = Struct(">Q").unpack_from
_PACK_UBYTE: Final = Struct(">BB").pack
_PACK_USHORT: Final = Struct(">BH").pack
_PACK_TIMESTAMP: Final = Struct(">Bq").pack


def _refuse(buffer: Buffer, offset: int, wanted: str) -> DecodeError:
    found = TYPE_NAMES.get(buffer[offset], "described value" if buffer[offset] == 0 else f"0x{buffer[offset]:02x}")
    return DecodeError(f"{found} at byte {offset} where {wanted} belongs")


def _uint(buffer: Buffer, offset: int) -> tuple[int, int]:
    constructor = buffer[offset]
    if constructor == 0x52:
        return buffer[offset + 1], offset + 2
    if constructor == 0x43:
        return 0, offset + 1
    if constructor == 0x70:
        return UNSIGNED_32(buffer, offset + 1)[0], offset + 5
    raise _refuse(buffer, offset, "a uint")


def _ulong(buffer: Buffer, offset: int) -> tuple[int, int]:
    constructor = buffer[offset]
    if constructor == 0x53:
        return buffer[offset + 1], offset + 2
    if constructor == 0x44:
        return 0, offset + 1
    if constructor == 0x80:
        return _UNSIGNED_64(buffer, offset + 1)[0], offset + 9
    raise _refuse(buffer, offset, "a ulong")


def _ushort(buffer: Buffer, offset: int) -> tuple[int, int]:
    if buffer[offset] != 0x60:
        raise _refuse(buffer, offset, "a ushort")
    return _UNSIGNED_16(buffer, offset + 1)[0], offset + 3


def _ubyte(buffer: Buffer, offset: int) -> tuple[int, int]:
    if buffer[offset] != 0x50:
        raise _refuse(buffer, offset, "a ubyte")
    return buffer[offset + 1], offset + 2


def _boolean(buffer: Buffer, offset: int) -> tuple[bool, int]:
    constructor = buffer[offset]
    if constructor == 0x41:
        return True, offset + 1
    if constructor == 0x42:
        return False, offset + 1
    if constructor == 0x56 and buffer[offset + 1] <= 1:
        return buffer[offset + 1] == 1, offset + 2
    raise _refuse(buffer, offset, "a boolean")


def _binary(buffer: Buffer, offset: int) -> tuple[bytes, int]:
    constructor = buffer[offset]
    if constructor == 0xA0:
        stop = offset + 2 + buffer[offset + 1]
        return slice_exactly(buffer, offset + 2, stop), stop
    if constructor == 0xB0:
        stop = offset + 5 + UNSIGNED_32(buffer, offset + 1)[0]
        return slice_exactly(buffer, offset + 5, stop), stop
    raise _refuse(buffer, offset, "a binary")


def _text(buffer: Buffer, offset: int, wanted: str) -> tuple[bytes, int]:
    constructor = buffer[offset]
    if constructor in (0xA1, 0xA3):
        stop = offset + 2 + buffer[offset + 1]
        return slice_exactly(buffer, offset + 2, stop), stop
    if constructor in (0xB1, 0xB3):
        stop = offset + 5 + UNSIGNED_32(buffer, offset + 1)[0]
        return slice_exactly(buffer, offset + 5, stop), stop
    raise _refuse(buffer, offset, wanted)


def _string(buffer: Buffer, offset: int) -> tuple[str, int]:
    data, offset = _text(buffer, offset, "a string")
    return data.decode(), offset


def _symbol(buffer: Buffer, offset: int) -> tuple[Symbol, int]:
    data, offset = _text(buffer, offset, "a symbol")
    return Symbol(data.decode("ascii")), offset


def _symbols(buffer: Buffer, offset: int) -> tuple[tuple[Symbol, ...], int]:
    if buffer[offset] not in (0xE0, 0xF0):
        symbol, offset = _symbol(buffer, offset)
        return (symbol,), offset
    array, end = DECODERS[buffer[offset]](buffer, offset + 1, 0)
    if array.type_name not in ("symbol", "string") or array.descriptor is not None:
        raise DecodeError(f"an array of {array.type_name} at byte {offset} where an array of symbols belongs")
    return tuple(map(Symbol, array.items)), end


def _generic(wanted: str, *names: str) -> FieldDecoder:
    """Decode to the wrapper classes; `names` limits what may stand there, none means anything may."""
    allowed = frozenset(names)

    def decode(buffer: Buffer, offset: int) -> tuple[Any, int]:
        if allowed and TYPE_NAMES.get(buffer[offset]) not in allowed:
            raise _refuse(buffer, offset, wanted)
        return DECODERS[buffer[offset]](buffer, offset + 1, 0)

    return decode


def _map(buffer: Buffer, offset: int) -> tuple[dict[Any, Any], int]:
    if buffer[offset] not in (0xC1, 0xD1):
        raise _refuse(buffer, offset, "a map")
    return DECODERS[buffer[offset]](buffer, offset + 1, 0)


def _fields(buffer: Buffer, offset: int) -> tuple[dict[Any, Any], int]:
    fields, end = _map(buffer, offset)
    for key in fields:
        if not isinstance(key, str) or not key.isascii():
            raise DecodeError(f"the key {key!r} in the map at byte {offset} where keys are symbols")
    return fields, end


def _encode_ubyte(output: bytearray, value: int) -> None:
    output += _PACK_UBYTE(0x50, value)


def _encode_ushort(output: bytearray, value: int) -> None:
    output += _PACK_USHORT(0x60, value)


def _encode_timestamp(output: bytearray, value: int) -> None:
    output += _PACK_TIMESTAMP(0x83, value)


def _encode_boolean(output: bytearray, value: bool) -> None:
    output.append(0x41 if value else 0x42)


def _encode_symbols(output: bytearray, value: tuple[str, ...]) -> None:
    encoder_of(array := Array("symbol", value))(output, array)


def _encode_fields(output: bytearray, value: dict[Any, Any]) -> None:
    encode_map(output, value, encode_symbol)


def _encode_generic(output: bytearray, value: object) -> None:
    encoder_of(value)(output, value)


def _encode_message_id(output: bytearray, value: object) -> None:
    """A message id that is a plain int is a ulong: long is not among the types that it may have."""
    if type(value) is int:
        encode_ulong(output, value)
    else:
        encoder_of(value)(output, value)


DECODERS_BY_KIND: Final[dict[str, FieldDecoder]] = {
    "uint": _uint,
    "ulong": _ulong,
    "ushort": _ushort,
    "ubyte": _ubyte,
    "boolean": _boolean,
    "binary": _binary,
    "string": _string,
    "symbol": _symbol,
    "symbols": _symbols,
    "fields": _fields,
    "map": _map,
    "timestamp": _generic("a timestamp", "timestamp"),
    "message-id": _generic("a message id (ulong, uuid, binary or string)", "ulong", "uuid", "binary", "string"),
    "address": _generic("an address (string)", "string"),
    "any": _generic("a value"),
}
"""Kind -> decoder of a field that is not null, given the offset of its constructor."""

ENCODERS_BY_KIND: Final[dict[str, FieldEncoder]] = {
    "uint": encode_uint,
    "ulong": encode_ulong,
    "ushort": _encode_ushort,
    "ubyte": _encode_ubyte,
    "boolean": _encode_boolean,
    "binary": encode_binary,
    "string": encode_string,
    "symbol": encode_symbol,
    "symbols": _encode_symbols,
    "fields": _encode_fields,
    "map": _encode_generic,
    "timestamp": _encode_timestamp,
    "message-id": _encode_message_id,
    "address": _encode_generic,
    "any": _encode_generic,
}
"""Kind -> encoder of a field's value."""
