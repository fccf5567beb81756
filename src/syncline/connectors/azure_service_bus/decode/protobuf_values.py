"""JSON of Protobuf values.

Fields keep the names they have in the schema. Integers of 64 bits are numbers with all their digits, not text as in
Protobuf's own JSON; apart from that the well-known types look as they do there. Fields that do not track presence are
always there.
"""

import base64
from collections.abc import Callable
from datetime import datetime
from math import isfinite
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from syncline.connectors.azure_service_bus.decode import json_values, moments

TIMESTAMP = "google.protobuf.Timestamp"
WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)


def json_text(field: FieldDescriptor, value: Any) -> str:
    """The JSON text of a field's value."""
    return json_values.dump(plain(field, value))


def value_text(field: FieldDescriptor, value: Any) -> str:
    """The text of a value that is text in JSON."""
    return str(plain(field, value))


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


def plain(field: FieldDescriptor, value: Any) -> Any:
    """A field's value as orjson writes it."""
    if not is_repeated(field):
        return _single(field, value)
    message_type: Any = field.message_type
    if message_type is not None and message_type.GetOptions().map_entry:
        key, item = message_type.fields_by_name["key"], message_type.fields_by_name["value"]
        return {_key(_single(key, name)): _single(item, value[name]) for name in value}
    return [_single(field, each) for each in value]


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _single(field: FieldDescriptor, value: Any) -> Any:
    message_type: Any = field.message_type
    if message_type is not None:
        known = _WELL_KNOWN.get(message_type.full_name)
        return known(value) if known else _message(value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64encode(value).decode()
    if field.enum_type is not None:
        return enum_name(field.enum_type, value)
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value


def _message(message: Message) -> dict[str, Any]:
    return {
        field.name: plain(field, getattr(message, field.name))
        for field in cast(Descriptor, message.DESCRIPTOR).fields
        if not field.has_presence or message.HasField(field.name)
    }


def _timestamp(message: Any) -> datetime:
    return moments.instant(timestamp_microseconds(message))


def _duration(message: Any) -> str:
    nanoseconds = message.seconds * 1_000_000_000 + message.nanos
    whole, rest = divmod(abs(nanoseconds), 1_000_000_000)
    fraction = f".{rest:09}".rstrip("0").rstrip(".")
    return f"{'-' if nanoseconds < 0 else ''}{whole}{fraction}s"


def _wrapper(message: Any) -> Any:
    return _single(message.DESCRIPTOR.fields_by_name["value"], message.value)


def _value(message: Any) -> Any:
    kind = message.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    return _single(message.DESCRIPTOR.fields_by_name[kind], getattr(message, kind))


def _struct(message: Any) -> dict[str, Any]:
    return {name: _value(message.fields[name]) for name in message.fields}


def _list(message: Any) -> list[Any]:
    return [_value(item) for item in message.values]


_WELL_KNOWN: dict[str, Callable[[Any], Any]] = {
    TIMESTAMP: _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.FieldMask": lambda message: ",".join(message.paths),
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": _list,
} | dict.fromkeys(WRAPPERS, _wrapper)
