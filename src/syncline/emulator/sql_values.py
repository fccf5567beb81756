"""How a SQL filter compares and calculates: three-valued logic over the values of a message.

The unknown of SQL is `None`. It comes from a property that a message does not have and from values
that cannot be compared or calculated with; it never raises, so no message can break a filter.
"""

import math
import operator
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

Truth = bool | None

Comparison = Callable[[Any, Any], bool]

COMPARISONS: dict[str, Comparison] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def truth(value: object) -> Truth:
    """A value where a condition is needed: anything but a boolean is unknown."""
    return value if isinstance(value, bool) else None


def negation(value: Truth) -> Truth:
    """NOT: the opposite, or unknown."""
    return None if value is None else not value


def conjunction(values: Iterable[Truth]) -> Truth:
    """AND: false as soon as one is false, else unknown when one is unknown."""
    result: Truth = True
    for value in values:
        if value is False:
            return False
        if value is None:
            result = None
    return result


def disjunction(values: Iterable[Truth]) -> Truth:
    """OR: true as soon as one is true, else unknown when one is unknown."""
    result: Truth = False
    for value in values:
        if value is True:
            return True
        if value is None:
            result = None
    return result


def is_number(value: object) -> bool:
    """Whether a value takes part in arithmetic; a boolean does not."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def compare(symbol: str, left: object, right: object) -> Truth:
    """A comparison; unknown when a side is missing or the sides are of different kinds."""
    if left is None or right is None:
        return None
    left, right = _comparable(left), _comparable(right)
    if is_number(left) and is_number(right):
        return COMPARISONS[symbol](left, right)
    for kind in (bool, str, datetime, timedelta, UUID, bytes):
        if isinstance(left, kind) and isinstance(right, kind):
            return COMPARISONS[symbol](left, right)
    return None


def _comparable(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    if isinstance(value, Decimal) and value.is_nan():
        return math.nan
    return value


def calculate(symbol: str, left: object, right: object) -> object:
    """Arithmetic on two numbers; unknown for other values, a zero divisor or an overflow."""
    if not (is_number(left) and is_number(right)):
        return None
    if not (isinstance(left, int) and isinstance(right, int)):
        left, right = _as_float(left), _as_float(right)
        if left is None or right is None:
            return None
    try:
        return _calculate(symbol, left, right)
    except (ZeroDivisionError, OverflowError):
        return None


def _as_float(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (OverflowError, ValueError):
        return None


def _calculate(symbol: str, left: int | float, right: int | float) -> int | float:
    match symbol:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            if isinstance(left, int) and isinstance(right, int):
                quotient = abs(left) // abs(right)
                return quotient if (left < 0) == (right < 0) else -quotient
            return left / right
        case _:
            if isinstance(left, int) and isinstance(right, int):
                remainder = abs(left) % abs(right)
                return -remainder if left < 0 else remainder
            return math.fmod(left, right) if right else math.nan


LikePattern = list[str | None]
"""A pattern of LIKE: a text of one character stands for itself, "" for any one, None for any run."""


def like_pattern(pattern: str, escape: str | None) -> LikePattern:
    """Read `%`, `_` and the escape character; a run of `%` counts once.

    Raises `ValueError` when the escape character is the last one.
    """
    parts: LikePattern = []
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            escaped = next(characters, None)
            if escaped is None:
                raise ValueError("the escape character is the last one of the pattern")
            parts.append(escaped)
        elif character == "%":
            if not parts or parts[-1] is not None:
                parts.append(None)
        else:
            parts.append("" if character == "_" else character)
    return parts


def is_like(text: str, pattern: LikePattern) -> bool:
    """Whether the whole text matches; at worst the product of both lengths, never exponential."""
    text_at = pattern_at = 0
    run_at, resume_at = -1, 0
    while text_at < len(text):
        part = pattern[pattern_at] if pattern_at < len(pattern) else "no more"
        if part is None:
            run_at, resume_at = pattern_at, text_at
            pattern_at += 1
        elif part in ("", text[text_at]):
            pattern_at += 1
            text_at += 1
        elif run_at >= 0:
            resume_at += 1
            pattern_at, text_at = run_at + 1, resume_at
        else:
            return False
    return all(part is None for part in pattern[pattern_at:])
