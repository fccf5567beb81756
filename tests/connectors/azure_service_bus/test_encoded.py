"""Encoded messages become rows: the fast decoder gives what a plain one gives, and no message spoils its page."""

import re
import struct
from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncline.amqp import (
    Array,
    Data,
    Decimal32,
    Decimal64,
    Decimal128,
    DecodeError,
    Described,
    Int,
    Message,
    Properties,
    Sequence,
    Symbol,
    Timestamp,
    Value,
    encode_value,
    skip_value,
)
from syncline.amqp.sections import walk_sections
from syncline.connectors.azure_service_bus.encoded import page, record_batch
from tests.amqp.strategies import symbols, text, values
from tests.amqp.test_messages import messages

NUMBER = Symbol("x-opt-sequence-number")
ENQUEUED_NUMBER = Symbol("x-opt-enqueue-sequence-number")
ENQUEUED = Symbol("x-opt-enqueued-time")
SOURCE = Symbol("x-opt-deadletter-source")
STATE = Symbol("x-opt-message-state")
WIDE = {0xA0: 0xB0, 0xA1: 0xB1, 0xA3: 0xB3, 0xC0: 0xD0, 0xC1: 0xD1}
NAMES = {0x72: b"amqp:message-annotations:map", 0x73: b"amqp:properties:list", 0x75: b"amqp:data:binary"}


bounded = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])


# A plain decoder, to compare with.


def as_time_text(milliseconds: int) -> str | int:
    moment = as_time(milliseconds)
    if moment is None:
        return milliseconds
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds").removesuffix(".000") + "Z"


