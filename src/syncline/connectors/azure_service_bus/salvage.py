"""Messages that the SDK cannot decode.

Its decoder lacks some AMQP types (char, decimal32, decimal64), and where one turns up, say in an application property
that a .NET program sent, it fails for all messages of the request. Such a request is made again here, through the
same SDK, but for the encoded messages, and these are decoded by our own AMQP module. One that is not AMQP at all comes
as a row with its bytes, so that it ends among the rejected messages.
"""

import struct
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
from azure.servicebus import ServiceBusReceiver
from azure.servicebus.exceptions import ServiceBusError

from syncline.amqp import Data, DecodeError, Message, Sequence, Timestamp, Value
from syncline.amqp.sections import Section, decode_map_section, walk_sections
from syncline.amqp.types import Array, Decimal32, Decimal64, Decimal128, Described
from syncline.connectors.azure_service_bus.columns import SCHEDULED, json_value
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA, fallback_message_id
from syncline.connectors.azure_service_bus.pages import Page

_PEEK = b"com.microsoft:peek-message"
_DECODER_FAILURES = (TypeError, ValueError, KeyError, IndexError, struct.error, AttributeError)


def is_decoder_failure(error: Exception) -> bool:
    """Whether an error of the SDK comes from its decoder, not from the service or the connection."""
    return type(error) is ServiceBusError and isinstance(error.inner_exception, _DECODER_FAILURES)


def peek_page(receiver: ServiceBusReceiver, sequence_number: int, count: int) -> Page | None:
    """Messages from a sequence number on; None when there are none.

    Raises:
        ServiceBusError: As the SDK's own `peek_messages`.
    """
    encoded = receiver._mgmt_request_response_with_retry(
        _PEEK,
        {"from-sequence-number": receiver._amqp_transport.AMQP_LONG_VALUE(sequence_number), "message-count": count},
        _encoded_messages,
    )
    return page(encoded) if encoded else None


def page(encoded: list[bytes]) -> Page:
    """A page of encoded messages."""
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    annotations: dict[Any, Any] = {}
    for message in encoded:
        annotations = _annotations(message)
        numbers.append(int(annotations["x-opt-sequence-number"]))
        if annotations.get("x-opt-message-state") != SCHEDULED:
            rows.append(_row(message, annotations))
    enqueued = annotations.get("x-opt-enqueued-time")
    return Page(
        rows=pa.RecordBatch.from_pylist(rows, schema=MESSAGE_SCHEMA),
        numbers=numbers,
        last_enqueued=enqueued.to_datetime() if isinstance(enqueued, Timestamp) else None,
    )


def _encoded_messages(status: int, message: Any, description: Any, amqp_transport: Any) -> list[bytes]:
    if status in (202, 204):
        return []
    if status != 200:
        raise ServiceBusError(f"The messages could not be read: {description}", status_code=status)
    return [entry[b"message"] for entry in message.value[b"messages"]]


def _annotations(encoded: bytes) -> dict[Any, Any]:
    """The annotations of the service, which are well-formed whatever the sender wrote."""
    for code, start, _, end in walk_sections(encoded):
        if code == Section.MESSAGE_ANNOTATIONS:
            return decode_map_section(encoded[start:end])
    raise DecodeError("a message without annotations")


def _row(encoded: bytes, annotations: dict[Any, Any]) -> dict[str, Any]:
    number = int(annotations["x-opt-sequence-number"])
    row: dict[str, Any] = {
        "message_id": fallback_message_id(number),
        "sequence_num": number,
        "enqueued_sequence_number": _int(annotations.get("x-opt-enqueue-sequence-number")),
        "enqueued_time": _time(annotations.get("x-opt-enqueued-time")),
        "dead_letter_source": _text(annotations.get("x-opt-deadletter-source")),
    }
    try:
        message = Message.decode(encoded)
    except DecodeError:
        return {**row, "body": encoded}
    properties, application = message.properties, message.application_properties or {}
    if properties is not None:
        row |= {
            "message_id": _text(properties.message_id) or row["message_id"],
            "session_id": properties.group_id,
            "content_type": _text(properties.content_type),
            "correlation_id": _text(properties.correlation_id),
            "content_encoding": _text(properties.content_encoding),
        }
    return {
        **row,
        "dead_letter_error_description": _text(application.get("DeadLetterErrorDescription")),
        "dead_letter_reason": _text(application.get("DeadLetterReason")),
        "application_properties": orjson.dumps(_plain(application)).decode() if application else None,
        "body": _body(message.body),
    }


def _body(body: Data | Value | Sequence | None) -> bytes:
    if body is None:
        return b""
    if isinstance(body, Data):
        return body.content
    value = body.value if isinstance(body, Value) else [item for section in body.sections for item in section]
    if isinstance(value, bytes):
        return value
    plain = _plain(value)
    if plain is None:
        return b""
    return plain.encode() if isinstance(plain, str) else orjson.dumps(plain)


def _plain(value: Any) -> Any:
    """An AMQP value as JSON has it, in the way of :func:`columns.json_value`."""
    if isinstance(value, Timestamp):
        return int(value)
    if isinstance(value, bool) or value is None:
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return json_value(kind(value))
    if isinstance(value, dict):
        return {str(_plain(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Array):
        return [_plain(item) for item in value.items]
    if isinstance(value, Described):
        return _plain(value.value)
    if isinstance(value, Decimal32 | Decimal64 | Decimal128):
        return b64encode(value.raw).decode()
    return json_value(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(_plain(value))


def _int(value: Any) -> int | None:
    return None if value is None else int(value)


def _time(value: Any) -> datetime | None:
    return value.to_datetime().astimezone(UTC) if isinstance(value, Timestamp) else None
