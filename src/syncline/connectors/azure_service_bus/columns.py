"""AMQP values as Arrow columns and as JSON."""

from base64 import b64encode
from collections.abc import Sequence
from math import isfinite
from typing import Any

import pyarrow as pa

from syncline.amqp import Array, Decimal32, Decimal64, Decimal128, Described

_TIME = pa.timestamp("us", tz="UTC")
_EARLIEST = -62_135_596_800_000
_LATEST = 253_402_300_799_999
"""The years 1 to 9999 in milliseconds of the Unix epoch: what destinations can hold."""


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


def as_text(value: Any) -> str | None:
    """A value as text: an identifier may be a number, a UUID or binary in AMQP."""
    plain = json_value(value)
    return None if plain is None else str(plain)


def json_value(value: Any) -> Any:
    """An AMQP value, in the types of :mod:`syncline.amqp`, as JSON has it.

    Binary that is UTF-8 is taken as text, all other becomes Base64, and so do decimals. A timestamp stays its
    milliseconds. Numbers that JSON cannot hold (not finite, beyond 64 bits) become text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return utf8_or_base64(value)
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
        return json_value(value.value)
    return str(value)