def plain(value: Any) -> Any:  # noqa: C901 - one case a type
    """An AMQP value as JSON has it."""
    match value:
        case None | bool():
            return value
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return b64encode(value).decode()
        case str():
            return str(value)
        case Timestamp():
            return as_time_text(int(value))
        case int():
            return int(value)
        case float():
            return float(value) if isfinite(value) else str(float(value))
        case dict():
            return {str(plain(name)): plain(item) for name, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case Array():
            return [plain(item) for item in value.items]
        case Described():
            return plain(value.value)
        case Decimal32() | Decimal64() | Decimal128():
            return b64encode(value.raw).decode()
    return str(value)


def as_text(value: Any) -> str | None:
    return None if plain(value) is None else str(plain(value))


def as_identifier(value: Any) -> str | None:
    match value:
        case b"":
            return None
        case bytes():
            return f"ID:AMQP_BINARY:{value.hex().upper()}"
        case UUID():
            return f"ID:AMQP_UUID:{value}"
        case int() if not isinstance(value, bool):
            return f"ID:AMQP_ULONG:{int(value)}"
    plain_text = as_text(value)
    is_taken = plain_text is not None and re.match("ID:AMQP_(ULONG|UUID|BINARY|STRING):|sequence_num:", plain_text)
    return f"ID:AMQP_STRING:{plain_text}" if is_taken else plain_text


def as_long(value: Any) -> int | None:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return int(value) if is_integer and -(2**63) <= value < 2**63 else None


def as_time(value: Any) -> datetime | None:
    try:
        return None if value is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    except OverflowError:
        return None


def expected_body(body: Any) -> bytes:
    if isinstance(body, Data):
        return body.content
    value = body.value if isinstance(body, Value) else None
    if isinstance(body, Sequence):
        value = [item for section in body.sections for item in section]
    if value is None or isinstance(value, bytes):
        return value or b""
    text = plain(value)
    if text is None:
        return b""
    return text.encode() if isinstance(text, str) else orjson.dumps(text)


def fallback(annotations: Any) -> str:
    return f"sequence_num:{annotations[NUMBER]}@{as_long(annotations.get(ENQUEUED)) or 0}"


def expected_row(encoded: bytes) -> dict[str, Any]:
    message = Message.decode(encoded)
    annotations = message.message_annotations or {}
    properties = message.properties or Properties()
    application = message.application_properties or {}
    return {
        "message_id": as_identifier(properties.message_id) or fallback(annotations),
        "sequence_num": annotations[NUMBER],
        "enqueued_sequence_number": as_long(annotations.get(ENQUEUED_NUMBER)),
        "session_id": properties.group_id,
        "content_type": as_text(properties.content_type),
        "enqueued_time": as_time(as_long(annotations.get(ENQUEUED))) or datetime(1970, 1, 1, tzinfo=UTC),
        "correlation_id": as_identifier(properties.correlation_id),
        "dead_letter_error_description": as_text(application.get("DeadLetterErrorDescription")),
        "dead_letter_reason": as_text(application.get("DeadLetterReason")),
        "dead_letter_source": as_text(annotations.get(SOURCE)),
        "application_properties": orjson.dumps(plain(application)).decode() if application else None,
        "content_encoding": as_text(properties.content_encoding),
        "body": expected_body(message.body),
    }


# Messages, encoded in every way that AMQP allows.


def widened(buffer: bytes, offset: int) -> tuple[bytes, int]:
    """The value at an offset with sizes of four bytes, and where it ends."""
    constructor, end = buffer[offset], skip_value(buffer, offset)
    if constructor in (0xA0, 0xA1, 0xA3):
        return struct.pack(">BI", WIDE[constructor], end - offset - 2) + buffer[offset + 2 : end], end
    if constructor in (0xC0, 0xC1):
        items, place = b"", offset + 3
        while place < end:
            item, place = widened(buffer, place)
            items += item
        return struct.pack(">BII", WIDE[constructor], len(items) + 4, buffer[offset + 2]) + items, end
    return buffer[offset:end], end


@st.composite
def deliveries(draw: st.DrawFn) -> bytes:
    """A message as the service hands it over, with annotations of its own among others."""
    known: dict[Any, Any] = {NUMBER: draw(st.integers(-(2**63), 2**63 - 1) | st.integers(1, 100))}
    rest = {
        ENQUEUED_NUMBER: st.integers(0, 2**63 - 1) | values,
        ENQUEUED: st.integers(-(2**63), 2**63 - 1).map(Timestamp) | st.integers(0, 10**12).map(Timestamp) | values,
        SOURCE: text | symbols | values,
        STATE: st.sampled_from([Int(0), Int(1), Int(1000), 0, None]),
    }
    known |= {name: draw(rest[name]) for name in draw(st.sets(st.sampled_from(list(rest))))}
    unknown = draw(st.dictionaries(symbols, values, max_size=2))
    annotations = draw(st.permutations([*known.items(), *((n, v) for n, v in unknown.items() if n not in known)]))
    message: Message = draw(messages)
    application = message.application_properties
    if application is not None and draw(st.booleans()):
        application = application | {"DeadLetterReason": draw(values), "DeadLetterErrorDescription": draw(text)}
    encoded = replace(message, message_annotations={}, application_properties=application).encode()
    as_string = draw(st.booleans())  # as no sender should encode a name
    names_and_values = {str(name) if as_string else name: value for name, value in annotations}
    sections = []
    for code, _, start, end in walk_sections(encoded):
        body = encode_value(names_and_values) if code == 0x72 else encoded[start:end]
        descriptors = [b"\x53" + bytes((code,)), b"\x80" + code.to_bytes(8, "big")]
        if code in NAMES:
            descriptors += [b"\xa3" + bytes((len(NAMES[code]),)) + NAMES[code]]
        sections.append(b"\x00" + draw(st.sampled_from(descriptors)))
        sections.append(widened(body, 0)[0] if draw(st.booleans()) else body)
    return b"".join(sections)


@bounded
@given(deliveries())
def test_the_columns_are_those_of_a_plain_decoder(encoded: bytes) -> None:
    assert record_batch([encoded]).to_pylist() == [expected_row(encoded)]


@bounded
@given(st.lists(deliveries(), min_size=1, max_size=4))
def test_a_page_keeps_their_order(encoded: list[bytes]) -> None:
    found = page(encoded)
    rows = [expected_row(each) for each in encoded]
    assert found.rows.to_pylist() == rows
    assert found.numbers == [row["sequence_num"] for row in rows]
    assert (found.last_enqueued or datetime(1970, 1, 1, tzinfo=UTC)) == rows[-1]["enqueued_time"]


def delivery(number: int = 1, **parts: Any) -> bytes:
    annotations = {NUMBER: number, ENQUEUED: Timestamp(1000), **parts.pop("annotations", {})}
    return Message(message_annotations=annotations, **parts).encode()


SECOND = delivery(2, properties=Properties(message_id="second"), body=Data(b"whole"))


@bounded
@given(deliveries(), st.data())
def test_a_damaged_message_never_disturbs_the_others(encoded: bytes, data: st.DataObject) -> None:
    damaged = bytearray(encoded)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(damaged)) | st.just(len(damaged))) :]
    with suppress(DecodeError):  # it has no sequence number any more
        found = page([bytes(damaged), SECOND])
        assert found.rows.to_pylist()[-1] == expected_row(SECOND)
        assert found.received == 2


