"""Messages of the SDK as Arrow columns.

The SDK gives AMQP strings and symbols as bytes. Arrow takes UTF-8 bytes for text as they are, so the usual message is
never decoded in Python.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

import orjson
import pyarrow as pa
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType

from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA, fallback_message_id
from syncline.connectors.azure_service_bus.pages import Page

SEQUENCE_NUMBER = b"x-opt-sequence-number"
ENQUEUED_TIME = b"x-opt-enqueued-time"
_ENQUEUED_SEQUENCE_NUMBER = b"x-opt-enqueue-sequence-number"
_DEAD_LETTER_SOURCE = b"x-opt-deadletter-source"
_DEAD_LETTER_REASON = b"DeadLetterReason"
_DEAD_LETTER_DESCRIPTION = b"DeadLetterErrorDescription"
_MESSAGE_STATE = b"x-opt-message-state"
SCHEDULED = 2
_NOTHING: dict[Any, Any] = {}

_EARLIEST = -62_135_596_800_000
_LATEST = 253_402_300_799_999
"""The years 1 to 9999 in milliseconds of the Unix epoch: what destinations can hold."""


def page(messages: Sequence[ServiceBusReceivedMessage]) -> Page:
    """A page of messages of the SDK; there has to be one at least."""
    annotations: list[Any] = [message.raw_amqp_message.annotations for message in messages]
    return Page(
        rows=record_batch([message for message in messages if not is_scheduled(message)]),
        numbers=[found[SEQUENCE_NUMBER] for found in annotations],
        last_enqueued=messages[-1].enqueued_time_utc,
    )


def record_batch(messages: Sequence[ServiceBusReceivedMessage]) -> pa.RecordBatch:
    """The messages as a batch of :data:`~syncline.connectors.azure_service_bus.messages.MESSAGE_SCHEMA`."""
    raw = [message.raw_amqp_message for message in messages]
    annotations: list[Any] = [message.annotations or _NOTHING for message in raw]
    application: list[Any] = [message.application_properties or _NOTHING for message in raw]
    properties = [message.properties for message in raw]
    sequence = [found[SEQUENCE_NUMBER] for found in annotations]
    message_ids = [p.message_id if p is not None else None for p in properties]
    columns: list[pa.Array] = [
        _text([fallback_message_id(n) if i is None else i for i, n in zip(message_ids, sequence, strict=True)]),
        pa.array(sequence, pa.int64()),
        pa.array([found.get(_ENQUEUED_SEQUENCE_NUMBER) for found in annotations], pa.int64()),
        _text([p.group_id if p is not None else None for p in properties]),
        _text([p.content_type if p is not None else None for p in properties]),
        _times([found.get(ENQUEUED_TIME) for found in annotations]),
        _text([p.correlation_id if p is not None else None for p in properties]),
        _text([found.get(_DEAD_LETTER_DESCRIPTION) for found in application]),
        _text([found.get(_DEAD_LETTER_REASON) for found in application]),
        _text([found.get(_DEAD_LETTER_SOURCE) for found in annotations]),
        pa.array([json_object(found) if found else None for found in application], pa.string()),
        _text([p.content_encoding if p is not None else None for p in properties]),
        pa.array([body(message) for message in raw], pa.large_binary()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=MESSAGE_SCHEMA)


def is_scheduled(message: ServiceBusReceivedMessage) -> bool:
    """Whether a message waits for its time to be enqueued. The SDK's own `state` says so too, but costs as much as
    all else that is done with a message here."""
    annotations: Any = message.raw_amqp_message.annotations
    return bool(annotations) and annotations.get(_MESSAGE_STATE) == SCHEDULED


def body(message: AmqpAnnotatedMessage) -> bytes:
    """The message's body: its data sections joined, or JSON text for a value or sequences of values."""
    if message.body_type == AmqpMessageBodyType.DATA:
        sections = list(message.body)
        return sections[0] if len(sections) == 1 else b"".join(sections)
    value = message.body
    if message.body_type == AmqpMessageBodyType.SEQUENCE:
        value = [item for section in value for item in section]
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else orjson.dumps(json_value(value))


def json_object(properties: dict[Any, Any]) -> bytes:
    """Application properties as JSON text."""
    return orjson.dumps({_key(name): json_value(value) for name, value in properties.items()})


def json_value(value: Any) -> Any:
    """A value as the SDK decodes it, as JSON has it.

    The SDK gives strings, symbols and binary alike as bytes: those that are UTF-8 are taken as text, all others become
    Base64. It gives a timestamp as its milliseconds, so that is what it stays. Numbers that JSON cannot hold (not
    finite, decimal, beyond 64 bits) become text.
    """
    kind = type(value)
    if kind is bytes:
        return _utf8_or_base64(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**64 else str(value)
    if kind is float:
        return value if isfinite(value) else str(value)
    if isinstance(value, dict):
        return {_key(name): json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [json_value(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytearray | memoryview):
        return b64encode(value).decode()
    return str(value) if isinstance(value, UUID | Decimal) else repr(value)


def _key(name: Any) -> str:
    return name if isinstance(name, str) else str(json_value(name))


def _utf8_or_base64(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return b64encode(value).decode()


def _text(values: list[Any]) -> pa.Array:
    """A column of text. Identifiers may be numbers, UUIDs or binary in AMQP: those become text one by one."""
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else _as_text(value) for value in values], pa.string())


def _as_text(value: Any) -> str:
    return _utf8_or_base64(value) if isinstance(value, bytes) else str(value)


def _times(milliseconds: list[int | None]) -> pa.Array:
    within = [m if m is not None and _EARLIEST <= m <= _LATEST else None for m in milliseconds]
    return pa.array(within, pa.timestamp("ms", tz="UTC")).cast(pa.timestamp("us", tz="UTC"))
