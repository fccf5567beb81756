"""Messages: encoding, decoding, and cutting them into sections without decoding."""

from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from azure.servicebus._pyamqp import _decode as sdk_decode
from azure.servicebus._pyamqp import _encode as sdk_encode
from azure.servicebus._pyamqp import message as sdk_message
from hypothesis import given
from hypothesis import strategies as st

from syncline.amqp import (
    Data,
    DecodeError,
    EncodeError,
    Header,
    Int,
    Message,
    Properties,
    Sequence,
    Symbol,
    Timestamp,
    UInt,
    ULong,
    Value,
    encode_header,
    encode_message_annotations,
    split_sections,
)
from tests.amqp.strategies import SCALARS, same, scalars, symbols, text, values

uint = st.integers(0, 2**32 - 1)
annotations = st.none() | st.dictionaries(symbols, values, max_size=3)
message_ids = st.none() | text | st.binary(max_size=40) | st.uuids() | SCALARS["ulong"]
headers = st.builds(
    Header,
    durable=st.none() | st.booleans(),
    priority=st.none() | st.integers(0, 255),
    ttl=st.none() | uint,
    first_acquirer=st.none() | st.booleans(),
    delivery_count=st.none() | uint,
)
properties = st.builds(
    Properties,
    message_id=message_ids,
    user_id=st.none() | st.binary(max_size=40),
    to=st.none() | text,
    subject=st.none() | text,
    reply_to=st.none() | text,
    correlation_id=message_ids,
    content_type=st.none() | symbols,
    content_encoding=st.none() | symbols,
    absolute_expiry_time=st.none() | SCALARS["timestamp"],
    creation_time=st.none() | SCALARS["timestamp"],
    group_id=st.none() | text,
    group_sequence=st.none() | uint,
    reply_to_group_id=st.none() | text,
)
bodies = (
    st.none()
    | st.lists(st.binary(max_size=300), min_size=1, max_size=3).map(Data)
    | st.lists(st.lists(values, max_size=3), min_size=1, max_size=3).map(tuple).map(Sequence)
    | values.map(Value)
)
messages = st.builds(
    Message,
    header=st.none() | headers,
    delivery_annotations=annotations,
    message_annotations=annotations,
    properties=st.none() | properties,
    application_properties=st.none() | st.dictionaries(text, scalars, max_size=4),
    body=bodies,
    footer=annotations,
)


def full_message() -> Message:
    """A message with every section, as a sender of Service Bus makes them."""
    return Message(
        header=Header(durable=True, ttl=60_000, delivery_count=2),
        delivery_annotations={Symbol("x-opt-lock-token"): UUID(int=5)},
        message_annotations={Symbol("x-opt-sequence-number"): 7, Symbol("x-opt-enqueued-time"): Timestamp(12)},
        properties=Properties(message_id="order-1", subject="orders", content_type=Symbol("application/json")),
        application_properties={"tenant": "north", "count": Int(3), "big": UInt(9), "plain": 4},
        body=Data(b'{"id": 1}'),
        footer={Symbol("checksum"): b"\x01"},
    )


@given(messages)
def test_messages_round_trip(message: Message) -> None:
    encoded = message.encode()
    decoded = Message.decode(encoded)
    for part in ("header", "properties"):
        assert getattr(decoded, part) == getattr(message, part)
    for part in ("delivery_annotations", "message_annotations", "application_properties", "footer"):
        assert same(getattr(decoded, part), getattr(message, part))
    assert type(decoded.body) is type(message.body)
    if isinstance(message.body, Value):
        assert same(decoded.body.value, message.body.value)
    elif message.body is not None:
        assert same(decoded.body.sections, message.body.sections)
    sections = split_sections(encoded)
    leading = sections.header + sections.delivery_annotations + sections.message_annotations
    assert leading + sections.rest == encoded
    assert sections.properties + sections.application_properties + sections.body + sections.footer == sections.rest


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"\x00\x53\x72\xc1" + tail))
def test_any_bytes_are_a_message_or_a_decode_error(data: bytes) -> None:
    with suppress(DecodeError):
        Message.decode(data)
    with suppress(DecodeError):
        split_sections(data)


@given(messages, st.data())
def test_damaged_messages_are_a_message_or_a_decode_error(message: Message, data: st.DataObject) -> None:
    encoded = bytearray(message.encode() or b"\x00")
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DecodeError):
        Message.decode(bytes(encoded))
    with suppress(DecodeError):
        sections = split_sections(bytes(encoded))
        for decode in (sections.decode_header, sections.decode_properties, sections.decode_application_properties):
            with suppress(DecodeError):
                decode()


