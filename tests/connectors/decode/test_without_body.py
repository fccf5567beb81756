"""Messages without a body, and all that a rejected message keeps."""

import gzip
import json

import pyarrow as pa
import pytest

from syncline.connectors.azure_service_bus.decode import decode_batch
from syncline.connectors.azure_service_bus.decode.batch import DECODERS, REJECT_SCHEMA
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA
from syncline.connectors.schema_registry import SchemaRegistry
from syncline.warehouses import types
from tests.connectors.decode.batches import batch
from tests.connectors.decode.test_avro import encode, record
from tests.support.schema_registry import SchemaRegistryServer

PROPERTIES = '{"event":"user.deleted","user":42}'


def with_properties(table: pa.Table) -> pa.Table:
    """The batch with application properties and more on every message."""
    for name, text in {"application_properties": PROPERTIES, "session_id": "s", "correlation_id": "c"}.items():
        place = table.schema.get_field_index(name)
        column = pa.array([text] * table.num_rows, pa.string())
        table = table.set_column(place, table.schema.field(place), column)
    return table


@pytest.fixture
def bodies(server: SchemaRegistryServer) -> dict[str, bytes]:
    """A good body for each type of message."""
    avro = server.register("a", {"schema": json.dumps(record(("v", "int")))})
    proto = server.register("p", {"schema": 'syntax = "proto3"; message M { int32 v = 1; }', "schemaType": "PROTOBUF"})
    return {
        "Json": b'{"v": 1}',
        "Text": b"text",
        "Xml": b"<a/>",
        "Avro": b"\0" + avro.number.to_bytes(4) + encode(record(("v", "int")), {"v": 1}),
        "Protobuf": b"\0" + proto.number.to_bytes(4) + b"\0\x08\x01",
    }


@pytest.mark.parametrize(("message_type", "sync_type"), DECODERS)
@pytest.mark.parametrize("empty", [b"", gzip.compress(b"")], ids=["none", "compressed"])
def test_is_a_row_with_nulls(
    registry: SchemaRegistry, bodies: dict[str, bytes], message_type: str, sync_type: str, empty: bytes
) -> None:
    good = bodies[message_type]
    encodings = ["gzip" if empty else None, None, "gzip" if empty else None]
    table = with_properties(batch([empty, good, empty], None, encodings))
    rows, rejects = decode_batch(table, message_type, sync_type, registry)
    assert rejects.num_rows == 0, rejects.to_pylist()
    assert rows.column("sequence_num").to_pylist() == [1, 2, 3]
    assert rows.column("application_properties").to_pylist() == [PROPERTIES] * 3
    decoded = [name for name in rows.column_names if name.startswith("value")]
    assert len(decoded) == 1
    found = rows.column(decoded[0]).to_pylist()
    assert (found[0], found[2]) == (None, None)
    assert found[1] is not None


@pytest.mark.parametrize(("message_type", "sync_type"), DECODERS)
def test_a_batch_of_nothing_else_is_rows_too(registry: SchemaRegistry, message_type: str, sync_type: str) -> None:
    rows, rejects = decode_batch(with_properties(batch([b"", b""])), message_type, sync_type, registry)
    assert (rows.num_rows, rejects.num_rows) == (2, 0)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
@pytest.mark.parametrize("message_type", ["Json", "Text", "Xml"])
def test_a_byte_order_mark_alone_is_no_body(message_type: str, mark: bytes) -> None:
    rows, rejects = decode_batch(batch([mark]), message_type, "Packed")
    assert (rows.column("value").to_pylist(), rejects.num_rows) == ([None], 0)


def test_a_reject_keeps_all_that_its_message_had() -> None:
    table = with_properties(batch([b"{oops", b'{"v": 1}', gzip.compress(b"{")], "x/y", [None, None, "gzip"]))
    _, rejects = decode_batch(table, "Json", "Unpacked")
    assert rejects.schema == REJECT_SCHEMA
    assert rejects.column_names == [*MESSAGE_SCHEMA.names, "reason"]
    assert types.from_arrow(rejects.schema.field("application_properties")) == types.JSON
    first, second = rejects.to_pylist()
    assert first["application_properties"] == PROPERTIES
    assert (first["session_id"], first["correlation_id"], first["content_type"]) == ("s", "c", "x/y")
    assert (second["content_encoding"], gzip.decompress(second["body"])) == ("gzip", b"{")
