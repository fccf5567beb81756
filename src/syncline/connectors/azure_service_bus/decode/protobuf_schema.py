"""From the descriptor of a Protobuf message to the column of each of its fields.

A field's column type comes from the descriptor alone. The 32-bit integers are INT (uint32 and fixed32 LONG), the 64-bit
ones LONG (uint64 and fixed64 DECIMAL, which holds all of them), float FLOAT, double DOUBLE, bool BOOLEAN, string
STRING, bytes BINARY, and an enum STRING: the name of its value, or the number where it has none. Messages, maps and
repeated fields are JSON, but google.protobuf.Timestamp is INSTANT, a wrapper is what it wraps, and Duration (seconds,
such as 1.5s) and FieldMask are STRING. A field that tracks presence is null where it is not set; one that does not has
its default, as Protobuf says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from syncline.connectors.azure_service_bus.decode import moments
from syncline.connectors.azure_service_bus.decode.outcome import Undecodable, brief
from syncline.connectors.azure_service_bus.decode.protobuf_compiler import compile_file
from syncline.connectors.azure_service_bus.decode.protobuf_values import (
    TIMESTAMP,
    WRAPPERS,
    enum_name,
    is_repeated,
    json_text,
    plain,
    timestamp_microseconds,
)
from syncline.connectors.schema_registry import RegisteredSchema, UnusableSchema
from syncline.warehouses import types
from syncline.warehouses.types import ColumnType

_SCALARS: dict[int, ColumnType] = {
    FieldDescriptor.CPPTYPE_INT32: types.INT,
    FieldDescriptor.CPPTYPE_UINT32: types.LONG,
    FieldDescriptor.CPPTYPE_INT64: types.LONG,
    FieldDescriptor.CPPTYPE_UINT64: types.decimal(20, 0),
    FieldDescriptor.CPPTYPE_FLOAT: types.FLOAT,
    FieldDescriptor.CPPTYPE_DOUBLE: types.DOUBLE,
    FieldDescriptor.CPPTYPE_BOOL: types.BOOLEAN,
}
_AS_TEXT = ("google.protobuf.Duration", "google.protobuf.FieldMask")


@dataclass(frozen=True, slots=True)
class ProtobufField:
    """One column of a message type."""

    name: str
    column_type: ColumnType
    build: Callable[[Sequence[Any]], pa.Array]
    """The column of messages that were read. Raises where one has a value that cannot be in it."""


@dataclass(frozen=True, slots=True)
class ProtobufMessage:
    """A message type."""

    fields: tuple[ProtobufField, ...]
    _parse: Callable[[bytes], Message]

    def read(self, content: bytes) -> Message:
        """The message that bytes are.

        Raises:
            Undecodable: They were not written with this schema.
        """
        try:
            return self._parse(content)
        except (DecodeError, ValueError) as error:
            raise Undecodable(f"The content was not written with its schema: {brief(error)}.") from None


class ProtobufSchema:
    """A compiled schema: a file with message types in it."""

    def __init__(self, top: Sequence[Descriptor]) -> None:
        self._top = top
        self._messages: dict[tuple[int, ...], ProtobufMessage] = {}

    def message(self, indexes: tuple[int, ...]) -> ProtobufMessage:
        """The message type that stands there: among those of the file, then among those of the one found, and so on.

        Raises:
            Undecodable: There is none.
        """
        if indexes not in self._messages:
            types_here, found = self._top, None
            for index in indexes:
                if not 0 <= index < len(types_here):
                    raise Undecodable(f"The schema has no message type at {list(indexes)}.")
                found = types_here[index]
                types_here = found.nested_types
            if found is None:
                raise Undecodable("The body does not say which message type of its schema it has.")
            parse = GetMessageClass(found).FromString
            self._messages[indexes] = ProtobufMessage(tuple(_field(each) for each in found.fields), parse)
        return self._messages[indexes]


def compile_schema(registered: RegisteredSchema) -> ProtobufSchema:
    """Compile a schema of a registry.

    Raises:
        UnusableSchema: It is no valid Protobuf schema, or has no message type.
    """
    file = compile_file(registered)
    declared = FileDescriptorProto()
    file.CopyToProto(declared)
    top = [file.message_types_by_name[each.name] for each in declared.message_type]
    if not top:
        raise UnusableSchema("The schema has no message type.")
    return ProtobufSchema(top)


def _field(field: FieldDescriptor) -> ProtobufField:
    column_type, value = _column(field)
    present = field.has_presence
    return ProtobufField(
        f"value_{field.name}", column_type, partial(_build, field.name, present, value, types.to_arrow(column_type))
    )


def _build(
    name: str, present: bool, value: Callable[[Any], Any] | None, arrow_type: pa.DataType, messages: Sequence[Any]
) -> pa.Array:
    if value is None:
        found = [getattr(each, name) for each in messages]
        if present:
            found = [one if each.HasField(name) else None for one, each in zip(found, messages, strict=True)]
    elif present:
        found = [value(getattr(each, name)) if each.HasField(name) else None for each in messages]
    else:
        found = [value(getattr(each, name)) for each in messages]
    if pa.types.is_timestamp(arrow_type):
        return moments.moments_column(pa.array(found, pa.int64()), arrow_type)
    return pa.array(found, arrow_type)


def _column(field: FieldDescriptor) -> tuple[ColumnType, Callable[[Any], Any] | None]:
    """The type of a field's column, and what makes the column's values of the field's (None: nothing has to)."""
    if is_repeated(field):
        return types.JSON, partial(json_text, plain(field))
    message_type: Any = field.message_type
    if message_type is not None:
        name = message_type.full_name
        if name == TIMESTAMP:
            return types.INSTANT, timestamp_microseconds
        if name in WRAPPERS:
            return _scalar(message_type.fields_by_name["value"])[0], lambda wrapper: wrapper.value
        if name in _AS_TEXT:
            return types.STRING, plain(field)
        return types.JSON, partial(json_text, plain(field))
    return _scalar(field)


def _scalar(field: FieldDescriptor) -> tuple[ColumnType, Callable[[Any], Any] | None]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return (types.BINARY if field.type == FieldDescriptor.TYPE_BYTES else types.STRING), None
    if field.enum_type is not None:
        return types.STRING, partial(enum_name, field.enum_type)
    return _SCALARS[field.cpp_type], None
