"""Decoding batches of Avro messages, written by the official serializer and by others."""

import io
import json
import math
import re
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import pyarrow as pa
import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.serde import SchemaId as SerializedId
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.azure_service_bus.decode import decode_batch
from syncline.connectors.errors import SourceConfigurationError, SourceUnavailable
from syncline.connectors.schema_registry import SchemaRegistry
from syncline.warehouses import types
from tests.connectors.decode.batches import batch, check_complete, typed, values
from tests.support.schema_registry import Fault, SchemaRegistryServer

CONTEXT = SerializationContext("orders", MessageField.VALUE)


def record(*fields: tuple[str, Any], name: str = "Order") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": each, "type": kind} for each, kind in fields]}


def logical(kind: str, meaning: str, /, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": meaning, **more}


def serialize(server: SchemaRegistryServer, schema: Any, *written: Any, references: Any = None) -> list[bytes]:
    """Messages made by the official serializer, which registers the schema."""
    serializer = AvroSerializer(server.client(), Schema(json.dumps(schema), "AVRO", references or []))
    return [serializer(each, CONTEXT) for each in written]


def encode(schema: Any, value: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), value)
    return stream.getvalue()


def contain(schema: Any, *written: Any, codec: str = "null") -> bytes:
    if codec in COMPRESS:
        content = b"".join(encode(schema, each) for each in written)
        return contain_blocks(schema, codec, *[(len(written), COMPRESS[codec](content))] * bool(written))
    stream = io.BytesIO()
    fastavro.writer(stream, schema, written, codec=codec)
    return stream.getvalue()


def contain_blocks(schema: Any, codec: str, *blocks: tuple[int, bytes]) -> bytes:
    """A container by hand, of blocks that are compressed already: how many values each has, and its bytes."""
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    marker = b"sixteen bytes..."
    head = b"Obj\x01" + encode({"type": "map", "values": "bytes"}, meta) + marker
    return head + b"".join(encode("long", count) + encode("bytes", content) + marker for count, content in blocks)


def snappy(content: bytes) -> bytes:
    compressed: bytes = pa.Codec("snappy").compress(content, asbytes=True)
    return compressed + zlib.crc32(content).to_bytes(4)


