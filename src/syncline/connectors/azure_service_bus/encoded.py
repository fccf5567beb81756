"""Encoded messages as columns.

A message is walked by the sizes of its parts, and only what becomes a column is decoded. The usual types have a direct
path, since this is what reading spends its time on; all others go to the decoder of :mod:`syncline.amqp`. Text stays
the bytes that it came as.

A message whose sections are not all AMQP comes as a row with its bytes, so that it ends among the rejected messages.
Its annotations are the service's, so they tell where it belongs whatever the sender wrote.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from struct import Struct
from typing import Any, Final

import orjson
import pyarrow as pa

from syncline.amqp import DecodeError
from syncline.amqp.decoding import DECODERS, MALFORMED, UNSIGNED_32, decode_value, skip_value
from syncline.amqp.sections import check_order, section_code
from syncline.connectors.azure_service_bus.columns import (
    TAKEN_BEGINNINGS,
    as_text,
    identifier,
    json_value,
    required_time_column,
    text_column,
    time_column,
    utf8_or_base64,
)
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA, fallback_message_id
from syncline.connectors.azure_service_bus.pages import Page

# Constructors (AMQP 1.0 part 1, section 1.6).
_NULL, _SMALL_INT = 0x40, 0x54
_STRING_8, _SYMBOL_8, _BINARY_8, _BINARY_32 = 0xA1, 0xA3, 0xA0, 0xB0
_LIST_0, _LIST_8, _LIST_32, _MAP_8, _MAP_32 = 0x45, 0xC0, 0xD0, 0xC1, 0xD1
_TEXT_8: Final = frozenset({_BINARY_8, _STRING_8, _SYMBOL_8})
_TEXT_32: Final = frozenset({_BINARY_32, 0xB1, 0xB3})
_SIZED_8: Final = _TEXT_8 | {_LIST_8, _MAP_8}
_SIZED_32: Final = _TEXT_32 | {_LIST_32, _MAP_32}
_EIGHT_BYTES: Final = frozenset({0x81, 0x83})
"""Long and timestamp."""
_AS_IN_JSON: Final = frozenset(
    {0x40, 0x41, 0x42, 0x43, 0x44, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x60, 0x61, 0x70, 0x71, 0x80, 0x81}
)
"""Null, booleans and integers: what they decode to is what JSON has."""
_SIGNED_64: Final = Struct(">q").unpack_from

_SEQUENCE, _ENQUEUED_SEQUENCE, _ENQUEUED_TIME, _DEAD_LETTER_SOURCE, _STATE = range(5)
_ANNOTATIONS: Final = {
    "x-opt-sequence-number": _SEQUENCE,
    "x-opt-enqueue-sequence-number": _ENQUEUED_SEQUENCE,
    "x-opt-enqueued-time": _ENQUEUED_TIME,
    "x-opt-deadletter-source": _DEAD_LETTER_SOURCE,
    "x-opt-message-state": _STATE,
}
_ENCODED_ANNOTATIONS: Final = {
    bytes((_SYMBOL_8, len(name))) + name.encode(): place for name, place in _ANNOTATIONS.items()
}
_SCHEDULED = 2

# Fields of the properties section, by their place (AMQP 1.0 part 3, section 3.2.4).
_MESSAGE_ID, _CORRELATION_ID, _CONTENT_TYPE, _CONTENT_ENCODING, _GROUP_ID = 0, 5, 6, 7, 10
_PROPERTIES: Final = 13
_IDENTIFIERS: Final = frozenset({_MESSAGE_ID, _CORRELATION_ID})
_WANTED: Final = frozenset({_MESSAGE_ID, _CORRELATION_ID, _CONTENT_TYPE, _CONTENT_ENCODING, _GROUP_ID})
_NO_PROPERTIES: Final[list[Any]] = [None] * _PROPERTIES
_NOTHING: Final[dict[str, Any]] = {}

_Row = tuple[Any, ...]
"""The columns of MESSAGE_SCHEMA, and behind them the state of the message."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def page(messages: Sequence[bytes]) -> Page:
    """A page of encoded messages; there has to be one at least.

    Raises:
        DecodeError: One has no sequence number.
    """
    rows = [_row(message) for message in messages]
    return Page(
        rows=_record_batch([row for row in rows if row[-1] != _SCHEDULED]),
        numbers=[row[1] for row in rows],
        last_enqueued=_moment(rows[-1][5]),
    )


