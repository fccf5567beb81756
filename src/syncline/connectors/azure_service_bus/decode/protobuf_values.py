"""JSON of Protobuf values.

Fields keep the names they have in the schema. Integers of 64 bits are numbers with all their digits, not text as in
Protobuf's own JSON; apart from that the well-known types look as they do there. Fields that do not track presence are
always there.
"""

import base64
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from math import isfinite
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from syncline.connectors.azure_service_bus.decode import json_values, moments

Converter = Callable[[Any], Any]

TIMESTAMP = "google.protobuf.Timestamp"
WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field has any number of values; so do maps."""
    return bool(field.is_repeated)


def enum_name(enum: EnumDescriptor, number: int) -> str:
    """The name of an enum's value, or its number where it has none."""
    found = enum.values_by_number.get(number)
    return str(number) if found is None else found.name


def timestamp_microseconds(message: Any) -> int:
    """The microseconds of a Timestamp since the Unix epoch; what is finer is cut off.

    Raises:
        ValueError: It is no valid one.
    """
    seconds, nanos = message.seconds, message.nanos
    microseconds = int(seconds) * 1_000_000 + int(nanos) // 1000
    if not 0 <= nanos < 1_000_000_000 or not moments.EARLIEST <= microseconds <= moments.LATEST:
        raise ValueError(f"{seconds} seconds and {nanos} nanoseconds are not within the years 1 to 9999")
    return microseconds


def json_text(convert: Converter, value: Any) -> str:
    """The JSON text of a value."""
    return json_values.dump(convert(value))


def plain(field: FieldDescriptor) -> Converter:
    """What makes of the field's values what orjson writes."""
    single = _single(field)
    if not is_repeated(field):
        return single or _as_it_is
    message_type: Any = field.message_type
    if message_type is not None and message_type.GetOptions().map_entry:
        return partial(_map, _single(message_type.fields_by_name["value"]))
    return list if single is None else partial(_items, single)


def _as_it_is(value: Any) -> Any:
    return value


def _items(convert: Converter, values: Any) -> list[Any]:
    return [convert(value) for value in values]


def _map(convert: Converter | None, values: Any) -> dict[str, Any]:
    if convert is None:
        return {_key(key): values[key] for key in values}
    return {_key(key): convert(values[key]) for key in values}


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _single(field: FieldDescriptor) -> Converter | None:
    """What makes of one value what orjson writes; None where it is that already."""
    message_type: Any = field.message_type
    if message_type is not None:
        name: str = message_type.full_name
        known: Converter = _WELL_KNOWN.get(name, _message)
        return known
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _base64
    if field.enum_type is not None:
        return partial(enum_name, field.enum_type)
    return _finite if field.cpp_type in _FLOATS else None


_FLOATS = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _finite(value: float) -> float | str:
    return value if isfinite(value) else str(value)


@lru_cache(maxsize=4096)
def _fields(descriptor: Descriptor) -> tuple[tuple[str, bool, Converter], ...]:
    """Name, presence and converter of each field: what every message of the type needs."""
    return tuple((field.name, field.has_presence, plain(field)) for field in descriptor.fields)


def _message(message: Message) -> dict[str, Any]:
    return {
        name: convert(getattr(message, name))
        for name, has_presence, convert in _fields(cast(Descriptor, message.DESCRIPTOR))
        if not has_presence or message.HasField(name)
    }


def _timestamp(message: Any) -> datetime:
    return moments.instant(timestamp_microseconds(message))


def _duration(message: Any) -> str:
    nanoseconds = message.seconds * 1_000_000_000 + message.nanos
    whole, rest = divmod(abs(nanoseconds), 1_000_000_000)
    fraction = f".{rest:09}".rstrip("0").rstrip(".")
    return f"{'-' if nanoseconds < 0 else ''}{whole}{fraction}s"


def _wrapper(message: Any) -> Any:
    return plain(message.DESCRIPTOR.fields_by_name["value"])(message.value)


def _value(message: Any) -> Any:
    kind = message.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    return plain(message.DESCRIPTOR.fields_by_name[kind])(getattr(message, kind))


def _struct(message: Any) -> dict[str, Any]:
    return {name: _value(message.fields[name]) for name in message.fields}


def _list(message: Any) -> list[Any]:
    return [_value(item) for item in message.values]


_WELL_KNOWN: dict[str, Converter] = {
    TIMESTAMP: _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.FieldMask": lambda message: ",".join(message.paths),
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": _list,
} | dict.fromkeys(WRAPPERS, _wrapper)