def zstandard(content: bytes) -> bytes:
    """As writers do that do not know the size of the content in advance: the frame does not say it."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    compressed: bytes = sink.getvalue().to_pybytes()
    return compressed


COMPRESS: dict[str, Callable[[bytes], bytes]] = {"snappy": snappy, "zstandard": zstandard}
"""What fastavro writes only with more libraries."""


MOMENT = datetime(2024, 2, 29, 3, 4, 5, 6000, tzinfo=UTC)
INNER = record(("at", logical("long", "timestamp-millis")), ("amount", logical("bytes", "decimal", precision=30, scale=3)), name="Inner")  # fmt: skip  # noqa: E501
BIG = Decimal("12345678901234567890.123")


CASES: list[tuple[Any, Any, types.ColumnType, Any]] = [
    ("boolean", True, types.BOOLEAN, True),
    ("int", -(2**31), types.INT, -(2**31)),
    ("long", 2**63 - 1, types.LONG, 2**63 - 1),
    ("float", 1.5, types.FLOAT, 1.5),
    ("double", 0.1, types.DOUBLE, 0.1),
    ("string", "Zoë 𝄞", types.STRING, "Zoë 𝄞"),
    ("bytes", b"\xff\x00", types.BINARY, b"\xff\x00"),
    ({"type": "fixed", "name": "F", "size": 2}, b"\xff\x00", types.BINARY, b"\xff\x00"),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", types.STRING, "B"),
    ({"type": "array", "items": "long"}, [1, 2**62], types.JSON, "[1,4611686018427387904]"),
    ({"type": "array", "items": "double"}, [0.5, math.inf], types.JSON, '[0.5,"inf"]'),
    ({"type": "map", "values": "bytes"}, {"a": b"\xff"}, types.JSON, '{"a":"/w=="}'),
    (INNER, {"at": MOMENT, "amount": BIG}, types.JSON, f'{{"at":"2024-02-29T03:04:05.006000Z","amount":{BIG}}}'),
    (logical("bytes", "decimal", precision=10, scale=2), Decimal("-12.34"), types.decimal(8, 2), Decimal("-12.34")),
    (logical("bytes", "decimal", precision=60, scale=2), Decimal("1" * 50), types.JSON, "1" * 50 + ".00"),
    (logical("fixed", "decimal", name="D", size=8, precision=9), Decimal(7), types.decimal(9, 0), Decimal(7)),
    (logical("int", "date"), date(1066, 10, 14), types.LOCALDATE, date(1066, 10, 14)),
    (logical("int", "time-millis"), time(1, 2, 3, 4000), types.STRING, "01:02:03.004000"),
    (logical("long", "time-micros"), time(1, 2, 3, 4), types.STRING, "01:02:03.000004"),
    (logical("long", "timestamp-millis"), MOMENT, types.INSTANT, MOMENT),
    (logical("long", "timestamp-micros"), MOMENT, types.INSTANT, MOMENT),
    (logical("long", "timestamp-nanos"), -1, types.INSTANT, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    (logical("long", "local-timestamp-millis"), datetime(1900, 1, 1), types.LOCALDATETIME, datetime(1900, 1, 1)),  # noqa: DTZ001
    (logical("long", "local-timestamp-micros"), datetime(1900, 1, 1), types.LOCALDATETIME, datetime(1900, 1, 1)),  # noqa: DTZ001
    (logical("string", "uuid"), UUID(int=5), types.STRING, str(UUID(int=5))),
    (logical("fixed", "uuid", name="U", size=16), UUID(int=5).bytes, types.STRING, str(UUID(int=5))),
    (
        logical("fixed", "duration", name="L", size=12),
        b"\1\0\0\0\2\0\0\0\3\0\0\0",
        types.JSON,
        '{"months":1,"days":2,"milliseconds":3}',
    ),
    (["null", "long"], 5, types.LONG, 5),
    (["null", logical("long", "timestamp-micros")], MOMENT, types.INSTANT, MOMENT),
    (["null", "Inner"], None, types.JSON, None),
    (["int", "long"], 5, types.LONG, 5),
    (["long", "double"], 2**62 + 1, types.JSON, str(2**62 + 1)),
    (["null", "string", "int"], 7, types.STRING, "7"),
    (["string", "Inner"], {"at": MOMENT, "amount": BIG}, types.STRING, f'{{"at":"2024-02-29T03:04:05.006000Z","amount":{BIG}}}'),  # noqa: E501
    (["boolean", "string"], True, types.STRING, "true"),
    ([logical("long", "timestamp-millis"), logical("int", "date")], MOMENT, types.STRING, "2024-02-29T03:04:05.006000Z"),  # noqa: E501
    ({"type": "string", "logicalType": "of our own"}, "x", types.STRING, "x"),
]  # fmt: skip
"""A field's schema, a value, the type of its column, and what comes out."""


def test_a_field_has_the_type_that_its_schema_says(server: SchemaRegistryServer, registry: SchemaRegistry) -> None:
    schema = record(*((f"f{number}", case[0]) for number, case in enumerate(CASES)))
    (body,) = serialize(server, schema, {f"f{number}": case[1] for number, case in enumerate(CASES)})
    rows, rejects = decode_batch(batch([body]), "Avro", "Unpacked", registry)
    assert rejects.num_rows == 0, rejects.to_pylist()
    found = values(rows)
    for number, (schema, _, expected_type, expected) in enumerate(CASES):
        assert found[f"f{number}"] == (expected_type, [expected]), schema


def test_a_field_that_is_always_null_has_no_column(server: SchemaRegistryServer, registry: SchemaRegistry) -> None:
    bodies = serialize(server, record(("f", "null"), ("g", "int")), {"f": None, "g": 1})
    rows, _ = decode_batch(batch(bodies), "Avro", "Unpacked", registry)
    assert list(values(rows)) == ["g"]


def test_versions_of_a_schema_in_one_batch(server: SchemaRegistryServer, registry: SchemaRegistry) -> None:
    first = serialize(server, record(("a", "int"), ("b", "string")), {"a": 1, "b": "x"}, {"a": 2, "b": "y"})
    second = serialize(
        server, record(("a", "long"), ("c", logical("int", "date"))), {"a": 2**40, "c": date(2024, 1, 1)}
    )
    third = serialize(server, record(("a", "string")), {"a": "text"})
    rows, rejects = decode_batch(batch([first[0], *second, first[1]]), "Avro", "Unpacked", registry)
    assert rejects.num_rows == 0
    assert values(rows) == {
        "a": (types.LONG, [1, 2**40, 2]),
        "b": (types.STRING, ["x", None, "y"]),
        "c": (types.LOCALDATE, [None, date(2024, 1, 1), None]),
    }
    rows, _ = decode_batch(batch([*third, *second, *first]), "Avro", "Unpacked", registry)
    assert typed(rows, "value_a") == (types.STRING, ["text", str(2**40), "1", "2"])
    assert len([request for request in server.requests if request.startswith("GET /schemas/ids/")]) == 3


