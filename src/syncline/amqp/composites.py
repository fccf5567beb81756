"""Composite types: described lists with named, typed fields (part 1, section 1.4).

A composite is a slots dataclass whose fields say their AMQP type with `optional` or `mandatory`, in the order
of the specification. The `composite` decorator reads them once into a table that decodes, checks and encodes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeVar

from syncline.amqp import kinds
from syncline.amqp.conditions import ErrorCondition
from syncline.amqp.decoding import (
    DECODERS,
    MALFORMED,
    Buffer,
    container_header,
    decode_value,
)
from syncline.amqp.encoding import container, encode_ulong, encoder_of
from syncline.amqp.errors import DecodeError, EncodeError
from syncline.amqp.kinds import FieldDecoder, FieldEncoder
from syncline.amqp.types import Described

CompositeClass = TypeVar("CompositeClass", bound=type)


@dataclass(slots=True, frozen=True)
class Table:
    """What decoding and encoding need of one composite; the tuples are parallel, a place for each field."""

    cls: type
    name: str
    prefix: bytes
    attributes: tuple[str, ...]
    decoders: tuple[FieldDecoder, ...]
    encoders: tuple[FieldEncoder, ...]
    defaults: tuple[Any, ...]
    mandatory: tuple[int, ...]


_BY_CODE: Final[dict[int, Table]] = {}
_BY_NAME: Final[dict[str, Table]] = {}
_BY_CLASS: Final[dict[type, Table]] = {}


def optional(kind: str, default: Any = None) -> Any:
    """A field that may be null, which then means `default`. `kind` is a key of the tables in `kinds`."""
    return field(default=default, metadata={"kind": kind})


def mandatory(kind: str) -> Any:
    """A field that must not be null. Leaving it out raises EncodeError when the composite is encoded."""
    return field(default=None, metadata={"kind": kind, "mandatory": True})


def composite(code: int, name: str) -> Callable[[CompositeClass], CompositeClass]:
    """Make a dataclass the composite with this descriptor, as code and as symbol."""

    def register(cls: CompositeClass) -> CompositeClass:
        prefix = bytearray(b"\x00")
        encode_ulong(prefix, code)
        cls_fields = fields(cls)
        table = Table(
            cls=cls,
            name=name.split(":")[1],
            prefix=bytes(prefix),
            attributes=tuple(each.name for each in cls_fields),
            decoders=tuple(_decoder_of(each.metadata["kind"]) for each in cls_fields),
            encoders=tuple(_encoder_of(each.metadata["kind"]) for each in cls_fields),
            defaults=tuple(each.default for each in cls_fields),
            mandatory=tuple(i for i, each in enumerate(cls_fields) if "mandatory" in each.metadata),
        )
        _BY_CODE[code] = _BY_NAME[name] = _BY_CLASS[cls] = table
        return cls

    return register


def is_composite(value: object) -> bool:
    """Whether this is an instance of one of the registered composites."""
    return type(value) in _BY_CLASS


def decode_descriptor(buffer: Buffer, offset: int) -> tuple[object, int]:
    """Read the 0x00 and the descriptor of a described value: (descriptor, offset of the value itself)."""
    if buffer[offset] != 0x00:
        raise DecodeError(f"0x{buffer[offset]:02x} at byte {offset} where a described value should begin")
    if buffer[offset + 1] == 0x53:
        return buffer[offset + 2], offset + 3
    return DECODERS[buffer[offset + 1]](buffer, offset + 2, 1)


def decode_composite(buffer: Buffer, offset: int = 0) -> tuple[Any, int]:
    """Decode the composite at `offset`: an instance of its class and the offset of what follows.

    Raises DecodeError when the descriptor is unknown (amqp:not-implemented), a mandatory field is missing, a
    field has the wrong type, or the bytes are malformed.
    """
    try:
        descriptor, offset = decode_descriptor(buffer, offset)
        table = _table_of(descriptor)
        if table is None:
            raise DecodeError(f"descriptor {descriptor!r} is of no known type", ErrorCondition.NOT_IMPLEMENTED)
        return _decode_fields(table, buffer, offset)
    except MALFORMED as error:
        raise DecodeError(f"malformed AMQP composite at byte {offset}: {error}") from error


def _table_of(descriptor: object) -> Table | None:
    if isinstance(descriptor, int):
        return _BY_CODE.get(descriptor)
    return _BY_NAME.get(descriptor) if isinstance(descriptor, str) else None


def _decode_fields(table: Table, buffer: Buffer, offset: int) -> tuple[Any, int]:
    constructor = buffer[offset]
    if constructor == 0xC0:
        end = offset + 2 + buffer[offset + 1]
        count = buffer[offset + 2]
        offset += 3
        if end > len(buffer):
            raise DecodeError(f"{table.name}: its list ends after the bytes do")
    elif constructor == 0xD0:
        count, offset, end = container_header(buffer, offset + 1, 0, small=False)
    elif constructor == 0x45:
        count, offset, end = 0, offset + 1, offset + 1
    else:
        raise DecodeError(f"{table.name}: 0x{constructor:02x} at byte {offset} where its list should begin")
    if count > len(table.attributes):
        raise DecodeError(f"{table.name}: {count} fields, it has only {len(table.attributes)}")
    values = list(table.defaults)
    index = 0
    try:
        for index, decoder in enumerate(table.decoders[:count]):
            if buffer[offset] == 0x40:
                offset += 1
            else:
                values[index], offset = decoder(buffer, offset)
    except DecodeError as error:
        raise DecodeError(f"{table.name}.{table.attributes[index]}: {error}", error.condition) from error
    if offset != end:
        raise DecodeError(f"{table.name}: its fields end at byte {offset}, its size says byte {end}")
    for index in table.mandatory:
        if values[index] is None:
            raise DecodeError(f"{table.name}.{table.attributes[index]} is mandatory and missing")
    return table.cls(*values), offset


def encode_composite(value: object) -> bytes:
    """Encode a composite, fields at their default as null and the last ones left out. Raises EncodeError."""
    output = bytearray()
    encode_composite_into(output, value)
    return bytes(output)


def encode_composite_into(output: bytearray, value: object) -> None:
    """Append the encoding of a composite to `output`. Raises EncodeError, naming the field."""
    table = _BY_CLASS.get(type(value))
    if table is None:
        raise EncodeError(f"{type(value).__name__} is not an AMQP composite")
    items = bytearray()
    count = 0
    kept = 0
    for index, attribute in enumerate(table.attributes):
        item = getattr(value, attribute)
        if item is None or item == table.defaults[index]:
            items.append(0x40)
            continue
        try:
            table.encoders[index](items, item)
        except kinds.UNENCODABLE as error:
            raise EncodeError(f"{table.name}.{attribute}: {item!r} cannot be encoded: {error}") from error
        count, kept = index + 1, len(items)
    for index in table.mandatory:
        if getattr(value, table.attributes[index]) is None:
            raise EncodeError(f"{table.name}.{table.attributes[index]} is mandatory: give it a value")
    output += table.prefix
    if count:
        container(output, 0xC0, count, items[:kept])
    else:
        output.append(0x45)


def _encode_any(output: bytearray, value: object) -> None:
    if type(value) in _BY_CLASS:
        encode_composite_into(output, value)
    else:
        encoder_of(value)(output, value)


def _nested_decoder(classes_by_code: frozenset[int], others_allowed: bool) -> FieldDecoder:
    def decode(buffer: Buffer, offset: int) -> tuple[Any, int]:
        if buffer[offset] != 0x00:
            raise DecodeError(f"0x{buffer[offset]:02x} at byte {offset} where a described list should begin")
        descriptor, start = decode_descriptor(buffer, offset)
        table = _table_of(descriptor)
        if table is not None and table.prefix[-1] in classes_by_code:
            return _decode_fields(table, buffer, start)
        if others_allowed:
            value: tuple[Described, int] = decode_value(buffer, offset)
            return value
        raise DecodeError(f"descriptor {descriptor!r} cannot stand here", ErrorCondition.NOT_IMPLEMENTED)

    return decode


# Kinds of field that hold another composite: the codes that may stand there, and whether an unknown
# described value is passed on as it is (extensions may define further delivery states).
_NESTED: Final[dict[str, FieldDecoder]] = {
    "error": _nested_decoder(frozenset({0x1D}), others_allowed=False),
    "source": _nested_decoder(frozenset({0x28}), others_allowed=False),
    "target": _nested_decoder(frozenset({0x29, 0x30}), others_allowed=False),
    "delivery-state": _nested_decoder(frozenset({0x23, 0x24, 0x25, 0x26, 0x27}), others_allowed=True),
}


def _decoder_of(kind: str) -> FieldDecoder:
    return _NESTED.get(kind) or kinds.DECODERS_BY_KIND[kind]


def _encoder_of(kind: str) -> FieldEncoder:
    return _encode_any if kind in _NESTED else kinds.ENCODERS_BY_KIND[kind]
