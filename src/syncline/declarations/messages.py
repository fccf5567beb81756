"""Findings of pydantic, said in words that name the remedy."""

from collections.abc import Mapping
from typing import Any

_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "an object of fields",
    "model_type": "an object of fields",
    "model_attributes_type": "an object of fields",
}


def explain(kind: str, value: Any, context: Mapping[str, Any], fallback: str, *, public: bool) -> str:
    """What is wrong, for a finding of type `kind`. The value's own text is only used when it is `public`."""
    if kind in _WANTED:
        return f"must be {_WANTED[kind]}, not {_kind_of(value)}"
    if kind == "literal_error":
        expected = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")
        choices = [choice.strip() for choice in expected.split(",")]
        close = next((c for c in choices if public and isinstance(value, str) and c.lower() == value.lower()), None)
        hint = f" (upper and lower case matter: did you mean {close}?)" if close else ""
        return f"must be one of {', '.join(choices)}{hint}"
    if kind == "greater_than_equal":
        return f"must be at least {context.get('ge')}"
    if kind == "less_than_equal":
        return f"must be at most {context.get('le')}"
    return fallback[:1].lower() + fallback[1:]


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return "null" if value is None else type(value).__name__