def test_schemas_that_refer_to_others(server: SchemaRegistryServer, registry: SchemaRegistry) -> None:
    server.client().register_schema("money", Schema(json.dumps(record(("units", "long"), name="shop.Money")), "AVRO"))
    price = {"type": "record", "name": "shop.Price", "fields": [{"name": "net", "type": "shop.Money"}]}
    money = SchemaReference("shop.Money", "money", 1)
    server.client().register_schema("price", Schema(json.dumps(price), "AVRO", [money]))
    order = record(("price", "shop.Price"), ("tip", ["null", "shop.Money"]))
    made = server.client().register_schema(
        "order", Schema(json.dumps(order), "AVRO", [SchemaReference("shop.Price", "price", 1)])
    )
    whole = record(("price", {**price, "fields": [{"name": "net", "type": record(("units", "long"), name="shop.Money")}]}), ("tip", ["null", "shop.Money"]))  # fmt: skip  # noqa: E501
    body = b"\0" + made.to_bytes(4) + encode(whole, {"price": {"net": {"units": 5}}, "tip": None})
    rows, rejects = decode_batch(batch([body]), "Avro", "Unpacked", registry)
    assert rejects.num_rows == 0, rejects.to_pylist()
    assert values(rows) == {"price": (types.JSON, ['{"net":{"units":5}}']), "tip": (types.JSON, [None])}


@pytest.mark.parametrize(
    ("schema", "written", "expected"),
    [
        ("long", 5, (types.LONG, [5])),
        ({"type": "array", "items": "string"}, ["a"], (types.JSON, ['["a"]'])),
        (["null", "string"], "a", (types.STRING, ["a"])),
    ],
)
def test_a_value_that_is_no_record_is_one_column(
    server: SchemaRegistryServer, registry: SchemaRegistry, schema: Any, written: Any, expected: Any
) -> None:
    made = server.register("s", {"schema": json.dumps(schema)})
    body = b"\0" + made.number.to_bytes(4) + encode(schema, written)
    rows, _ = decode_batch(batch([body]), "Avro", "Unpacked", registry)
    assert typed(rows, "value") == expected


def test_a_schema_named_by_its_guid(server: SchemaRegistryServer, registry: SchemaRegistry) -> None:
    schema = record(("a", "int"))
    made = server.register("s", {"schema": json.dumps(schema)})
    prefix = SerializedId("AVRO", guid=made.guid).guid_to_bytes()
    rows, _ = decode_batch(batch([prefix + encode(schema, {"a": 5})]), "Avro", "Unpacked", registry)
    assert values(rows) == {"a": (types.INT, [5])}


def test_azures_content_type_names_the_schema(server: SchemaRegistryServer, registry: SchemaRegistry) -> None:
    schema = record(("a", "int"))
    identifier = "0123456789abcdef" * 2
    server.azure[identifier] = json.dumps(schema)
    made = server.register("s", {"schema": json.dumps(schema)})
    kinds = [f"avro/binary+{identifier}", f"Avro/Binary+{made.number}", f"avro/binary+{made.guid}", "avro/binary+?"]
    rows, rejects = decode_batch(batch([encode(schema, {"a": 5})] * 4, kinds), "Avro", "Unpacked", registry)
    assert values(rows) == {"a": (types.INT, [5, 5, 5])}
    assert "no schema's name" in rejects.column("reason")[0].as_py()


CODECS = ["null", "deflate", "bzip2", "xz", "snappy", "zstandard"]


