"""One order of about 1 KB, as JSON, text, XML, Avro and Protobuf."""

import io
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro
import orjson
from google.protobuf.message_factory import GetMessageClass

from syncline.connectors.azure_service_bus.decode.protobuf_compiler import compile_file
from syncline.connectors.schema_registry import RegisteredSchema

Register = Callable[[str, Mapping[str, Any]], int]
"""Makes a schema known to the registry, and returns its number."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format to measure, under the name of its topic."""

    name: str
    message_type: str
    sync_type: str
    encode: Callable[[dict[str, Any]], bytes]


def formats(register: Register) -> list[Format]:
    """What there is to measure."""
    return [
        Format("json-unpacked", "Json", "Unpacked", orjson.dumps),
        Format("json-packed", "Json", "Packed", orjson.dumps),
        Format("text", "Text", "Packed", lambda order: orjson.dumps(order, option=orjson.OPT_INDENT_2)),
        Format("xml", "Xml", "Packed", _xml),
        Format("avro", "Avro", "Unpacked", _avro(register)),
        Format("protobuf", "Protobuf", "Unpacked", _protobuf(register)),
    ]


def order(index: int, size: int = 1024) -> dict[str, Any]:
    """The order with this number, about `size` bytes as JSON. The same number gives the same order."""
    chance = random.Random(index)
    made: dict[str, Any] = {
        "order_id": index,
        "customer": {"id": chance.randrange(10_000), "name": "Zoë Müller", "vip": index % 10 == 0},
        "total": round(chance.uniform(1, 1000), 2),
        "currency": "EUR",
        "placed_at": "2026-01-01T12:00:00Z",
        "lines": [{"sku": f"SKU-{chance.randrange(1000)}", "quantity": 2} for _ in range(4)],
        "note": None,
        "padding": "",
    }
    made["padding"] = "x" * max(0, size - len(orjson.dumps(made)))
    return made


def _xml(order: dict[str, Any]) -> bytes:
    lines = "".join(f'<line sku="{line["sku"]}" quantity="{line["quantity"]}"/>' for line in order["lines"])
    customer = f'<customer id="{order["customer"]["id"]}">{order["customer"]["name"]}</customer>'
    text = (
        f'<?xml version="1.0"?><order id="{order["order_id"]}">{customer}<total>{order["total"]}</total>'
        f"<lines>{lines}</lines><padding>{order['padding']}</padding></order>"
    )
    return text.encode()


_AVRO_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "order_id", "type": "long"},
        {
            "name": "customer",
            "type": {
                "type": "record",
                "name": "Customer",
                "fields": [
                    {"name": "id", "type": "int"},
                    {"name": "name", "type": "string"},
                    {"name": "vip", "type": "boolean"},
                ],
            },
        },
        {"name": "total", "type": "double"},
        {"name": "currency", "type": "string"},
        {"name": "placed_at", "type": "string"},
        {
            "name": "lines",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Line",
                    "fields": [{"name": "sku", "type": "string"}, {"name": "quantity", "type": "int"}],
                },
            },
        },
        {"name": "note", "type": ["null", "string"]},
        {"name": "padding", "type": "string"},
    ],
}


def _avro(register: Register) -> Callable[[dict[str, Any]], bytes]:
    prefix = b"\0" + register("orders-avro", {"schema": json.dumps(_AVRO_SCHEMA)}).to_bytes(4, "big")
    schema = fastavro.parse_schema(_AVRO_SCHEMA)

    def encode(order: dict[str, Any]) -> bytes:
        written = io.BytesIO()
        fastavro.schemaless_writer(written, schema, order)
        return prefix + written.getvalue()

    return encode


_PROTO = """syntax = "proto3";
message Order {
  message Customer { int32 id = 1; string name = 2; bool vip = 3; }
  message Line { string sku = 1; int32 quantity = 2; }
  int64 order_id = 1;
  Customer customer = 2;
  double total = 3;
  string currency = 4;
  string placed_at = 5;
  repeated Line lines = 6;
  optional string note = 7;
  string padding = 8;
}
"""


def _protobuf(register: Register) -> Callable[[dict[str, Any]], bytes]:
    number = register("orders-protobuf", {"schema": _PROTO, "schemaType": "PROTOBUF"})
    # The magic byte, the schema's number, and 0: the first message type of the file.
    prefix = b"\0" + number.to_bytes(4, "big") + b"\0"
    file = compile_file(RegisteredSchema(_PROTO, "PROTOBUF"))
    message: Any = GetMessageClass(file.message_types_by_name["Order"])

    def encode(order: dict[str, Any]) -> bytes:
        written: bytes = message(**order).SerializeToString()
        return prefix + written

    return encode
