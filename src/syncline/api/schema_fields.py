"""A JSON Schema as a flat list of fields, for people."""

import json
from dataclasses import dataclass
from typing import Any

_DEEPEST = 4
"""Levels of objects inside each other that are listed."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its path, what it holds, and what it means."""

    path: str
    kind: str
    required: bool
    meaning: str


def fields_of(schema: dict[str, Any], document: dict[str, Any]) -> list[Field]:
    """The fields of an object, those of objects inside it too. References are looked up in the document."""
    return _fields(schema, document, "", 0)


def name_of(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """What a value is, in a few words."""
    schema = _resolved(schema, document)
    if "const" in schema:
        return _shown(schema["const"])
    if "enum" in schema:
        return " | ".join(str(choice) for choice in schema["enum"])
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        return " or ".join(dict.fromkeys(name_of(alternative, document) for alternative in alternatives))
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {name_of(schema.get('items', {}), document)}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _fields(schema: dict[str, Any], document: dict[str, Any], prefix: str, depth: int) -> list[Field]:
    found: list[Field] = []
    for inner in _objects(schema, document):
        required = inner.get("required", [])
        for name, part in inner.get("properties", {}).items():
            path = f"{prefix}{name}"
            found.append(Field(path, name_of(part, document), name in required, _meaning(part, document)))
            if depth < _DEEPEST:
                found += _fields(part, document, f"{path}.", depth + 1)
    return found


def _objects(schema: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects that a schema may be or hold."""
    schema = _resolved(schema, document)
    if "properties" in schema:
        return [schema]
    if schema.get("type") == "array":
        return _objects(schema.get("items", {}), document)
    alternatives = schema.get("anyOf") or schema.get("oneOf") or []
    return [found for alternative in alternatives for found in _objects(alternative, document)]


def _meaning(schema: dict[str, Any], document: dict[str, Any]) -> str:
    meaning = str(schema.get("description") or _resolved(schema, document).get("description") or "")
    if schema.get("default") is not None:
        meaning += f" Default: `{_shown(schema['default'])}`."
    for name, values in schema.get("required_when", {}).items():
        meaning += f" Needed when `{name}` is {' or '.join(f'`{_shown(value)}`' for value in values)}."
    return meaning.strip()


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        target: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema
