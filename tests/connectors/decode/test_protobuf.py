"""Decoding batches of Protobuf messages, written by the official serializer and by others."""

import json
import struct
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc_tools
import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.azure_service_bus.decode import decode_batch
from syncline.connectors.errors import SourceUnavailable
from syncline.connectors.schema_registry import SchemaRegistry
from syncline.warehouses import types
from tests.connectors.decode.batches import batch, check_complete, typed, values
from tests.support.schema_registry import Fault, SchemaRegistryServer

CONTEXT = SerializationContext("orders", MessageField.VALUE)
IMPORTS = "".join(
    f'import "google/protobuf/{name}.proto";\n' for name in ("timestamp", "duration", "wrappers", "struct", "field_mask", "any", "empty")  # noqa: E501
)  # fmt: skip


class Protos:
    """Message classes of the texts of .proto files."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (folder / name).write_text(text)
        output = folder / "descriptors"
        include = Path(grpc_tools.__file__).parent / "_proto"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"-I{include}", "--include_imports"]
        subprocess.run([*command, f"--descriptor_set_out={output}", *files], check=True, cwd=folder)
        self._pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(output.read_bytes()).file:
            self._pool.AddSerializedFile(file.SerializeToString())

    def __getitem__(self, name: str) -> Any:
        return GetMessageClass(self._pool.FindMessageTypeByName(name))


def serialize(server: SchemaRegistryServer, *messages: Any) -> list[bytes]:
    """Messages made by the official serializer, which registers the schema."""
    serializer = ProtobufSerializer(type(messages[0]), server.client(), {"use.deprecated.format": False})
    return [serializer(each, CONTEXT) for each in messages]


def decode(bodies: list[bytes], registry: SchemaRegistry) -> dict[str, tuple[types.ColumnType, list[Any]]]:
    rows, rejects = decode_batch(batch(bodies), "Protobuf", "Unpacked", registry)
    assert rejects.num_rows == 0, rejects.to_pylist()
    return values(rows)


MOMENT = {"seconds": 1709175845, "nanos": 6_789}
AT = datetime(2024, 2, 29, 3, 4, 5, 6, tzinfo=UTC)


CASES = [
    ("int32 f", -5, types.INT, -5, 0),
    ("sint32 f", -5, types.INT, -5, 0),
    ("uint32 f", 2**32 - 1, types.LONG, 2**32 - 1, 0),
    ("fixed32 f", 2**32 - 1, types.LONG, 2**32 - 1, 0),
    ("int64 f", -(2**63), types.LONG, -(2**63), 0),
    ("uint64 f", 2**64 - 1, types.decimal(20, 0), Decimal(2**64 - 1), Decimal(0)),
    ("fixed64 f", 2**64 - 1, types.decimal(20, 0), Decimal(2**64 - 1), Decimal(0)),
    ("float f", 1.5, types.FLOAT, 1.5, 0.0),
    ("double f", 0.1, types.DOUBLE, 0.1, 0.0),
    ("bool f", True, types.BOOLEAN, True, False),
    ("string f", "Zoë 𝄞", types.STRING, "Zoë 𝄞", ""),
    ("bytes f", b"\xff\0", types.BINARY, b"\xff\0", b""),
    ("Color f", 1, types.STRING, "GREEN", "RED"),
    ("Color f", 7, types.STRING, "7", "RED"),
    ("optional int32 f", 0, types.INT, 0, None),
    ("optional string f", "", types.STRING, "", None),
    ("repeated uint64 f", [2**64 - 1, 0], types.JSON, "[18446744073709551615,0]", "[]"),
    ("repeated bytes f", [b"\xff"], types.JSON, '["/w=="]', "[]"),
    ("repeated double f", [0.5, float("nan")], types.JSON, '[0.5,"nan"]', "[]"),
    ("map<int32, Color> f", {5: 1}, types.JSON, '{"5":"GREEN"}', "{}"),
    ("map<bool, Inner> f", {True: {"n": 1}}, types.JSON, '{"true":{"n":1,"tags":[]}}', "{}"),
    ("Inner f", {"n": 5, "at": MOMENT}, types.JSON, '{"n":5,"tags":[],"at":"2024-02-29T03:04:05.000006Z"}', None),
    ("google.protobuf.Timestamp f", MOMENT, types.INSTANT, AT, None),
    ("google.protobuf.Duration f", {"seconds": -1, "nanos": -500_000_000}, types.STRING, "-1.5s", None),
    ("google.protobuf.FieldMask f", {"paths": ["a.b", "c"]}, types.STRING, "a.b,c", None),
    ("google.protobuf.Int64Value f", {"value": 2**62}, types.LONG, 2**62, None),
    ("google.protobuf.UInt64Value f", {"value": 2**63}, types.decimal(20, 0), Decimal(2**63), None),
    ("google.protobuf.BoolValue f", {"value": False}, types.BOOLEAN, False, None),
    ("google.protobuf.StringValue f", {"value": ""}, types.STRING, "", None),
    ("google.protobuf.BytesValue f", {"value": b"\xff"}, types.BINARY, b"\xff", None),
    ("google.protobuf.Empty f", {}, types.JSON, "{}", None),
    ("google.protobuf.Any f", {"type_url": "t", "value": b"\xff"}, types.JSON, '{"type_url":"t","value":"/w=="}', None),
]  # fmt: skip
"""A field's declaration, a value, the type of its column, what comes out, and what comes out where it was not set."""


@pytest.mark.parametrize("kind", ["descriptors", "text"])
def test_a_field_has_the_type_that_its_schema_says(
    server: SchemaRegistryServer, registry: SchemaRegistry, tmp_path: Path, kind: str
) -> None:
    declared = "".join(f"{case[0]}{number} = {number + 1};\n" for number, case in enumerate(CASES))
    text = f"""
        syntax = "proto3"; {IMPORTS}
        message Order {{ {declared} }}
        enum Color {{ RED = 0; GREEN = 1; }}
        message Inner {{
          int64 n = 1; repeated string tags = 2; google.protobuf.Timestamp at = 3; optional int32 o = 4;
        }}
    """
    order = Protos(tmp_path, {"order.proto": text})["Order"]
    bodies = serialize(server, order(**{f"f{number}": case[1] for number, case in enumerate(CASES)}), order())
    if kind == "text":
        made = server.register("text", {"schema": text, "schemaType": "PROTOBUF"})
        bodies = [body[:1] + made.number.to_bytes(4) + body[5:] for body in bodies]
    found = decode(bodies, registry)
    for number, (declaration, _, expected_type, expected, default) in enumerate(CASES):
        assert found[f"f{number}"] == (expected_type, [expected, default]), declaration


def test_of_a_oneof_one_field_is_set(server: SchemaRegistryServer, registry: SchemaRegistry, tmp_path: Path) -> None:
    text = 'syntax = "proto3"; message Order { oneof which { int32 a = 1; string b = 2; } }'
    order = Protos(tmp_path, {"order.proto": text})["Order"]
    assert decode(serialize(server, order(a=0), order(b="x"), order()), registry) == {
        "a": (types.INT, [0, None, None]),
        "b": (types.STRING, [None, "x", None]),
    }


def test_proto2(server: SchemaRegistryServer, registry: SchemaRegistry, tmp_path: Path) -> None:
    text = """
        syntax = "proto2";
        message Order {
          required int32 a = 1; optional int32 b = 2 [default = 7]; repeated group Line = 3 { optional string s = 4; }
        }
    """
    order = Protos(tmp_path, {"order.proto": text})["Order"]
    found = decode(serialize(server, order(a=1), order(a=2, b=3, line=[{"s": "x"}])), registry)
    assert found == {
        "a": (types.INT, [1, 2]),
        "b": (types.INT, [None, 3]),
        "line": (types.JSON, ["[]", '[{"s":"x"}]']),
    }


def test_structures_of_any_shape(server: SchemaRegistryServer, registry: SchemaRegistry, tmp_path: Path) -> None:
    text = (
        f'syntax = "proto3"; {IMPORTS} message Order {{ google.protobuf.Struct f = 1; google.protobuf.Value v = 2; }}'
    )
    order = Protos(tmp_path, {"order.proto": text})["Order"]
    document = {"a": [1.5, None, True, "x", {"b": {}}], "c": "d"}
    message = json_format.ParseDict({"f": document, "v": None}, order())
    found = decode(serialize(server, message, json_format.ParseDict({"v": [1]}, order())), registry)
    assert json.loads(found["f"][1][0]) == document
    assert found["v"] == (types.JSON, ["null", "[1.0]"])


def test_the_indexes_of_the_message_type(
    server: SchemaRegistryServer, registry: SchemaRegistry, tmp_path: Path
) -> None:
    text = """
        syntax = "proto3";
        message A { message B { message C { int32 c = 1; } int32 b = 1; } message D { string d = 1; } }
        message E { bool e = 1; }
    """
    protos = Protos(tmp_path, {"order.proto": text})
    messages = [protos["A"](), protos["A.B"](b=1), protos["A.B.C"](c=2), protos["A.D"](d="x"), protos["E"](e=True)]
    bodies = [body for message in messages for body in serialize(server, message)]
    assert decode(bodies, registry) == {
        "b": (types.INT, [None, 1, None, None, None]),
        "c": (types.INT, [None, None, 2, None, None]),
        "d": (types.STRING, [None, None, None, "x", None]),
        "e": (types.BOOLEAN, [None, None, None, None, True]),
    }