def test_a_broker_replaces_header_and_annotations_and_leaves_the_rest() -> None:
    original = full_message().encode()
    sections = split_sections(original)
    assert sections.decode_header() == Header(durable=True, ttl=60_000, delivery_count=2)
    assert sections.decode_properties().message_id == "order-1"
    assert sections.decode_application_properties()["tenant"] == "north"
    changed = encode_header(Header(delivery_count=3)) + encode_message_annotations({"x-opt-sequence-number": 8})
    delivered = Message.decode(changed + sections.rest)
    assert delivered.header == Header(delivery_count=3)
    assert delivered.message_annotations == {"x-opt-sequence-number": 8}
    assert isinstance(next(iter(delivered.message_annotations)), Symbol)
    assert delivered.body == Data(b'{"id": 1}')
    assert (changed + sections.rest).endswith(original[-len(sections.rest) :])


def test_a_message_of_the_specification_by_hand() -> None:
    header, properties_section, data = "005370c0020141", "005373c00501a1026964", "005375a0026869"
    encoded = bytes.fromhex(header + properties_section + data)
    message = Message.decode(encoded)
    assert message == Message(Header(durable=True), None, None, Properties(message_id="id"), None, Data(b"hi"))
    assert message.encode() == encoded


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        ("005373c00100005370c00100", "cannot stand after"),
        ("005370c00100005370c00100", "cannot stand after"),
        ("005375a0016100537740", "cannot stand after"),
        ("005375a1026869", "data section"),
        ("00537640", "amqp-sequence"),
        ("00537940", "not a section"),
        ("005375a0ff", "passes the end"),
        ("005374a10161", "where a map belongs"),
        ("ff5370", "described value"),
    ],
)
def test_malformed_messages_say_what_is_wrong(encoded: str, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        Message.decode(bytes.fromhex(encoded))


def test_sections_may_be_described_by_symbol() -> None:
    name = b"amqp:data:binary"
    encoded = b"\x00\xa3" + bytes((len(name),)) + name + b"\xa0\x02hi"
    assert Message.decode(encoded) == Message(body=Data(b"hi"))
    assert split_sections(encoded).body == encoded


def test_a_field_of_the_wrong_type_is_named() -> None:
    with pytest.raises(DecodeError, match=r"properties\.subject: uint at byte .* where a string belongs"):
        Message.decode(bytes.fromhex("005373c0050440404043"))
    with pytest.raises(EncodeError, match=r"properties\.subject"):
        Message(properties=Properties(subject=5)).encode()  # type: ignore[arg-type]


def test_a_plain_int_is_a_ulong_as_message_id() -> None:
    decoded = Message.decode(Message(properties=Properties(message_id=5)).encode())
    assert same(decoded.properties.message_id, ULong(5))


def test_the_official_sdk_decodes_the_same() -> None:
    decoded: Any = sdk_decode.decode_payload(memoryview(full_message().encode()))
    assert decoded.header.delivery_count == 2
    assert decoded.header.ttl == 60_000
    assert decoded.message_annotations == {b"x-opt-sequence-number": 7, b"x-opt-enqueued-time": 12}
    assert decoded.properties.message_id == b"order-1"
    assert decoded.application_properties == {b"tenant": b"north", b"count": 3, b"big": 9, b"plain": 4}
    assert decoded.data == [b'{"id": 1}']
    assert decoded.footer == {b"checksum": b"\x01"}


def test_what_the_official_sdk_encodes_is_decoded() -> None:
    message = sdk_message.Message(
        header=sdk_message.Header(durable=True, ttl=5_000),
        properties=sdk_message.Properties(message_id="a", group_id="g", content_type="text/plain"),
        message_annotations={"x-opt-partition-key": "p"},
        application_properties={"a": 1, "b": "two"},
        data=[b"one", b"two"],
    )
    output = bytearray()
    sdk_encode.encode_payload(output, message)
    decoded = Message.decode(bytes(output))
    assert decoded.header == Header(durable=True, ttl=5_000)
    assert (decoded.properties.message_id, decoded.properties.group_id) == ("a", "g")
    assert decoded.properties.content_type == "text/plain"
    assert decoded.message_annotations == {"x-opt-partition-key": "p"}
    assert decoded.application_properties == {"a": 1, "b": "two"}
    assert decoded.body == Data((b"one", b"two"))
    assert decoded.body.content == b"onetwo"
