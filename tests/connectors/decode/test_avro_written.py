"""Avro as writers write it: unions whose branch matters, and schemas that only a reader with another one would mind."""

import json
from base64 import b64encode
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.connectors.azure_service_bus.decode import decode_batch
from syncline.connectors.azure_service_bus.decode.avro_schema import compile_schema
from syncline.connectors.azure_service_bus.decode.protobuf_schema import compile_schema as compile_protobuf
from syncline.connectors.schema_registry import RegisteredSchema, SchemaRegistry, UnusableSchema
from syncline.warehouses import types
from tests.connectors.decode.batches import batch, check_complete, typed, values
from tests.connectors.decode.test_avro import contain, contain_blocks, encode, record
from tests.support.schema_registry import SchemaRegistryServer

CREATED, DELETED = record(("id", "int"), name="shop.Created"), record(("id", "int"), name="shop.Deleted")
OTHER = record(("id", "int"), name="stock.Created")
EVENT = [CREATED, DELETED]
COLOUR = {"type": "enum", "name": "Colour", "symbols": ["A", "B"]}
SIZE = {"type": "enum", "name": "Size", "symbols": ["A", "B"]}
KEY = {"type": "fixed", "name": "Key", "size": 2}


def framed(server: SchemaRegistryServer, schema: Any, *written: Any, encoded_with: Any = None) -> list[bytes]:
    made = server.register("s", {"schema": json.dumps(schema)})
    return [b"\0" + made.number.to_bytes(4) + encode(encoded_with or schema, each) for each in written]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (EVENT, ("shop.Deleted", {"id": 5}), {"Deleted": {"id": 5}}),
        (["null", *EVENT], ("shop.Created", {"id": 5}), {"Created": {"id": 5}}),
        (["null", *EVENT], None, None),
        (["string", *EVENT], "text", "text"),
        (["null", CREATED], {"id": 5}, {"id": 5}),
        ([CREATED, OTHER], ("stock.Created", {"id": 5}), {"stock.Created": {"id": 5}}),
        ([COLOUR, SIZE], ("Size", "A"), {"Size": "A"}),
        ([COLOUR, CREATED], ("Colour", "A"), {"Colour": "A"}),
        ([KEY, DELETED], ("Key", b"ab"), {"Key": b64encode(b"ab").decode()}),
        ({"type": "array", "items": EVENT}, [("shop.Created", {"id": 1}), ("shop.Deleted", {"id": 2})],
         [{"Created": {"id": 1}}, {"Deleted": {"id": 2}}]),
        ({"type": "map", "values": EVENT}, {"a": ("shop.Deleted", {"id": 1})}, {"a": {"Deleted": {"id": 1}}}),
        (record(("e", EVENT), name="Inner"), {"e": ("shop.Deleted", {"id": 1})}, {"e": {"Deleted": {"id": 1}}}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["field", "top", "container", "containers"])
def test_a_union_of_several_named_types_says_which_one(
    server: SchemaRegistryServer, registry: SchemaRegistry, schema: Any, value: Any, expected: Any, place: str
) -> None:
    whole, written = (schema, value) if place == "top" else (record(("u", schema)), {"u": value})
    if place in ("field", "top"):
        (body,) = framed(server, whole, written)
    else:
        body = contain(whole, *[written] * (1 if place == "container" else 2))
    rows, rejects = decode_batch(batch([body]), "Avro", "Unpacked", registry)
    assert rejects.num_rows == 0, rejects.to_pylist()
    if place == "containers":
        (found,) = typed(rows, "value")[1]
        assert json.loads(found) == [{"u": expected}] * 2
        return
    if place == "top" and isinstance(schema, dict) and schema["type"] == "record":
        expected, column = expected["e"], "value_e"
    elif place == "top" and schema == ["null", CREATED]:
        expected, column = expected["id"], "value_id"
    else:
        column = "value" if place == "top" else "value_u"
    column_type, (found,) = typed(rows, column)
    if column_type == types.JSON and found is not None:
        found = json.loads(found)
    assert found == expected


def test_a_schema_that_goes_round_says_which_branch_too(server: SchemaRegistryServer, registry: SchemaRegistry) -> None:
    leaf = record(("v", "int"), name="Leaf")
    node = record(("next", ["Node", leaf]), name="Node")
    (body,) = framed(server, node, {"next": ("Node", {"next": ("Leaf", {"v": 1})})})
    rows, _ = decode_batch(batch([body]), "Avro", "Unpacked", registry)
    assert typed(rows, "value_next")[1] == ['{"Node":{"next":{"Leaf":{"v":1}}}}']


NAMES = ["A", "B", "C"]
RECORDS = [record(("x", "int"), ("s", ["null", "string"]), name=name) for name in NAMES]
INNER = st.fixed_dictionaries({"x": st.integers(-5, 5), "s": st.none() | st.text(max_size=3)})
CHOICES = st.tuples(st.sampled_from(NAMES), INNER)


