"""A declared configuration as JSON Schema, for metadata endpoints and API documents."""

from collections.abc import Sequence
from typing import Any

from syncline.declarations.configuration import Configuration
from syncline.declarations.fields import DeclaredField


def json_schema(configuration: type[Configuration]) -> dict[str, Any]:
    """What a configuration looks like: an object with its fields as properties.

    `required` names what a finished thing needs; a request may leave it out, but for what is marked `mandatory`
    in the declaration. `required_when` of a property has other fields and the values of theirs that make it needed.
    """
    return _object(configuration.declared_fields())


def _object(fields: Sequence[DeclaredField]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": "object",
        "properties": {field.name: _property(field) for field in fields},
        "additionalProperties": False,
    }
    required = [field.name for field in fields if field.required]
    if required:
        described["required"] = required
    return described


def _property(field: DeclaredField) -> dict[str, Any]:
    kind, is_list = field.type.removesuffix("[]"), field.type.endswith("[]")
    one: dict[str, Any] = _object(field.fields) if kind == "object" else {"type": kind}
    if field.choices:
        one["enum"] = list(field.choices)
    if field.secret and kind == "string":
        one["format"] = "password"
    described: dict[str, Any] = {"title": field.title, "description": field.description}
    described |= {"type": "array", "items": one} if is_list else one
    if field.secret:
        described["writeOnly"] = True
    if field.read_only:
        described["readOnly"] = True
    if field.permanent:
        described["permanent"] = True
    if field.default is not None:
        described["default"] = field.default
    if field.example is not None:
        described["examples"] = [field.example]
    if field.required_when:
        described["required_when"] = {name: list(values) for name, values in field.required_when.items()}
    return described