def record_batch(messages: Sequence[bytes]) -> pa.RecordBatch:
    """Encoded messages as a batch of :data:`~syncline.connectors.azure_service_bus.messages.MESSAGE_SCHEMA`.

    Raises:
        DecodeError: One has no sequence number.
    """
    return _record_batch([_row(message) for message in messages])


def _record_batch(rows: Sequence[_Row]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [()] * len(_BUILDERS)
    arrays = [build(values) for build, values in zip(_BUILDERS, columns, strict=False)]
    return pa.RecordBatch.from_arrays(arrays, schema=MESSAGE_SCHEMA)


def _builder(field: pa.Field) -> Callable[[Sequence[Any]], pa.Array]:
    kind = field.type
    if pa.types.is_string(kind):
        return text_column
    if pa.types.is_timestamp(kind):
        return time_column if field.nullable else required_time_column
    return partial(pa.array, type=kind)


_BUILDERS: Final = tuple(map(_builder, MESSAGE_SCHEMA))
"""What makes each column of its values."""


def _moment(milliseconds: int | None) -> datetime | None:
    try:
        return None if milliseconds is None else _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _row(message: bytes) -> _Row:
    annotations: list[Any] = [None] * len(_ANNOTATIONS)
    try:
        properties, application, body = _sections(message, annotations)
        text = orjson.dumps(application) if application else None
    except (DecodeError, *MALFORMED):
        properties, application, body, text = _NO_PROPERTIES, _NOTHING, message, None
    number, enqueued_number, enqueued, source, state = annotations
    if number is None:
        raise DecodeError("a message has no sequence number among its annotations")
    return (
        properties[_MESSAGE_ID] or fallback_message_id(number, enqueued),
        number,
        enqueued_number,
        properties[_GROUP_ID],
        properties[_CONTENT_TYPE],
        enqueued,
        properties[_CORRELATION_ID],
        application.get("DeadLetterErrorDescription"),
        application.get("DeadLetterReason"),
        source,
        text,
        properties[_CONTENT_ENCODING],
        body,
        state,
    )


def _sections(message: bytes, annotations: list[Any]) -> tuple[list[Any], dict[str, Any], bytes]:
    """The message's properties, application properties and body; what is wanted of its annotations goes into
    `annotations`."""
    properties, application = _NO_PROPERTIES, _NOTHING
    bodies: list[Any] = []
    offset, size, last, kind = 0, len(message), 0, 0
    while offset < size:
        code, start = message[offset + 2], offset + 3
        if message[offset] or message[offset + 1] != 0x53 or not 0x70 <= code <= 0x78:
            code, start = section_code(message, offset)
        if code <= last or last >= 0x75:
            check_order(last, code, offset)
        constructor = message[start]
        if constructor in _SIZED_8:
            end = start + 2 + message[start + 1]
        elif constructor in _SIZED_32:
            end = start + 5 + UNSIGNED_32(message, start + 1)[0]
        else:
            end = skip_value(message, start)
        if end > size:
            raise DecodeError(f"the section at byte {offset} passes the end at byte {size}")
        if code == 0x72:
            _read_annotations(message, start, end, annotations)
        elif code == 0x73:
            properties = _read_properties(message, start, end)
        elif code == 0x74:
            application = _read_application_properties(message, start, end)
        elif code in _BODY_READERS:
            kind = code
            bodies.append(_BODY_READERS[code](message, start, end))
        offset, last = end, code
    body = bodies[0] if kind == 0x75 and len(bodies) == 1 else _joined(kind, bodies)
    return properties, application, body


def _read_annotations(message: bytes, start: int, end: int, annotations: list[Any]) -> None:
    count, offset = _container(message, start, _MAP_8, _MAP_32)
    for _ in range(count // 2):
        value_start = offset + 2 + message[offset + 1]
        place = _ENCODED_ANNOTATIONS.get(message[offset:value_start])
        if place is None and message[offset] != _SYMBOL_8:
            name, value_start = decode_value(message, offset)
            place = _ANNOTATIONS.get(name)
        constructor = message[value_start]
        if constructor in _EIGHT_BYTES:
            offset = value_start + 9
            if place is not None:
                (annotations[place],) = _SIGNED_64(message, value_start + 1)
        elif place == _STATE and constructor == _SMALL_INT:
            annotations[place] = message[value_start + 1]
            offset = value_start + 2
        elif constructor in _TEXT_8:
            offset = value_start + 2 + message[value_start + 1]
            if place == _DEAD_LETTER_SOURCE:
                annotations[place] = message[value_start + 2 : offset]
        elif place is None:
            offset = skip_value(message, value_start)
        else:
            value, offset = decode_value(message, value_start)
            annotations[place] = value if place == _DEAD_LETTER_SOURCE else _integer(value)
    _check_end(offset, end)


def _read_properties(message: bytes, start: int, end: int) -> list[Any]:
    """The fields by their place, text as bytes; what is no column stays out where it is not text.

    In identifiers the constructor counts: binary is none of the texts that it may look like.
    """
    fields: list[Any] = [None] * _PROPERTIES
    count, offset = _container(message, start, _LIST_8, _LIST_32)
    for place in range(min(count, _PROPERTIES)):
        constructor = message[offset]
        if constructor == _NULL:
            offset += 1
        elif constructor in _TEXT_8:
            stop = offset + 2 + message[offset + 1]
            text = message[offset + 2 : stop]
            if place in _IDENTIFIERS and (constructor == _BINARY_8 or text.startswith(TAKEN_BEGINNINGS)):
                fields[place] = identifier(text if constructor == _BINARY_8 else utf8_or_base64(text))
            else:
                fields[place] = text
            offset = stop
        elif place in _WANTED:
            value, offset = decode_value(message, offset)
            fields[place] = identifier(value) if place in _IDENTIFIERS else as_text(value)
        else:
            offset = skip_value(message, offset)
    _check_end(offset, end)
    return fields


def _read_application_properties(message: bytes, start: int, end: int) -> dict[str, Any]:
    """The properties as JSON has them."""
    count, offset = _container(message, start, _MAP_8, _MAP_32)
    properties: dict[str, Any] = {}
    for _ in range(count // 2):
        if message[offset] == _STRING_8:
            stop = offset + 2 + message[offset + 1]
            name = utf8_or_base64(message[offset + 2 : stop])
        else:
            value, stop = decode_value(message, offset)
            name = str(json_value(value))
        constructor = message[stop]
        if constructor in _TEXT_8:
            offset = stop + 2 + message[stop + 1]
            properties[name] = utf8_or_base64(message[stop + 2 : offset])
        elif constructor in _AS_IN_JSON:
            properties[name], offset = DECODERS[constructor](message, stop + 1, 0)
        else:
            value, offset = decode_value(message, stop)
            properties[name] = json_value(value)
    _check_end(offset, end)
    return properties


def _read_data(message: bytes, start: int, end: int) -> bytes:
    constructor = message[start]
    if constructor == _BINARY_32:
        return message[start + 5 : end]
    if constructor == _BINARY_8:
        return message[start + 2 : end]
    raise DecodeError(f"0x{constructor:02x} at byte {start} where the binary of a data section belongs")


def _read_sequence(message: bytes, start: int, end: int) -> list[Any]:
    items = _read_value(message, start, end)
    if not isinstance(items, list):
        raise DecodeError(f"the value at byte {start} is no list, as that of an amqp-sequence section is")
    return items


def _read_value(message: bytes, start: int, end: int) -> Any:
    value, offset = decode_value(message, start)
    _check_end(offset, end)
    return value


_BODY_READERS: Final[dict[int, Callable[[bytes, int, int], Any]]] = {
    0x75: _read_data,
    0x76: _read_sequence,
    0x77: _read_value,
}
"""What reads the value between two bytes of a body section, by the section's code."""


def _joined(kind: int, bodies: Sequence[Any]) -> bytes:
    """The body: data sections joined, or JSON text for a value or sequences of values."""
    if kind == 0x75:
        return b"".join(bodies)
    if kind == 0x76:
        return orjson.dumps([json_value(item) for sequence in bodies for item in sequence])
    value = bodies[0] if bodies else None
    if isinstance(value, bytes):
        return value
    plain = json_value(value)
    if plain is None:
        return b""
    return plain.encode() if isinstance(plain, str) else orjson.dumps(plain)


def _container(message: bytes, start: int, small: int, large: int) -> tuple[int, int]:
    """How many items a list or map has, and where they start; a null counts as an empty one."""
    constructor = message[start]
    if constructor == small:
        return message[start + 2], start + 3
    if constructor == large:
        return UNSIGNED_32(message, start + 5)[0], start + 9
    if constructor in (_NULL, _LIST_0):
        return 0, start + 1
    raise DecodeError(f"0x{constructor:02x} at byte {start} where a list or map belongs")


def _check_end(offset: int, end: int) -> None:
    if offset != end:
        raise DecodeError(f"a section ends at byte {offset}, its size says byte {end}")


def _integer(value: Any) -> int | None:
    is_integer = isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return int(value) if is_integer else None
