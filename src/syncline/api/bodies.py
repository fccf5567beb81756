"""Request bodies, read strictly: what passes here can be validated, stored and answered without surprises."""

import json
import math
from typing import Any

from syncline.api.errors import ApiError, InvalidInput

MOST_BYTES = 1024 * 1024
"""Largest request body."""
DEEPEST = 64
"""Most levels of objects and lists inside each other."""


def too_large() -> ApiError:
    """The error for a body of more than :data:`MOST_BYTES`."""
    return ApiError(413, "InvalidInput", f"The request body is larger than {MOST_BYTES} bytes. Send a smaller one.")


def too_slow(seconds: float) -> ApiError:
    """The error for a body that takes longer than `seconds` to arrive. The rest of it is not waited for."""
    message = f"The request body did not arrive within {seconds:g} seconds. Send it faster, or a smaller one."
    return ApiError(408, "RequestTimeout", message, headers={"Connection": "close"})


def parse_body(body: bytes) -> dict[str, Any]:
    """The object that a body holds.

    Raises:
        InvalidInput: the body is not UTF-8, not JSON or not an object; a field stands in it twice; a number is no
            number or out of range; it is nested too deeply; or a text holds what cannot be stored.
    """
    try:
        parsed = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The request body is not UTF-8: byte {error.start} cannot be read.") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"The request body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(parsed, dict):
        raise InvalidInput(f"The request body must be a JSON object, not {_kind(parsed)}.")
    _inspect(parsed, "", 1)
    return parsed


def _inspect(value: Any, path: str, depth: int) -> None:
    """Refuse what JSON can say but neither UTF-8 nor every database can hold."""
    if isinstance(value, str):
        _inspect_text(value, path)
    elif isinstance(value, dict | list):
        if depth > DEEPEST:
            raise _too_deep()
        if isinstance(value, dict):
            for name, item in value.items():
                _inspect_text(name, f"{path}.(a field's name)" if path else "(a field's name)")
                _inspect(item, f"{path}.{name}" if path else name, depth + 1)
        else:
            for index, item in enumerate(value):
                _inspect(item, f"{path}[{index}]", depth + 1)


def _inspect_text(text: str, path: str) -> None:
    if "\x00" in text:
        raise InvalidInput(f"`{path}` holds a NUL character (\\u0000): remove it.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"`{path}` is not valid Unicode: it holds half of a surrogate pair.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"`{_shown(twice)}` stands twice in one object of the request body: remove one.")
    return values


def _refuse_constant(text: str) -> Any:
    raise InvalidInput(f"The request body is not JSON: {text} is not a JSON number.")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidInput(f"The number {text[:40]} in the request body is out of range.")
    return number


def _int(text: str) -> int:
    if len(text) > 400:
        raise InvalidInput(f"The number {text[:40]}... in the request body is out of range.")
    return int(text)


def _too_deep() -> InvalidInput:
    return InvalidInput(f"The request body is nested more than {DEEPEST} levels deep.")


def _shown(name: str) -> str:
    return name.encode("utf-8", "replace").decode()[:100]


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {list: "a list", str: "text", bool: "true or false"}.get(type(value), "a number")