@settings(max_examples=60, deadline=None)
@given(CHOICES, st.lists(CHOICES, max_size=4), st.dictionaries(st.text(max_size=3), CHOICES, max_size=3))
def test_what_was_written_is_what_is_read(one: Any, many: list[Any], mapped: dict[str, Any]) -> None:
    schema = record(
        ("one", RECORDS), ("many", {"type": "array", "items": NAMES}), ("mapped", {"type": "map", "values": NAMES})
    )
    made = compile_schema(RegisteredSchema(json.dumps(schema), "AVRO"))
    found = made.read(BytesIO(encode(schema, {"one": one, "many": many, "mapped": mapped})))
    assert found == {
        "one": {one[0]: one[1]},
        "many": [{name: value} for name, value in many],
        "mapped": {key: {name: value} for key, (name, value) in mapped.items()},
    }


def with_default(kind: Any, default: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "n", "type": kind, "default": default}]}


@pytest.mark.parametrize(
    ("kind", "default", "value"),
    [
        ("string", None, "hi"),
        ("int", "7", 7),
        (["null", "string"], "text", "hi"),
        ({"type": "array", "items": with_default("string", 5)}, {}, [{"n": "hi"}]),
        ({"type": "map", "values": with_default("string", None)}, 1, {"a": {"n": "hi"}}),
        (with_default("long", "x"), None, {"n": 7}),
        ({"type": "enum", "name": "E", "symbols": ["A"], "default": "Z"}, "Y", "A"),
        (["null", {"type": "enum", "name": "E", "symbols": ["A"], "default": 5}], None, "A"),
    ],
)
@pytest.mark.parametrize("contained", [False, True])
def test_defaults_that_do_not_fit_do_not_matter(
    server: SchemaRegistryServer, registry: SchemaRegistry, kind: Any, default: Any, value: Any, contained: bool
) -> None:
    schema = {"type": "record", "name": "Top", "fields": [{"name": "n", "type": kind, "default": default}]}
    plain = json.loads(json.dumps(schema), object_hook=_without_default)
    if contained:
        body = contain_blocks(schema, "null", (1, encode(plain, {"n": value})))
    else:
        (body,) = framed(server, schema, {"n": value}, encoded_with=plain)
    rows, rejects = decode_batch(batch([body]), "Avro", "Unpacked", registry)
    assert rejects.num_rows == 0, rejects.to_pylist()
    ((_, (found,)),) = values(rows).values()
    assert (json.loads(found) if isinstance(value, list | dict) else found) == value


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "default"}


@pytest.mark.parametrize(
    "decimal",
    [{"precision": 2, "scale": 5}, {}, {"precision": 0}, {"precision": "4"}, {"precision": 4, "scale": -1}],
)
def test_a_decimal_that_cannot_be_is_bytes(
    server: SchemaRegistryServer, registry: SchemaRegistry, decimal: dict[str, Any]
) -> None:
    schema = record(("d", {"type": "bytes", "logicalType": "decimal", **decimal}))
    (body,) = framed(server, schema, {"d": b"ab"}, encoded_with=record(("d", "bytes")))
    rows, _ = decode_batch(batch([body]), "Avro", "Unpacked", registry)
    assert values(rows) == {"d": (types.BINARY, [b"ab"])}


@pytest.mark.parametrize(
    "schema",
    ["[" * 50_000, '{"type": "record"}', "\ud800", '"\\ud800"', "5", "null", "[]", '{"type": {"type": {}}}',
     '{"type": "record", "name": "R", "fields": 5}', '{"type": "enum", "name": "E", "symbols": null}',
     '{"type": "fixed", "name": "F", "size": "big"}'],
)  # fmt: skip
def test_a_schema_that_cannot_be_compiled_rejects_its_messages(
    server: SchemaRegistryServer, registry: SchemaRegistry, schema: str
) -> None:
    made = server.register("s", {"schema": schema})
    body = b"\0" + made.number.to_bytes(4) + b"ab"
    rows, rejects = decode_batch(batch([body]), "Avro", "Unpacked", registry)
    check_complete([body], rows, rejects)
    assert rejects.num_rows == 1


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ('syntax = "proto3"; message M { string a = 1; } // \ud800', {}),
        ('syntax = "proto3"; import "a"; message M { string a = 1; }', {"x" * 300: 'syntax = "proto3";'}),
        ('syntax = "proto3"; message M { string a = 1; }', {"syncline": 'syntax = "proto3";'}),
        ('syntax = "proto3"; message M { string a = 1; }', {"a/b.proto": 'syntax = "proto3";', "a": "x"}),
        ('syntax = "proto3"; message M { string a = 1; }', {"\ud800": 'syntax = "proto3";'}),
        ('syntax = "proto3"; message M { string a = 1; }', {"../up.proto": 'syntax = "proto3";'}),
        ('syntax = "proto3"; message M { string a = 1; }', {"/etc/up.proto": 'syntax = "proto3";'}),
        ('syntax = "proto3"; message M { string a = 1; }', {"nul\x00.proto": 'syntax = "proto3";'}),
        ("\x00", {}),
        ("", {}),
    ],
)
def test_a_protobuf_schema_that_cannot_be_compiled_is_unusable(text: str, references: dict[str, str]) -> None:
    with pytest.raises(UnusableSchema):
        compile_protobuf(RegisteredSchema(text, "PROTOBUF", references))
