"""JSON text of values that formats other than JSON give.

Numbers keep all their digits. Bytes become Base64, dates and times ISO 8601 (in UTC with `Z`), UUIDs text. The numbers
that JSON does not have (not a number, the infinities) become text, so that they differ from null.
"""

import base64
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any

import orjson

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def dump(value: Any) -> str:
    """The JSON text of a value."""
    return orjson.dumps(value, default=_other, option=_OPTIONS).decode()


def dump_with_floats(value: Any) -> str:
    """The JSON text of a value that may have floats in it: orjson makes null of those that are not finite."""
    return dump(_finite(value))


def text(value: Any) -> str:
    """The text of a value, in a column that has text because its values have several types."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        moment = value.isoformat(timespec="microseconds")
        return moment.replace("+00:00", "Z")
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    made = dump_with_floats(value)
    return made[1:-1] if made.startswith('"') else made


def _finite(value: Any) -> Any:
    if type(value) is float:
        return value if isfinite(value) else str(value)
    if type(value) is dict:
        return {name: _finite(item) for name, item in value.items()}
    if type(value) is list or type(value) is tuple:
        return [_finite(item) for item in value]
    return value


def _other(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value)} has no JSON form")