def test_versions_of_a_schema_in_one_batch(
    server: SchemaRegistryServer, registry: SchemaRegistry, tmp_path: Path
) -> None:
    bodies: list[bytes] = []
    for number, declared in enumerate(["int32 a = 1;", "int64 a = 1; string b = 2;", "string a = 3;"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        text = f'syntax = "proto3"; message Order {{ {declared} }}'
        order = Protos(folder, {"order.proto": text})["Order"]
        bodies += serialize(server, order(a="x" if number == 2 else number + 1))
    assert decode([bodies[1], bodies[0], bodies[1]], registry) == {
        "a": (types.LONG, [2, 1, 2]),
        "b": (types.STRING, ["", None, ""]),
    }
    assert decode(bodies, registry)["a"] == (types.STRING, ["1", "2", "x"])


@pytest.mark.parametrize("kind", ["text", "descriptors", "mixed"])
def test_schemas_that_import_others(
    server: SchemaRegistryServer, registry: SchemaRegistry, tmp_path: Path, kind: str
) -> None:
    money = 'syntax = "proto3"; package shop; import "google/type/date.proto"; message Money { uint64 units = 1; google.type.Date on = 2; }'  # noqa: E501
    price = 'syntax = "proto3"; package shop; import "money.proto"; message Price { Money net = 1; }'
    order = 'syntax = "proto3"; import "price.proto"; import "money.proto"; message Order { shop.Price price = 1; shop.Money tip = 2; }'  # noqa: E501
    (tmp_path / "google" / "type").mkdir(parents=True)
    (tmp_path / "google" / "type" / "date.proto").write_text(
        'syntax = "proto3"; package google.type; message Date { int32 year = 1; int32 month = 2; int32 day = 3; }'
    )
    protos = Protos(tmp_path, {"money.proto": money, "price.proto": price, "order.proto": order})
    message = protos["Order"](price={"net": {"units": 2**63, "on": {"year": 2024}}}, tip={"units": 1})
    if kind == "text":
        client = server.client()
        client.register_schema("m", Schema(money, "PROTOBUF"))
        client.register_schema("p", Schema(price, "PROTOBUF", [SchemaReference("money.proto", "m", 1)]))
        references = [SchemaReference("price.proto", "p", 1), SchemaReference("money.proto", "m", 1)]
        made = client.register_schema("o", Schema(order, "PROTOBUF", references))
        body = b"\0" + made.to_bytes(4) + b"\0" + message.SerializeToString()
    else:
        (body,) = serialize(server, message)
    if kind == "mixed":
        own = server.schemas[int.from_bytes(body[1:5]) - 1]
        own.entry["schema"] = order
    found = decode([body], registry)
    net = '{"net":{"units":9223372036854775808,"on":{"year":2024,"month":0,"day":0}}}'
    assert found == {"price": (types.JSON, [net]), "tip": (types.JSON, ['{"units":1}'])}


def test_confluents_own_files_can_be_imported(server: SchemaRegistryServer, registry: SchemaRegistry) -> None:
    text = """
        syntax = "proto3"; import "confluent/meta.proto"; import "confluent/type/decimal.proto";
        message Order {
          option (confluent.message_meta) = { doc: "an order" };
          confluent.type.Decimal f = 1 [(confluent.field_meta).params = { key: "scale", value: "2" }];
        }
    """
    made = server.register("o", {"schema": text, "schemaType": "PROTOBUF"})
    body = b"\0" + made.number.to_bytes(4) + b"\0" + b"\x0a\x05\x0a\x01\x7f\x18\x02"
    found = decode([body], registry)
    assert found == {"f": (types.JSON, ['{"value":"fw==","precision":0,"scale":2}'])}


def test_what_was_not_written_with_its_schema_is_rejected(
    server: SchemaRegistryServer, registry: SchemaRegistry, tmp_path: Path
) -> None:
    text = f'syntax = "proto3"; {IMPORTS} message Order {{ string a = 1; google.protobuf.Timestamp t = 2; }}'
    order = Protos(tmp_path, {"order.proto": text})["Order"]
    (good,) = serialize(server, order(a="x" * 20))
    frame = good[:5]
    bad = {
        b"{}": "does not begin with the schema",
        good[:-1]: "not written with its schema",
        frame: "message type",
        frame + b"\x02\x08": "no message type at [4]",
        frame + b"\x02\x01": "no message type at [-1]",
        frame + b"\xff" * 9: "message type",
        frame + b"\0\x0a\x02\xff\xff": "not written with its schema",
        b"\0" + struct.pack(">I", 99) + b"\0": "does not know the schema 99",
        frame + b"\0" + order(t={"seconds": 2**60}).SerializeToString(): "value_t",
    }
    bodies = [good, *bad]
    rows, rejects = decode_batch(batch(bodies), "Protobuf", "Unpacked", registry)
    check_complete(bodies, rows, rejects)
    assert typed(rows, "value_a") == (types.STRING, ["x" * 20])
    for reason, expected in zip(rejects.column("reason").to_pylist(), bad.values(), strict=True):
        assert expected in reason


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"schema": "message", "schemaType": "PROTOBUF"}, "no valid Protobuf schema"),
        ({"schema": 'syntax = "proto3"; import "gone.proto";', "schemaType": "PROTOBUF"}, "gone.proto"),
        ({"schema": 'syntax = "proto3";', "schemaType": "PROTOBUF"}, "no message type"),
        ({"schema": "{}"}, "of type AVRO"),
        ({"schema": 'syntax = "proto3"; message A {}', "schemaType": "PROTOBUF", "references": [{"name": "../../x.proto", "subject": "x", "version": 1}]}, "no name of a .proto file"),  # noqa: E501
    ],
)  # fmt: skip
def test_messages_whose_schema_cannot_be_used_are_rejected(
    server: SchemaRegistryServer, registry: SchemaRegistry, entry: dict[str, Any], reason: str
) -> None:
    server.register("x", {"schema": 'syntax = "proto3";', "schemaType": "PROTOBUF"})
    made = server.register("s", entry)
    body = b"\0" + made.number.to_bytes(4) + b"\0"
    rows, rejects = decode_batch(batch([body]), "Protobuf", "Unpacked", registry)
    check_complete([body], rows, rejects)
    assert reason in rejects.column("reason")[0].as_py()
    assert "/tmp" not in rejects.column("reason")[0].as_py()


