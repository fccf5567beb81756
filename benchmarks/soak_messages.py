"""The messages of the soak: ten topics, six kinds of body, and fields that change their types on the way.

What is published of a topic follows from its name, the message's number and how many there are, so that nothing has to
be remembered to compare it with what arrived.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import fastavro
import orjson

VERSIONS = 4
"""How often what is sent to a topic changes, counting the beginning."""
BAD_EVERY = 251
"""Every so many messages, one that cannot be decoded."""
_PADDING = "Lorem ipsum dolor sit amet, Zoë. " * 8

Body = Callable[[int, int], bytes]
"""Makes the body of a message from its number and version."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the soak."""

    name: str
    message_type: str
    sync_type: str
    body: Body
    spoiled: Callable[[bytes], bytes] | None
    """Makes a body that cannot be decoded of one that can; None where there is no such thing."""

    def is_bad(self, number: int) -> bool:
        """Whether the message with this number cannot be decoded."""
        return self.spoiled is not None and number % BAD_EVERY == BAD_EVERY - 1

    def message_id(self, number: int) -> str:
        """The message's id."""
        return f"{self.name}-{number}"

    def message_body(self, number: int, total: int) -> bytes:
        """The message's body."""
        body = self.body(number, version_of(number, total))
        return self.spoiled(body) if self.spoiled is not None and self.is_bad(number) else body


def version_of(number: int, total: int) -> int:
    """The version that the message with this number is written in."""
    return number * VERSIONS // total


def amount_of(number: int, version: int) -> int | Decimal | str:
    """What the field `amount` says: small numbers, then big ones, then fractions, then text."""
    return (number, number + 2**40, number + Decimal("0.25"), f"{number} EUR")[version]


def is_amount(stored: str, number: int, version: int) -> bool:
    """Whether text from the destination says the same as :func:`amount_of`."""
    expected = amount_of(number, version)
    return stored == expected if isinstance(expected, str) else Decimal(stored) == expected


def topics(register: Callable[[str, Mapping[str, Any]], int]) -> list[Topic]:
    """The topics. `register` makes a schema known to the registry and returns its number."""
    avro = _avro([register("soak-avro", {"schema": json.dumps(schema)}) for schema in _AVRO_SCHEMAS])
    protobuf = _protobuf(
        [register("soak-protobuf", {"schema": text, "schemaType": "PROTOBUF"}) for text in _PROTOBUF_SCHEMAS]
    )
    return [
        *(Topic(name, "Json", "Unpacked", _json, _cut) for name in ("orders", "payments", "shipments", "events")),
        Topic("audit", "Json", "Packed", _json, _cut),
        Topic("notes", "Text", "Packed", _text, None),
        Topic("invoices", "Xml", "Packed", _xml, _cut),
        *(Topic(name, "Avro", "Unpacked", avro, _cut) for name in ("readings", "vehicles")),
        Topic("positions", "Protobuf", "Unpacked", protobuf, _cut),
    ]


def _cut(body: bytes) -> bytes:
    return body[:-20]


def _json(number: int, version: int) -> bytes:
    amount = amount_of(number, version)
    body: dict[str, Any] = {
        "number": number,
        "name": f"Zoë {number}",
        "amount": float(amount) if isinstance(amount, Decimal) else amount,
        "placed_at": "2026-01-01T12:00:00Z",
        "lines": [{"sku": f"SKU-{number % 1000}", "quantity": 2}] * 3,
        "text": _PADDING,
    }
    for added in range(version):
        body[f"added_in_{added + 1}"] = {"by": number}
    return orjson.dumps(body)


def _text(number: int, version: int) -> bytes:
    return f"{number} {amount_of(number, version)} {_PADDING}".encode()


def _xml(number: int, version: int) -> bytes:
    amount = amount_of(number, version)
    return f'<order number="{number}"><amount>{amount}</amount><text>{_PADDING}</text></order>'.encode()


_AVRO_SCHEMAS: list[dict[str, Any]] = [
    {
        "type": "record",
        "name": "Reading",
        "fields": [
            {"name": "number", "type": "long"},
            {"name": "name", "type": "string"},
            {"name": "amount", "type": amount},
            {"name": "text", "type": "string"},
        ],
    }
    for amount in ("int", "long", "double", "string")
]


def _avro(numbers: list[int]) -> Body:
    schemas = [fastavro.parse_schema(schema) for schema in _AVRO_SCHEMAS]

    def make(number: int, version: int) -> bytes:
        amount = amount_of(number, version)
        record = {
            "number": number,
            "name": f"Zoë {number}",
            "amount": float(amount) if isinstance(amount, Decimal) else amount,
            "text": _PADDING,
        }
        written = io.BytesIO()
        fastavro.schemaless_writer(written, schemas[version], record)
        return b"\0" + numbers[version].to_bytes(4, "big") + written.getvalue()

    return make


_PROTOBUF_SCHEMAS = [
    'syntax = "proto3"; message Position { int64 number = 1; string name = 2; string text = 3; '
    + " ".join(f"int64 added_in_{added} = {added + 3};" for added in range(1, version + 1))
    + " }"
    for version in range(VERSIONS)
]


def _protobuf(numbers: list[int]) -> Body:
    def make(number: int, version: int) -> bytes:
        content = b"\x08" + _varint(number)
        for place, text in ((2, f"Zoë {number}"), (3, _PADDING)):
            encoded = text.encode()
            content += bytes([place << 3 | 2]) + _varint(len(encoded)) + encoded
        for added in range(version):
            content += bytes([(added + 4) << 3]) + _varint(number)
        return b"\0" + numbers[version].to_bytes(4, "big") + b"\0" + content

    return make


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
