"""A stored secret stays with the place that it was given for.

Whoever may change a setting could otherwise have a secret sent to a server of their own: the server's name changes,
the stored password does not. So a change of where a secret goes needs the secret again, in the same request.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from syncline.declarations.configuration import MASK, Configuration
from syncline.declarations.errors import InvalidField
from syncline.declarations.fields import DeclaredField


def refuse_moved_secrets(
    before: Configuration, after: Configuration, update: Mapping[str, Any], *, path: str, moved: Mapping[str, str]
) -> None:
    """Refuse an update that leaves a stored secret as it is while a field that it is `addressed_by` has moved.

    Args:
        before: What is stored.
        after: What is to be stored.
        update: What was sent for it. A secret that is absent in it, null or ``******`` was not given.
        path: Stands before the names of fields.
        moved: What :func:`moved_addresses` found, by name.

    Raises:
        InvalidField: Names the secret that is needed again.
    """
    stored, kept = before.effective(), after.effective()
    for field in before.declared_fields():
        if stored[field.name] is None or kept[field.name] is None:
            continue
        given = update.get(field.name)
        if field.fields:
            inner = given if isinstance(given, Mapping) else {}
            nested = f"{path}.{field.name}"
            refuse_moved_secrets(stored[field.name], kept[field.name], inner, path=nested, moved=moved)
            continue
        cause = next((moved[name] for name in field.addressed_by if name in moved), None)
        if cause is not None and given in (None, "", MASK):
            raise InvalidField(
                f"{path}.{field.name}",
                f"is needed again, because `{cause}` changes: a stored secret is not sent to another place than it was "
                "given for. Send both in one request",
            )


def moved_addresses(before: Configuration, after: Configuration, *, path: str) -> dict[str, str]:
    """The fields that lead to a place that they did not lead to before: their paths by their names.

    Letters of either case are the same, and so is a list in another order. Fewer items in a list lead nowhere new, and
    neither does a switch that is turned on: switches ask for encryption.
    """
    return {
        field.name: f"{path}.{field.name}"
        for field in before.declared_fields()
        if not set(_places(field, after)) <= set(_places(field, before))
    }


def _places(field: DeclaredField, configuration: Configuration) -> Iterator[object]:
    value = configuration.effective()[field.name]
    if isinstance(value, list) or field.type.endswith("[]"):
        yield from map(_normal, value or [])
    elif isinstance(value, bool):
        if not value:
            yield value
    elif not field.fields:
        yield _normal(value)


def _normal(value: object) -> object:
    return value.strip().casefold().rstrip("/.") if isinstance(value, str) else value