def test_a_registry_in_trouble_is_a_failure_and_rejects_nothing(
    server: SchemaRegistryServer, registry: SchemaRegistry
) -> None:
    server.register("s", {"schema": 'syntax = "proto3"; message A { int32 a = 1; }', "schemaType": "PROTOBUF"})
    server.broken = Fault(503)
    with pytest.raises(SourceUnavailable):
        decode_batch(batch([b"\0\0\0\0\1\0"]), "Protobuf", "Unpacked", registry)
    server.broken = None
    assert decode_batch(batch([b"\0\0\0\0\1\0"]), "Protobuf", "Unpacked", registry)[0].num_rows == 1


class OneSchema(SchemaRegistry):
    """A registry that has one schema, whatever it is asked for."""

    def _get(self, path: str, subject: str) -> str:
        return json.dumps({"schema": EVERYTHING, "schemaType": "PROTOBUF"})


EVERYTHING = """
    syntax = "proto3";
    message Order {
      bool b = 1; int32 i = 2; uint64 l = 3; double d = 4; optional string s = 5; bytes y = 6;
      repeated sint64 r = 7; map<string, Order> m = 8; oneof o { fixed32 p = 9; float q = 10; }
    }
"""
ONE_SCHEMA = OneSchema([], None, None)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SIMPLE = st.fixed_dictionaries(
    {
        "b": st.booleans(),
        "i": st.integers(-(2**31), 2**31 - 1),
        "l": st.integers(0, 2**64 - 1),
        "d": st.floats(allow_nan=False, allow_infinity=False),
        "y": st.binary(max_size=8),
        "r": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    },
    optional={"s": TEXTS},
)


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return Protos(tmp_path_factory.mktemp("protos"), {"order.proto": EVERYTHING})["Order"]


@given(st.lists(st.tuples(SIMPLE, st.dictionaries(TEXTS, SIMPLE, max_size=2)), max_size=4))
def test_what_goes_in_comes_out(order: Any, written: list[tuple[dict[str, Any], dict[str, dict[str, Any]]]]) -> None:
    bodies = [b"\0\0\0\0\1\0" + order(**fields, m=inner).SerializeToString() for fields, inner in written]
    found = {name: column for name, (_, column) in decode(bodies, ONE_SCHEMA).items()} if bodies else {}
    for row, (fields, inner) in enumerate(written):
        for name in "bildsy":
            assert found[name][row] == fields.get(name)
        assert json.loads(found["r"][row]) == fields["r"]
        nested = json.loads(found["m"][row])
        assert nested.keys() == inner.keys()
        for key, each in inner.items():
            assert {name: nested[key].get(name) for name in "bildsr"} == {name: each.get(name) for name in "bildsr"}


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_every_message_is_a_row_or_a_reject(contents: list[bytes]) -> None:
    bodies = [b"\0\0\0\0\1\0" + content for content in contents] + contents
    rows, rejects = decode_batch(batch(bodies), "Protobuf", "Unpacked", ONE_SCHEMA)
    check_complete(bodies, rows, rejects)
