"""Values of the SDK become columns of a fixed schema, whatever they are."""

import json
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from azure.servicebus.amqp import AmqpMessageBodyType
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.azure_service_bus.columns import json_object, json_value, record_batch
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA


def message(**parts: Any) -> Any:
    """Something like a message of the SDK, with parts that cannot be sent through it."""
    annotations = {b"x-opt-sequence-number": 5, **parts.pop("annotations", {})}
    properties = SimpleNamespace(
        message_id=None, correlation_id=None, content_type=None, content_encoding=None, group_id=None
    )
    properties.__dict__.update(parts.pop("properties", {}))
    raw = SimpleNamespace(
        annotations=annotations,
        properties=properties,
        application_properties=parts.pop("application_properties", None),
        body_type=AmqpMessageBodyType.DATA,
        body=iter([b"x"]),
    )
    return SimpleNamespace(raw_amqp_message=raw)


def row(*messages: Any) -> dict[str, Any]:
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
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\xff\x00", "/wA="),
        ("Zoë".encode(), "Zoë"),
        (None, "sequence_num:5"),
    ],
)
def test_a_message_id_of_any_type_becomes_text(identifier: Any, expected: str) -> None:
    assert row(message(properties={"message_id": identifier}))["message_id"] == expected


def test_one_odd_identifier_does_not_change_the_others() -> None:
    batch = record_batch([message(properties={"message_id": each}) for each in (b"a", uuid.UUID(int=1), None)])
    assert batch.column("message_id").to_pylist() == ["a", str(uuid.UUID(int=1)), "sequence_num:5"]


def test_a_message_without_properties_has_a_row() -> None:
    bare = message()
    bare.raw_amqp_message.properties = None
    assert row(bare)["content_type"] is None


def test_a_content_encoding_travels_with_its_message() -> None:
    assert row(message(properties={"content_encoding": b"gzip"}))["content_encoding"] == "gzip"


def test_dead_letter_columns() -> None:
    found = row(
        message(
            annotations={b"x-opt-deadletter-source": b"orders"},
            application_properties={b"DeadLetterReason": b"r", b"DeadLetterErrorDescription": b"d"},
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
    assert row(message(annotations={b"x-opt-enqueued-time": milliseconds}))["enqueued_time"] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"text", "text"),
        (b"\xff", "/w=="),
        (bytearray(b"\xff"), "/w=="),
        (True, True),
        (None, None),
        (2**64 - 1, 2**64 - 1),
        (2**64, "18446744073709551616"),
        (1.5, 1.5),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), "2024-01-02T03:04:05+00:00"),
        (date(2024, 1, 2), "2024-01-02"),
        (time(3, 4), "03:04:00"),
        ({b"a": [b"b", {1: b"c"}]}, {"a": ["b", {"1": "c"}]}),
        ((1, 2), [1, 2]),
    ],
)
def test_every_type_of_application_property_has_a_json_form(value: Any, expected: Any) -> None:
    assert json_value(value) == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=8) | st.uuids() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.binary(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.binary(max_size=8), VALUES, max_size=4))
def test_application_properties_are_always_json(properties: dict[bytes, Any]) -> None:
    assert isinstance(json.loads(json_object(properties)), dict)
    orjson.loads(json_object(properties))
