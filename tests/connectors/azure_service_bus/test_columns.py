"""AMQP values become columns of a fixed schema, whatever they are."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.amqp import (
    Array,
    Byte,
    Char,
    Data,
    Decimal32,
    Decimal64,
    Decimal128,
    Described,
    Float32,
    Message,
    Properties,
    Symbol,
    Timestamp,
    UInt,
    ULong,
)
from syncline.connectors.azure_service_bus.columns import json_value, text_column
from syncline.connectors.azure_service_bus.encoded import record_batch
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA
from tests.amqp.strategies import values


def encoded(**parts: Any) -> bytes:
    """A message as the service hands it over."""
    annotations = {"x-opt-sequence-number": 5, **parts.pop("annotations", {})}
    return Message(
        message_annotations={Symbol(name): value for name, value in annotations.items()},
        properties=Properties(**parts.pop("properties", {})),
        application_properties=parts.pop("application_properties", None),
        body=Data(b"x"),
    ).encode()


def row(*messages: bytes) -> dict[str, Any]:
    batch = record_batch(messages)
    assert batch.schema == MESSAGE_SCHEMA
    found: dict[str, Any] = batch.to_pylist()[0]
    return found


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        (b"text", "text"),
        ("text", "text"),
        (7, "7"),
        (0, "0"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\xff\x00", "/wA="),
        ("Zoë", "Zoë"),
        (None, "sequence_num:5"),
        ("", "sequence_num:5"),
    ],
)
def test_a_message_id_of_any_type_becomes_text(identifier: Any, expected: str) -> None:
    assert row(encoded(properties={"message_id": identifier}))["message_id"] == expected


def test_one_odd_identifier_does_not_change_the_others() -> None:
    identifiers = ["a", uuid.UUID(int=1), None, b"\xff"]
    batch = record_batch([encoded(properties={"message_id": each}) for each in identifiers])
    assert batch.column("message_id").to_pylist() == ["a", str(uuid.UUID(int=1)), "sequence_num:5", "/w=="]


def test_text_that_is_not_utf_8_becomes_base64() -> None:
    assert text_column([b"a", None, b"\xff", 7]).to_pylist() == ["a", None, "/w==", "7"]


def test_a_message_without_properties_has_a_row() -> None:
    bare = Message(message_annotations={Symbol("x-opt-sequence-number"): 5}).encode()
    assert row(bare)["content_type"] is None
    assert row(bare)["body"] == b""


def test_a_content_encoding_travels_with_its_message() -> None:
    assert row(encoded(properties={"content_encoding": Symbol("gzip")}))["content_encoding"] == "gzip"


def test_dead_letter_columns() -> None:
    found = row(
        encoded(
            annotations={"x-opt-deadletter-source": "orders"},
            application_properties={"DeadLetterReason": "r", "DeadLetterErrorDescription": "d"},
        )
    )
    assert found["dead_letter_source"] == "orders"
    assert (found["dead_letter_reason"], found["dead_letter_error_description"]) == ("r", "d")


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_700_000_000_123, datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)),
        (None, None),
        (2**62, None),
        (-(2**62), None),
    ],
)
def test_times_that_no_destination_can_hold_are_null(milliseconds: int | None, expected: datetime | None) -> None:
    enqueued = None if milliseconds is None else Timestamp(milliseconds)
    assert row(encoded(annotations={"x-opt-enqueued-time": enqueued}))["enqueued_time"] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (b"text", "text"),
        (b"\xff", "/w=="),
        (Symbol("name"), "name"),
        (Char("x"), "x"),
        (True, True),
        (None, None),
        (2**64 - 1, 2**64 - 1),
        (2**64, "18446744073709551616"),
        (ULong(2**64 - 1), 2**64 - 1),
        (Byte(-1), -1),
        (1.5, 1.5),
        (Float32(0.5), 0.5),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (Decimal32(b"\xff" * 4), "/////w=="),
        (Decimal64(bytes(8)), "AAAAAAAAAAA="),
        (Decimal128(bytes(16)), "AAAAAAAAAAAAAAAAAAAAAA=="),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Timestamp(1_704_164_645_000), 1_704_164_645_000),
        ({"a": [b"b", {UInt(1): Symbol("c")}]}, {"a": ["b", {"1": "c"}]}),
        (Array("int", [1, 2]), [1, 2]),
        (Described(Symbol("unit"), 7), 7),
    ],
)
def test_every_amqp_type_has_a_json_form(value: Any, expected: Any) -> None:
    assert json_value(value) == expected


@given(st.dictionaries(st.text(max_size=8), values, max_size=4))
def test_application_properties_are_always_json(properties: dict[str, Any]) -> None:
    text = row(encoded(application_properties=properties))["application_properties"]
    assert orjson.loads(text or "{}") == json_value(properties)
    assert isinstance(json.loads(text or "{}"), dict)
