"""From an Avro schema to a reader of its values, and to the column of each first-level field.

A field's column type comes from the schema alone, so that it does not change with what the messages of a batch happen
to hold. int is INT, long LONG, float FLOAT, double DOUBLE, boolean BOOLEAN, bytes and fixed BINARY, string and enum
STRING; array, map and record are JSON. Of the logical types decimal is DECIMAL, date LOCALDATE, timestamp-* INSTANT,
local-timestamp-* LOCALDATETIME, uuid STRING, duration JSON, and time-* STRING such as 12:30:00.000000. Times keep
microseconds, since no destination has more. A union is nullable where null is one of its types, and of several others
the narrowest type that holds the values of all. A union of several named types (records, enums, fixed) is JSON that
says which one a value is of, as Avro's JSON encoding does: {"Created": {"id": 7}}.

Timestamps, dates, times and decimals of first-level fields are read as the integers and bytes that they are, and
converted for the whole column.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import fastavro._read_py
import pyarrow as pa
from fastavro.read import LOGICAL_READERS

from syncline.connectors.azure_service_bus.decode import json_values, moments
from syncline.connectors.azure_service_bus.decode.avro_written import (
    branch_names,
    named_branches,
    with_branches,
    written,
)
from syncline.connectors.azure_service_bus.decode.numbers import unscaled_column
from syncline.connectors.azure_service_bus.decode.outcome import Undecodable, brief
from syncline.connectors.schema_registry import RegisteredSchema, UnusableSchema
from syncline.warehouses import types
from syncline.warehouses.types import ColumnType, Kind

Schema = Any
"""A schema as `fastavro.parse_schema` gives it."""
Named = dict[str, dict[str, Any]]

_PLAIN = {
    "boolean": types.BOOLEAN,
    "int": types.INT,
    "long": types.LONG,
    "float": types.FLOAT,
    "double": types.DOUBLE,
    "bytes": types.BINARY,
    "string": types.STRING,
}
_FLOATS = ("float", "double")
_NOTHING_MORE = {"type", "__fastavro_parsed", "__named_schemas"}
"""The keys of a schema that says no more than the name of a type."""
_MOST_DEPTH = 200


def _duration(value: bytes, *_: Any) -> dict[str, int]:
    names = ("months", "days", "milliseconds")
    return {name: int.from_bytes(value[at : at + 4], "little") for name, at in zip(names, (0, 4, 8), strict=True)}


LOGICAL_READERS["fixed-duration"] = _duration
LOGICAL_READERS["fixed-uuid"] = lambda value, *_: UUID(bytes=bytes(value))
LOGICAL_READERS["long-timestamp-nanos"] = lambda value, *_: moments.instant(value // 1000)
LOGICAL_READERS["long-local-timestamp-nanos"] = lambda value, *_: moments.local(value // 1000)


@dataclass(frozen=True, slots=True)
class AvroField:
    """One column of a schema."""

    name: str
    column_type: ColumnType
    build: Callable[[Sequence[Any]], pa.Array]
    """The column of values as they were read. Raises where one cannot be in it."""


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """A compiled schema."""

    is_record: bool
    """Whether values are records, each of whose fields is a column; else the value is one column, `value`."""
    fields: tuple[AvroField, ...]
    _parsed: Schema
    _reader: Callable[..., Any]
    _branches: dict[str, str]
    """What the branches of unions of several named types are called, by their full names."""

    def read(self, stream: BytesIO) -> Any:
        """The next value of a stream.

        Raises:
            Undecodable: What is there was not written with this schema.
        """
        try:
            if not self._branches:
                return self._reader(stream, self._parsed, None)
            value = self._reader(stream, self._parsed, None, return_named_type=True, return_named_type_override=True)
            return with_branches(value, self._branches)
        except RecursionError:
            raise Undecodable("The content is nested too deeply.") from None
        except EOFError:
            raise Undecodable("The content was not written with its schema: it ends too early.") from None
        except Exception as error:  # whatever bytes that mean nothing make a reader do
            raise Undecodable(f"The content was not written with its schema: {_named(error)}.") from None


def compile_schema(registered: RegisteredSchema) -> AvroSchema:
    """Compile a schema, for values that become columns.

    Raises:
        UnusableSchema: It is no Avro schema, or one that cannot be read safely.
    """
    return _compile(registered, is_whole=False)


def compile_whole(registered: RegisteredSchema) -> AvroSchema:
    """Compile a schema, for values that stay in one piece: all their times are read as such. It has no columns.

    Raises:
        UnusableSchema: As :func:`compile_schema`.
    """
    return _compile(registered, is_whole=True)


def _compile(registered: RegisteredSchema, *, is_whole: bool) -> AvroSchema:
    if registered.kind != "AVRO":
        raise UnusableSchema(f"The schema is of type {registered.kind}, but config.message_type says Avro.")
    named: Named = {}
    try:
        for text in registered.references.values():
            fastavro.parse_schema(written(json.loads(text)), named_schemas=named)
        parsed = fastavro.parse_schema(written(json.loads(registered.text)), named_schemas=named)
        return _compiled(parsed, named, is_whole=is_whole)
    except UnusableSchema:
        raise
    except Exception as error:  # the parser lets errors of every kind through
        raise UnusableSchema(f"The schema is no valid Avro schema: {_named(error)}.") from None


def _compiled(parsed: Schema, named: Named, *, is_whole: bool) -> AvroSchema:
    walk = _Walk(named)
    walk.visit(parsed, ())
    branches = branch_names(walk.unions, named)
    # The fast reader goes as deep as the bytes say, until the stack ends and the process with it.
    reader = fastavro._read_py.schemaless_reader if walk.is_recursive else fastavro.schemaless_reader
    if is_whole:
        return AvroSchema(False, (), parsed, reader, branches)
    record = _sole_branch(parsed, named)
    if not (isinstance(record, dict) and record.get("type") in ("record", "error")):
        column = _field("value", parsed, named)
        return AvroSchema(False, (column,) if column else (), parsed, reader, branches)
    fields: list[AvroField] = []
    for field in record["fields"]:
        stripped = None if walk.is_recursive else _strip(field, named)
        column = _field(f"value_{field['name']}", field["type"], named) if stripped is None else stripped
        if column is not None:
            fields.append(column)
    return AvroSchema(True, tuple(fields), parsed, reader, branches)


def _sole_branch(schema: Schema, named: Named) -> Schema:
    """The type that a nullable union is about; the schema itself where it is no such thing."""
    if isinstance(schema, list):
        branches = [branch for branch in schema if _resolved(branch, named) != "null"]
        if len(branches) == 1:
            return _resolved(branches[0], named)
    return _resolved(schema, named)


def _resolved(schema: Schema, named: Named) -> Schema:
    if isinstance(schema, str):
        return named.get(schema, schema)
    if isinstance(schema, dict) and isinstance(schema["type"], str) and set(schema) <= _NOTHING_MORE:
        return named.get(schema["type"], schema["type"])
    return schema


def _strip(field: dict[str, Any], named: Named) -> AvroField | None:
    """Have a field whose type is a time of some kind, or a decimal, read as the integer or the bytes that it is; None
    where it is something else."""
    schema = _sole_branch(field["type"], named)
    if not isinstance(schema, dict):
        return None
    name, plain = f"value_{field['name']}", schema["type"]
    converter = moments.CONVERTERS.get(str(schema.get("logicalType")))
    if converter is not None and converter.integer == plain:
        column = AvroField(name, converter.column_type, converter.build)
    elif plain == "bytes" and schema.get("logicalType") == "decimal":
        column_type = _column_type(schema, named)
        if column_type.kind is not Kind.DECIMAL:
            return None
        column = AvroField(name, column_type, partial(unscaled_column, column_type))
    else:
        return None
    is_union = isinstance(field["type"], list)
    field["type"] = [b if _resolved(b, named) == "null" else plain for b in field["type"]] if is_union else plain
    return column


def _field(name: str, schema: Schema, named: Named) -> AvroField | None:
    """The column of a field; None where it is always null."""
    branches = schema if isinstance(schema, list) else [schema]
    branches = [branch for branch in branches if _resolved(branch, named) != "null"]
    if not branches:
        return None
    found = [_column_type(branch, named) for branch in branches]
    column_type = reduce(types.join, found) if len(named_branches(branches, named)) < 2 else types.JSON
    if len(set(found)) > 1 and column_type.kind in (Kind.LOCALDATE, Kind.LOCALDATETIME, Kind.INSTANT):
        column_type = types.STRING
    if column_type == types.JSON:
        dump = json_values.dump_with_floats if _has_floats(branches, named) else json_values.dump
        build: Callable[[Sequence[Any]], pa.Array] = partial(_json_column, dump)
    elif column_type == types.STRING:
        plain = all(_is_text(_resolved(branch, named)) for branch in branches)
        build = partial(_plain_column, pa.string()) if plain else _text_column
    else:
        build = partial(_plain_column, types.to_arrow(column_type))
    return AvroField(name, column_type, build)


def _column_type(schema: Schema, named: Named) -> ColumnType:
    schema = _resolved(schema, named)
    if isinstance(schema, str):
        return _PLAIN[schema]
    kind = schema["type"]
    logical = schema.get("logicalType")
    if logical == "decimal" and kind in ("bytes", "fixed"):
        precision, scale = schema["precision"], schema.get("scale", 0)
        return types.decimal(precision - scale, scale) if precision <= types.DECIMAL_DIGITS else types.JSON
    if logical == "uuid" and kind in ("string", "fixed"):
        return types.STRING
    if logical == "duration" and kind == "fixed":
        return types.JSON
    if logical in moments.CONVERTERS and moments.CONVERTERS[logical].integer == kind:
        return moments.CONVERTERS[logical].column_type
    if kind in ("array", "map", "record", "error"):
        return types.JSON
    if kind == "enum":
        return types.STRING
    return types.BINARY if kind == "fixed" else _PLAIN[kind]


def _is_text(schema: Schema) -> bool:
    """Whether values of a schema are read as str."""
    if isinstance(schema, str):
        return bool(schema == "string")
    kind, logical = schema["type"], schema.get("logicalType")
    return bool(kind == "enum" or (kind == "string" and logical != "uuid"))


def _plain_column(arrow_type: pa.DataType, values: Sequence[Any]) -> pa.Array:
    return pa.array(values, arrow_type)


def _has_floats(branches: Sequence[Schema], named: Named) -> bool:
    walk = _Walk(named)
    for branch in branches:
        walk.visit(branch, ())
    return walk.has_floats


def _json_column(dump: Callable[[Any], str], values: Sequence[Any]) -> pa.Array:
    return pa.array([None if value is None else dump(value) for value in values], pa.string())


def _text_column(values: Sequence[Any]) -> pa.Array:
    return pa.array([None if value is None else json_values.text(value) for value in values], pa.string())


class _Walk:
    """Looks at all of a schema once."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self.is_recursive = False
        self.has_floats = False
        self.unions: list[list[Schema]] = []
        """Those of several named types."""
        self._seen: set[str] = set()

    def visit(self, schema: Schema, above: tuple[str, ...]) -> None:
        schema = _resolved(schema, self._named)
        if len(above) > _MOST_DEPTH:
            raise UnusableSchema(f"The schema is nested more than {_MOST_DEPTH} levels deep.")
        self.has_floats |= schema in _FLOATS or (isinstance(schema, dict) and schema["type"] in _FLOATS)
        if isinstance(schema, list):
            if len(named_branches(schema, self._named)) > 1:
                self.unions.append(schema)
            for branch in schema:
                self.visit(branch, (*above, ""))
        elif isinstance(schema, dict):
            self._visit_complex(schema, above)

    def _visit_complex(self, schema: dict[str, Any], above: tuple[str, ...]) -> None:
        kind = schema["type"]
        if kind in ("record", "error"):
            name = schema["name"]
            if name in above:
                self.is_recursive = True
            if name in above or name in self._seen:
                return
            for field in schema["fields"]:
                self.visit(field["type"], (*above, name))
            self._seen.add(name)
        elif kind == "array":
            # A few bytes can say that there are a million million of such items.
            if self._has_no_bytes(schema["items"], ()):
                raise UnusableSchema("The schema has an array whose items take no bytes, which cannot be read safely.")
            self.visit(schema["items"], (*above, ""))
        elif kind == "map":
            self.visit(schema["values"], (*above, ""))

    def _has_no_bytes(self, schema: Schema, above: tuple[str, ...]) -> bool:
        schema = _resolved(schema, self._named)
        if not isinstance(schema, dict):
            return bool(schema == "null")
        if schema["type"] == "fixed":
            return bool(schema["size"] == 0)
        if schema["type"] not in ("record", "error"):
            return False
        name = schema["name"]
        return name in above or all(self._has_no_bytes(field["type"], (*above, name)) for field in schema["fields"])


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {brief(error)}" if str(error) else type(error).__name__