@pytest.mark.parametrize("codec", CODECS)
def test_containers_bring_their_schema(registry: SchemaRegistry, codec: str) -> None:
    schema = record(("a", "int"), ("t", logical("long", "timestamp-micros")))
    written = [{"a": number, "t": MOMENT} for number in range(3)]
    bodies = [contain(schema, written[0], codec=codec), contain(schema, *written[1:], codec=codec), contain(schema)]
    rows, rejects = decode_batch(batch(bodies), "Avro", "Unpacked", registry)
    assert rejects.num_rows == 0, rejects.to_pylist()
    moment = "2024-02-29T03:04:05.006000Z"
    several = f'[{{"a":1,"t":"{moment}"}},{{"a":2,"t":"{moment}"}}]'
    assert values(rows) == {
        "a": (types.INT, [0, None, None]),
        "t": (types.INSTANT, [MOMENT, None, None]),
        "value": (types.JSON, [None, several, "[]"]),
    }


def test_what_was_not_written_with_its_schema_is_rejected(
    server: SchemaRegistryServer, registry: SchemaRegistry
) -> None:
    schema = record(("a", "string"))
    (good,) = serialize(server, schema, {"a": "x" * 20})
    container = contain(schema, {"a": "x" * 20})
    bad = {
        b"{}": "does not begin with the schema",
        good[:4]: "does not begin with the schema",
        good[:-1]: "too early",
        good + b"\0": "left over",
        good[:5] + b"\x02\xff": "UnicodeDecodeError",
        good[:1] + b"\0\0\0\x63" + good[5:]: "does not know the schema 99",
        container[:-1]: "broken block",
        container[:-20]: "broken block",
        container[:20]: "broken header",
        container[:4] + container[4:].replace(b"null", b"nuts"): "nuts",
        b"\xc3\x01" + good: "fingerprint",
    }
    bodies = [good, *bad]
    rows, rejects = decode_batch(batch(bodies), "Avro", "Unpacked", registry)
    check_complete(bodies, rows, rejects)
    assert rows.num_rows == 1
    for reason, expected in zip(rejects.column("reason").to_pylist(), bad.values(), strict=True):
        assert expected in reason


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("{", "no valid Avro schema"),
        ('{"type": "recrd", "name": "R"}', "no valid Avro schema"),
        ('{"type": "array", "items": "null"}', "no bytes"),
        ('{"type": "record", "name": "R", "fields": [{"name": "r", "type": {"type": "array", "items": {"type": "record", "name": "E", "fields": []}}}]}', "no bytes"),  # noqa: E501
    ],
)  # fmt: skip
def test_messages_whose_schema_cannot_be_used_are_rejected(
    server: SchemaRegistryServer, registry: SchemaRegistry, schema: str, reason: str
) -> None:
    server.register("s", {"schema": schema})
    body = b"\0\0\0\0\1\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\0"
    rows, rejects = decode_batch(batch([body]), "Avro", "Unpacked", registry)
    check_complete([body], rows, rejects)
    assert reason in rejects.column("reason")[0].as_py()


def test_a_schema_of_another_kind_is_no_avro_schema(server: SchemaRegistryServer, registry: SchemaRegistry) -> None:
    server.register("s", {"schema": "{}", "schemaType": "JSON"})
    _, rejects = decode_batch(batch([b"\0\0\0\0\1{}"]), "Avro", "Unpacked", registry)
    assert "of type JSON" in rejects.column("reason")[0].as_py()


def test_values_that_no_column_holds_reject_their_message_alone(
    server: SchemaRegistryServer, registry: SchemaRegistry
) -> None:
    plain = record(("t", "long"), ("d", "bytes"))
    meant = record(("t", logical("long", "timestamp-millis")), ("d", logical("bytes", "decimal", precision=4)))
    made = server.register("s", {"schema": json.dumps(meant)})
    written = [(0, b"\1"), (2**62, b"\1"), (0, b"\x7f" * 12), (-(2**62), b"\1"), (1, b"\2")]
    bodies = [b"\0" + made.number.to_bytes(4) + encode(plain, {"t": t, "d": d}) for t, d in written]
    rows, rejects = decode_batch(batch(bodies), "Avro", "Unpacked", registry)
    check_complete(bodies, rows, rejects)
    assert values(rows)["d"] == (types.decimal(4, 0), [Decimal(1), Decimal(2)])
    assert ["value_t" in reason for reason in rejects.column("reason").to_pylist()] == [True, False, True]


