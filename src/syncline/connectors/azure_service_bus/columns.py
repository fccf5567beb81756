"""AMQP values as Arrow columns and as JSON."""

import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

import pyarrow as pa

from syncline.amqp import Array, Decimal32, Decimal64, Decimal128, Described, Timestamp
from syncline.connectors.azure_service_bus.messages import FALLBACK_ID

_TIME = pa.timestamp("us", tz="UTC")
_EARLIEST = -62_135_596_800_000
_LATEST = 253_402_300_799_999
"""The years 1 to 9999 in milliseconds of the Unix epoch: what destinations can hold."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ULONG, _UUID, _BINARY, _STRING = "ID:AMQP_ULONG:", "ID:AMQP_UUID:", "ID:AMQP_BINARY:", "ID:AMQP_STRING:"
TAKEN_BEGINNINGS = tuple(beginning.encode() for beginning in (_ULONG, _UUID, _BINARY, _STRING, FALLBACK_ID))
"""What only identifiers begin with that are no text, or that there were not."""


def text_column(values: Sequence[Any]) -> pa.Array:
    """A column of text. Arrow takes UTF-8 bytes for text as they are; anything else becomes text one by one."""
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([as_text(value) for value in values], pa.string())


def time_column(milliseconds: Sequence[int | None]) -> pa.Array:
    """A column of times, those out of the years 1 to 9999 null."""
    within = [m * 1000 if m is not None and _EARLIEST <= m <= _LATEST else None for m in milliseconds]
    return pa.array(within, _TIME)


def required_time_column(milliseconds: Sequence[int | None]) -> pa.Array:
    """A column of times without nulls: the epoch where there is none, or one out of the years 1 to 9999."""
    return time_column(milliseconds).fill_null(_EPOCH)


def identifier(value: Any) -> str | None:
    """A message's identifier as text, from which its type can be told: 7 and "7" are two messages.

    Text stays as it is. A number, a UUID and binary are written as AMQP's binding to JMS has it
    (``ID:AMQP_ULONG:7``, section 3.2.1.1), and so is text that looks like one of those (``ID:AMQP_STRING:...``).
    """
    if isinstance(value, bytes):
        return _BINARY + value.hex().upper() if value else None
    if isinstance(value, uuid.UUID):
        return _UUID + str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{_ULONG}{int(value)}"
    plain = as_text(value)
    return plain if plain is None or not plain.encode().startswith(TAKEN_BEGINNINGS) else _STRING + plain


def as_text(value: Any) -> str | None:
    """A value as text."""
    plain = json_value(value)
    return None if plain is None else str(plain)


def json_value(value: Any) -> Any:
    """An AMQP value, in the types of :mod:`syncline.amqp`, as JSON has it.

    Binary that is UTF-8 is taken as text, all other becomes Base64, and so do decimals. A time becomes ISO 8601 text
    (but for those out of the years 1 to 9999, which stay milliseconds), .NET's times and durations too. Numbers that
    JSON cannot hold (not finite, beyond 64 bits) become text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return utf8_or_base64(value)
    if isinstance(value, Timestamp):
        return _time_text(int(value))
    if isinstance(value, int):
        number = int(value)
        return number if -(2**63) <= number < 2**64 else str(number)
    if isinstance(value, float):
        return float(value) if isfinite(value) else str(float(value))
    if isinstance(value, Decimal32 | Decimal64 | Decimal128):
        return b64encode(value.raw).decode()
    return _json_compound(value)


def utf8_or_base64(value: bytes) -> str:
    """Bytes as text: as they are where they are UTF-8, in Base64 otherwise."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return b64encode(value).decode()


def _json_compound(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(json_value(name)): json_value(item) for name, item in value.items()}
    if isinstance(value, list):
        return [json_value(item) for item in value]
    if isinstance(value, Array):
        return [json_value(item) for item in value.items]
    if isinstance(value, Described):
        as_described = _DESCRIBED.get(value.descriptor) if isinstance(value.descriptor, str) else None
        return as_described(value.value) if as_described is not None else json_value(value.value)
    return str(value)


def _time_text(milliseconds: int) -> str | int:
    if not _EARLIEST <= milliseconds <= _LATEST:
        return milliseconds
    return _iso(_EPOCH + timedelta(milliseconds=milliseconds), f"{milliseconds % 1000:03}")


def _iso(moment: datetime, fraction: str) -> str:
    whole = f"{moment.replace(tzinfo=None, microsecond=0).isoformat()}"
    return f"{whole}.{fraction}Z" if fraction.strip("0") else f"{whole}Z"


_TICKS = 10_000_000
"""Of .NET, a second."""


def _net_time(ticks: Any) -> Any:
    """A .NET ``DateTimeOffset``: ticks since the year 1, UTC."""
    if not isinstance(ticks, int) or not 0 <= ticks < (_LATEST - _EARLIEST + 1) * (_TICKS // 1000):
        return json_value(ticks)
    seconds, rest = divmod(int(ticks), _TICKS)
    return _iso(datetime(1, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds), f"{rest:07}".rstrip("0"))


def _net_duration(ticks: Any) -> Any:
    """A .NET ``TimeSpan``, as an ISO 8601 duration in seconds."""
    if not isinstance(ticks, int):
        return json_value(ticks)
    seconds, rest = divmod(abs(int(ticks)), _TICKS)
    fraction = f"{rest:07}".rstrip("0")
    return f"{'-' if ticks < 0 else ''}PT{seconds}{'.' if fraction else ''}{fraction}S"


_DESCRIBED: Mapping[str, Callable[[Any], Any]] = {
    "com.microsoft:datetime-offset": _net_time,
    "com.microsoft:timespan": _net_duration,
}
"""Types of .NET that AMQP has not, by their descriptors."""
