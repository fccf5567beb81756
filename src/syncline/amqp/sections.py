# ruff: noqa: RUF009 - `optional` is dataclasses.field with metadata
"""The sections that messages consist of: found, decoded and encoded one by one (part 3, section 3.2)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from syncline.amqp.composites import (
    composite,
    decode_descriptor,
    encode_composite,
    optional,
)
from syncline.amqp.decoding import DECODERS, MALFORMED, Buffer, skip_value
from syncline.amqp.encoding import encode_map, encode_symbol
from syncline.amqp.errors import DecodeError, EncodeError
from syncline.amqp.kinds import UNENCODABLE


class Section(IntEnum):
    """Descriptor codes of the sections, in the order in which they may stand."""

    HEADER = 0x70
    DELIVERY_ANNOTATIONS = 0x71
    MESSAGE_ANNOTATIONS = 0x72
    PROPERTIES = 0x73
    APPLICATION_PROPERTIES = 0x74
    DATA = 0x75
    SEQUENCE = 0x76
    VALUE = 0x77
    FOOTER = 0x78


_NAMES: Final = {
    "amqp:header:list": 0x70,
    "amqp:delivery-annotations:map": 0x71,
    "amqp:message-annotations:map": 0x72,
    "amqp:properties:list": 0x73,
    "amqp:application-properties:map": 0x74,
    "amqp:data:binary": 0x75,
    "amqp:amqp-sequence:list": 0x76,
    "amqp:amqp-value:*": 0x77,
    "amqp:footer:map": 0x78,
}
BODY_SECTIONS: Final = frozenset({0x75, 0x76, 0x77})
_REPEATABLE: Final = frozenset({0x75, 0x76})


@composite(0x70, "amqp:header:list")
@dataclass(slots=True)
class Header:
    """How a message is to be delivered. `ttl` is in milliseconds. None means that the sender did not say."""

    durable: bool | None = optional("boolean")
    priority: int | None = optional("ubyte")
    ttl: int | None = optional("uint")
    first_acquirer: bool | None = optional("boolean")
    delivery_count: int | None = optional("uint")


@composite(0x73, "amqp:properties:list")
@dataclass(slots=True)
class Properties:
    """The standard properties of a message. An id is a str, bytes, UUID or ULong; the times are Timestamps."""

    message_id: Any = optional("message-id")
    user_id: bytes | None = optional("binary")
    to: str | None = optional("address")
    subject: str | None = optional("string")
    reply_to: str | None = optional("address")
    correlation_id: Any = optional("message-id")
    content_type: str | None = optional("symbol")
    content_encoding: str | None = optional("symbol")
    absolute_expiry_time: int | None = optional("timestamp")
    creation_time: int | None = optional("timestamp")
    group_id: str | None = optional("string")
    group_sequence: int | None = optional("uint")
    reply_to_group_id: str | None = optional("string")


def section_code(buffer: Buffer, offset: int) -> tuple[int, int]:
    """The code of the section at `offset` and where its value starts, also where its descriptor is a symbol or an
    unusually wide ulong. DecodeError for an unknown one."""
    descriptor, value_start = decode_descriptor(buffer, offset)
    code = descriptor if isinstance(descriptor, int) else _NAMES.get(str(descriptor), 0)
    if not 0x70 <= code <= 0x78:
        raise DecodeError(f"{descriptor!r} at byte {offset} is not a section of a message")
    return code, value_start


def check_order(last: int, code: int, offset: int) -> None:
    """DecodeError for a section, at `offset`, that cannot stand after the last one."""
    if (
        code < last
        or (code == last and code not in _REPEATABLE)
        or (code in BODY_SECTIONS and last in BODY_SECTIONS - {code})
    ):
        raise DecodeError(f"section 0x{code:02x} at byte {offset} cannot stand after section 0x{last:02x}")


def walk_sections(buffer: Buffer) -> list[tuple[int, int, int, int]]:
    """Find the sections: (code, start with descriptor, start of the value, end) of each, in order.

    Raises DecodeError for a section out of order, one too many, or an unknown one.
    """
    found: list[tuple[int, int, int, int]] = []
    offset, size, last = 0, len(buffer), 0
    try:
        while offset < size:
            start = offset
            code, value_start = buffer[offset + 2], offset + 3
            if buffer[offset] or buffer[offset + 1] != 0x53 or not 0x70 <= code <= 0x78:
                code, value_start = section_code(buffer, offset)
            if code <= last or last in BODY_SECTIONS:
                check_order(last, code, start)
            offset = skip_value(buffer, value_start)
            found.append((code, start, value_start, offset))
            last = code
    except MALFORMED as error:
        raise DecodeError(f"malformed message section at byte {offset}: {error}") from error
    return found


def decode_map_section(buffer: Buffer) -> dict[Any, Any]:
    """Decode one annotations, application-properties or footer section, descriptor included."""
    try:
        _, offset = decode_descriptor(buffer, 0)
        return decode_map_at(buffer, offset)[0]
    except MALFORMED as error:
        raise DecodeError(f"malformed map section: {error}") from error


def decode_map_at(buffer: Buffer, offset: int) -> tuple[dict[Any, Any], int]:
    """Decode the map at `offset`; a null counts as an empty one. DecodeError for any other type."""
    constructor = buffer[offset]
    if constructor == 0x40:
        return {}, offset + 1
    if constructor not in (0xC1, 0xD1):
        raise DecodeError(f"0x{constructor:02x} at byte {offset} where a map belongs")
    return DECODERS[constructor](buffer, offset + 1, 0)


def _encode_map_section(code: int, value: dict[Any, Any] | None, *, symbol_keys: bool) -> bytes:
    if value is None:
        return b""
    output = bytearray((0x00, 0x53, code))
    try:
        encode_map(output, value, encode_symbol if symbol_keys else None)
    except UNENCODABLE as error:
        raise EncodeError(f"section {Section(code).name.lower()} cannot be encoded: {error}") from error
    return bytes(output)


def encode_header(header: Header | None) -> bytes:
    """Encode the header section; b"" for None."""
    return b"" if header is None else encode_composite(header)


def encode_properties(properties: Properties | None) -> bytes:
    """Encode the properties section; b"" for None."""
    return b"" if properties is None else encode_composite(properties)


def encode_delivery_annotations(annotations: dict[Any, Any] | None) -> bytes:
    """Encode the delivery-annotations section, its keys as symbols; b"" for None."""
    return _encode_map_section(Section.DELIVERY_ANNOTATIONS, annotations, symbol_keys=True)


def encode_message_annotations(annotations: dict[Any, Any] | None) -> bytes:
    """Encode the message-annotations section, its keys as symbols; b"" for None."""
    return _encode_map_section(Section.MESSAGE_ANNOTATIONS, annotations, symbol_keys=True)


def encode_application_properties(properties: dict[Any, Any] | None) -> bytes:
    """Encode the application-properties section, its keys as strings; b"" for None."""
    return _encode_map_section(Section.APPLICATION_PROPERTIES, properties, symbol_keys=False)


def encode_footer(footer: dict[Any, Any] | None) -> bytes:
    """Encode the footer section, its keys as symbols; b"" for None."""
    return _encode_map_section(Section.FOOTER, footer, symbol_keys=True)