def test_a_message_nested_without_end_is_rejected(server: SchemaRegistryServer, registry: SchemaRegistry) -> None:
    schema = record(("next", ["null", "Order"]))
    (good,) = serialize(server, schema, {"next": {"next": None}})
    bodies = [good, good[:5] + b"\x02" * 300 + b"\0", good[:5] + b"\x02" * 100_000]
    rows, rejects = decode_batch(batch(bodies), "Avro", "Unpacked", registry)
    check_complete(bodies, rows, rejects)
    assert values(rows) == {"next": (types.JSON, ['{"next":null}'])}


BYTES = record(("a", "bytes"))


def rejection(body: bytes) -> str:
    """Why a container is rejected, as it has to be."""
    rows, rejects = decode_batch(batch([body]), "Avro", "Unpacked")
    check_complete([body], rows, rejects)
    assert rejects.num_rows == 1
    reason: str = rejects.column("reason")[0].as_py()
    return reason


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz", "zstandard"])
@pytest.mark.parametrize("blocks", [1, 3])
def test_a_container_that_grows_without_measure_is_rejected(codec: str, blocks: int) -> None:
    one = contain(BYTES, {"a": bytes(2_700_000 // blocks)}, codec=codec)
    marker = one[-16:]
    block = one[one.index(marker) + 16 :]
    body = one + block * (blocks - 1)
    assert len(body) < 10_000
    limit = max(1024 * 1024, 250 * len(body))
    assert f"more than {limit:,} bytes; that is too much" in rejection(body)


def test_snappy_is_measured_before_it_is_decompressed() -> None:
    tiny = b"\xff\xff\xff\xff\x0f" + b"\x00a" + bytes(4)
    assert "too much" in rejection(contain_blocks(BYTES, "snappy", (1, tiny)))
    large = snappy(encode(BYTES, {"a": bytes(101 * 1024 * 1024)}))
    assert "more than 104,857,600 bytes" in rejection(contain_blocks(BYTES, "snappy", (1, large)))


def test_what_compresses_well_is_read(registry: SchemaRegistry) -> None:
    body = contain(BYTES, {"a": bytes(900_000)}, codec="zstandard")
    assert len(body) < 1_000
    rows, _ = decode_batch(batch([body]), "Avro", "Unpacked", registry)
    assert values(rows) == {"a": (types.BINARY, [bytes(900_000)])}


def test_the_parts_of_a_block_in_snappy() -> None:
    """By hand, from the specifications: the size (10), a literal of ten bytes, and the CRC-32 of what comes out."""
    content = encode(BYTES, {"a": b"123456789"})
    assert (len(content), zlib.crc32(content)) == (10, 0xED2C_142B)
    block = b"\x0a" + b"\x24" + content + b"\xed\x2c\x14\x2b"
    rows, _ = decode_batch(batch([contain_blocks(BYTES, "snappy", (1, block))]), "Avro", "Unpacked")
    assert values(rows) == {"a": (types.BINARY, [b"123456789"])}


@pytest.mark.parametrize("place", [-1, -4])
def test_a_checksum_that_is_wrong_rejects_the_message(place: int) -> None:
    block = bytearray(snappy(encode(BYTES, {"a": b"123456789"})))
    block[place] ^= 1
    assert "checksum" in rejection(contain_blocks(BYTES, "snappy", (1, bytes(block))))


def test_content_that_was_changed_has_another_checksum() -> None:
    block = bytearray(snappy(encode(BYTES, {"a": b"123456789"})))
    block[5] ^= 1
    assert "checksum" in rejection(contain_blocks(BYTES, "snappy", (1, bytes(block))))


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz", "snappy", "zstandard"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: b"", "too early"),
        (lambda content: content[:-7], "too early|cannot be decompressed"),
        (lambda content: b"\xff" * len(content), "cannot be decompressed|does not begin with its size"),
    ],
)
def test_blocks_that_were_not_compressed_as_they_say_are_rejected(
    codec: str, change: Callable[[bytes], bytes], reason: str
) -> None:
    written = contain(BYTES, {"a": bytes(range(200))}, codec=codec)
    marker = written[-16:]
    stream = io.BytesIO(written[written.index(marker) + 16 :])
    count: Any = fastavro.schemaless_reader(stream, "long", None)
    content: Any = fastavro.schemaless_reader(stream, "bytes", None)
    assert re.search(reason, rejection(contain_blocks(BYTES, codec, (count, change(content)))))


@given(st.lists(st.binary(max_size=200) | st.binary(max_size=200).map(snappy), max_size=3), st.sampled_from(CODECS))
def test_a_container_of_any_blocks_is_a_row_or_a_reject(contents: list[bytes], codec: str) -> None:
    body = contain_blocks(BYTES, codec, *[(1, content) for content in contents])
    rows, rejects = decode_batch(batch([body]), "Avro", "Unpacked")
    check_complete([body], rows, rejects)


def test_a_registry_in_trouble_is_a_failure_and_rejects_nothing(
    server: SchemaRegistryServer, registry: SchemaRegistry
) -> None:
    bodies = serialize(server, record(("a", "int")), {"a": 1})
    server.broken = Fault(503)
    with pytest.raises(SourceUnavailable):
        decode_batch(batch(bodies), "Avro", "Unpacked", registry)
    server.broken = Fault(401)
    with pytest.raises(SourceConfigurationError):
        decode_batch(batch(bodies), "Avro", "Unpacked", registry)
    server.broken = None
    assert decode_batch(batch(bodies), "Avro", "Unpacked", registry)[0].num_rows == 1


def test_without_a_registry_only_containers_can_be_read() -> None:
    container = contain(record(("a", "int")), {"a": 1})
    assert decode_batch(batch([container]), "Avro", "Unpacked")[0].num_rows == 1
    with pytest.raises(SourceConfigurationError, match="schema_registry_urls"):
        decode_batch(batch([b"\0\0\0\0\1"]), "Avro", "Unpacked")


def test_an_empty_batch_decodes_to_nothing(registry: SchemaRegistry) -> None:
    rows, rejects = decode_batch(batch([]), "Avro", "Unpacked", registry)
    assert (rows.num_rows, rejects.num_rows) == (0, 0)


EVERYTHING = record(
    ("b", ["null", "boolean"]), ("i", "int"), ("l", "long"), ("d", "double"), ("s", ["null", "string"]), ("y", "bytes"),
    ("t", logical("long", "timestamp-micros")), ("u", ["null", "string", "long", "boolean"]),
    ("m", {"type": "map", "values": {"type": "array", "items": ["null", "string", "double"]}}),
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
WRITTEN = st.fixed_dictionaries(
    {
        "b": st.none() | st.booleans(),
        "i": st.integers(-(2**31), 2**31 - 1),
        "l": NUMBERS,
        "d": FINITE,
        "s": st.none() | TEXTS,
        "y": st.binary(max_size=8),
        "t": st.datetimes(timezones=st.just(UTC)),
        "u": st.none() | TEXTS | NUMBERS | st.booleans(),
        "m": st.dictionaries(TEXTS, st.lists(st.none() | TEXTS | FINITE, max_size=3), max_size=3),
    }
)


class OneSchema(SchemaRegistry):
    """A registry that has one schema, whatever it is asked for."""

    def __init__(self, schema: Any) -> None:
        super().__init__([], None, None)
        self._schema = json.dumps(schema)

    def _get(self, path: str, subject: str) -> str:
        return json.dumps({"schema": self._schema})


@given(st.lists(WRITTEN, max_size=5))
def test_what_goes_in_comes_out(written: list[dict[str, Any]]) -> None:
    bodies = [b"\0\0\0\0\1" + encode(EVERYTHING, each) for each in written]
    rows, rejects = decode_batch(batch(bodies), "Avro", "Unpacked", OneSchema(EVERYTHING))
    assert rejects.num_rows == 0, rejects.to_pylist()
    assert rows.num_rows == len(written)
    found = {name: column for name, (_, column) in values(rows).items()}
    for name in "bildsyt":
        assert found.get(name, []) == [each[name] for each in written]
    for each, text, nested in zip(written, found.get("u", []), found.get("m", []), strict=True):
        assert json.loads(nested) == each["m"]
        expected = each["u"]
        assert text == (expected if expected is None or isinstance(expected, str) else json.dumps(expected))


@given(
    st.lists(st.binary(max_size=30) | WRITTEN.map(lambda each: encode(EVERYTHING, each)), max_size=6),
    st.binary(max_size=3),
)
def test_every_message_is_a_row_or_a_reject(contents: list[bytes], tail: bytes) -> None:
    bodies = [b"\0\0\0\0\1" + content + tail for content in contents] + contents
    rows, rejects = decode_batch(batch(bodies), "Avro", "Unpacked", OneSchema(EVERYTHING))
    check_complete(bodies, rows, rejects)