@bounded
@given(deliveries(), st.binary(min_size=1, max_size=40))
@example(delivery(), b"\x00\x53\x74\xc1\x03\x02\xff\xff")
def test_a_message_that_is_not_amqp_keeps_its_bytes(encoded: bytes, tail: bytes) -> None:
    damaged = encoded + b"\x00\x53\x79" + tail  # a section that does not exist
    (row, second) = page([damaged, SECOND]).rows.to_pylist()
    annotations = Message.decode(encoded).message_annotations or {}
    assert (row["message_id"], row["sequence_num"]) == (fallback(annotations), annotations[NUMBER])
    assert row["body"] == damaged
    assert second == expected_row(SECOND)


@pytest.mark.parametrize(
    "tail",
    [
        b"\x00\x53\x74\xc1\x03\x02\xff\xff",  # a property without a value
        b"\x00\x53\x74\xa1\x01a",  # text where a map belongs
        b"\x00\x53\x73\xc0\x03\x01\xa1\x09",  # text that passes the end of its list
        b"\x00\x53\x73\xc0\x0f\x0e" + b"\x40" * 14,  # more properties than there are
        b"\x00\x53\x75\xa1\x01a",  # text where binary belongs
        b"\x00\x53\x75\xb0\x00\x00\x00\x09short",
        b"\x00\x53\x75\xa0\x00\x00\x53\x76\x45",  # data and then a sequence
        b"\x00\x53\x75\xa0\x00\x00\x53\x73\x45",  # properties behind the body
        b"\x00\x53\x76\x40",  # a sequence that is no list
        b"\x00\x53\x77\x73\x00\x11\x00\x00",  # a character beyond Unicode
        b"\x00\x53",
        b"garbage",
    ],
)
def test_each_way_not_to_be_amqp(tail: bytes) -> None:
    damaged = delivery(7) + tail
    row, second = page([damaged, SECOND]).rows.to_pylist()
    assert (row["message_id"], row["sequence_num"], row["body"]) == ("sequence_num:7@1000", 7, damaged)
    assert row["enqueued_time"] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert (second["message_id"], second["body"]) == ("second", b"whole")


def test_text_that_is_not_utf_8_becomes_base64() -> None:
    properties = b"\x00\x53\x73\xc0\x05\x01\xa1\x02\xff\xfe"
    application = b"\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x01\xff"
    (row,) = record_batch([delivery() + properties + application]).to_pylist()
    assert (row["message_id"], row["application_properties"]) == ("//4=", '{"a":"/w=="}')


@pytest.mark.parametrize("state", [Int(2), 2, Int(1000)])
def test_a_scheduled_message_is_counted_but_has_no_row(state: Any) -> None:
    scheduled = delivery(2, annotations={STATE: state})
    found = page([delivery(1), scheduled])
    assert found.numbers == [1, 2]
    assert found.rows.num_rows == (1 if state == 2 else 2)
    assert page([scheduled]).rows.num_rows == (0 if state == 2 else 1)


@pytest.mark.parametrize("number", ["1", True, 2.0, None])
def test_a_message_without_a_number_is_an_error(number: Any) -> None:
    encoded = Message(message_annotations={NUMBER: number}, body=Data(b"x")).encode()
    with pytest.raises(DecodeError, match="sequence number"):
        page([encoded])
    with pytest.raises(DecodeError, match="sequence number"):
        page([encode_value(5)])


def test_deep_values_are_bounded() -> None:
    deep: Any = 1
    for _ in range(31):
        deep = [deep]
    (row,) = record_batch([delivery(body=Value(deep))]).to_pylist()
    assert orjson.loads(row["body"])
    too_deep = b"\x00\x53\x77" + b"".join(struct.pack(">BII", 0xD0, 4 + 9 * left, 1) for left in range(40, 0, -1))
    encoded = delivery() + too_deep + struct.pack(">BII", 0xD0, 4, 0)
    (row,) = record_batch([encoded]).to_pylist()
    assert row["body"] == encoded
