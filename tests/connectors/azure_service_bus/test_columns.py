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
from syncline.connectors.azure_service_bus.columns import identifier, json_value, text_column
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
        ("text", "text"),
        ("7", "7"),
        (7, "ID:AMQP_ULONG:7"),
        (0, "ID:AMQP_ULONG:0"),
        ("ID:AMQP_ULONG:7", "ID:AMQP_STRING:ID:AMQP_ULONG:7"),
        ("ID:7", "ID:7"),
        (uuid.UUID(int=1), "ID:AMQP_UUID:00000000-0000-0000-0000-000000000001"),
        ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
        (b"text", "ID:AMQP_BINARY:74657874"),
        (b"\xff\x00", "ID:AMQP_BINARY:FF00"),
        ("Zoë", "Zoë"),
        (None, "sequence_num:5@1000"),
        ("", "sequence_num:5@1000"),
        (b"", "sequence_num:5@1000"),
        ("sequence_num:5@1000", "ID:AMQP_STRING:sequence_num:5@1000"),
    ],
)
def test_a_message_id_of_any_type_becomes_text_that_is_its_own(identifier: Any, expected: str) -> None:
    annotations = {"x-opt-enqueued-time": Timestamp(1000)}
    found = row(encoded(properties={"message_id": identifier}, annotations=annotations))
    assert found["message_id"] == expected


def test_a_correlation_id_is_written_as_the_message_id_that_it_names() -> None:
    for each in ("a", 7, uuid.UUID(int=1), b"a", "ID:AMQP_ULONG:7"):
        found = row(encoded(properties={"message_id": each, "correlation_id": each}))
        assert found["correlation_id"] == found["message_id"]


IDENTIFIERS = st.text() | st.integers(0, 2**64 - 1).map(ULong) | st.uuids() | st.binary(min_size=1)


@given(st.lists(IDENTIFIERS | st.sampled_from([ULong(7), "7", "ID:AMQP_ULONG:7", b"7"]), unique_by=repr))
def test_different_identifiers_stay_different(identifiers: list[Any]) -> None:
    found = [identifier(each) for each in identifiers]
    assert len(set(found)) == len(found)


def test_one_odd_identifier_does_not_change_the_others() -> None:
    identifiers = ["a", uuid.UUID(int=1), None, b"\xff"]
    batch = record_batch([encoded(properties={"message_id": each}) for each in identifiers])
    assert batch.column("message_id").to_pylist() == [
        "a",
        f"ID:AMQP_UUID:{uuid.UUID(int=1)}",
        "sequence_num:5@0",
        "ID:AMQP_BINARY:FF",
    ]


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
        (None, datetime(1970, 1, 1, tzinfo=UTC)),
        (2**62, datetime(1970, 1, 1, tzinfo=UTC)),
        (-(2**62), datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_message_without_a_time_that_destinations_can_hold_counts_as_enqueued_at_the_epoch(
    milliseconds: int | None, expected: datetime
) -> None:
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
        (Timestamp(1_704_164_645_000), "2024-01-02T03:04:05Z"),
        (Timestamp(1_704_164_645_007), "2024-01-02T03:04:05.007Z"),
        (Timestamp(-1), "1969-12-31T23:59:59.999Z"),
        (Timestamp(2**62), 2**62),
        (Described(Symbol("com.microsoft:datetime-offset"), 638_397_614_450_000_000), "2024-01-02T03:04:05Z"),
        (Described(Symbol("com.microsoft:datetime-offset"), 638_397_614_450_000_010), "2024-01-02T03:04:05.000001Z"),
        (Described(Symbol("com.microsoft:datetime-offset"), -5), -5),
        (Described(Symbol("com.microsoft:timespan"), 900_000_000), "PT90S"),
        (Described(Symbol("com.microsoft:timespan"), -15_000_000), "-PT1.5S"),
        (Described(Symbol("com.microsoft:uri"), "http://a/"), "http://a/"),
        (Described(ULong(7), [Timestamp(0)]), ["1970-01-01T00:00:00Z"]),
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
