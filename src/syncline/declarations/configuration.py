"""The base of every declared configuration."""

import re
import types
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from syncline.declarations.errors import InvalidField, MissingField, shown
from syncline.declarations.fields import MOST_CHARACTERS, MOST_ITEMS, DeclaredField, Details
from syncline.declarations.messages import explain
from syncline.home import Home

MASK = "******"
"""What stands for a secret in an answer. Sent back by a client, it means "keep what is stored"."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,10}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
"""Half of a pair: JSON can carry it, UTF-8 cannot."""
_TYPE_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number"}


class Configuration(BaseModel):
    """A set of declared fields, each made with :func:`~syncline.declarations.setting`.

    Every field may be absent: what is merely missing is told by :meth:`missing`, what is wrong by :meth:`parse`.
    Types are strict: a number is not text, and "true" is not true. Instances never change.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, validate_default=False
    )

    # -- what is declared

    @classmethod
    def declared_fields(cls) -> list[DeclaredField]:
        """The fields, for metadata, forms and docs."""
        return [cls._declared(attribute, info) for attribute, info in cls.model_fields.items()]

    @classmethod
    def secret_fields(cls) -> frozenset[str]:
        """The names of the fields that are sealed in the store."""
        return frozenset(name for name, _, details in cls._entries() if details.secret)

    def check(self, path: str) -> None:
        """Refuse combinations of values that can never work. Subclasses add theirs; `path` stands before names.

        Raises:
            InvalidField: A combination is forbidden.
        """

    def check_places(self, home: Home, path: str = "config") -> None:
        """Refuse local files that are those of the installation in `home`. Subclasses with paths add theirs.

        Raises:
            InvalidField: A path leads to such a file.
        """

    # -- in

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, path: str = "config") -> Self:
        """The configuration that a client sent. A field that is null counts as absent, and so does an empty text, but
        for one that is needed or is a choice.

        Raises:
            InvalidField: A field is unknown, read-only, of a wrong type or value, or the values cannot go together.
        """
        parsed = cls._validated(values, path)
        known = parsed.effective()
        for name, _, details in cls._entries():
            if details.mandatory and name not in parsed._set_names():
                raise InvalidField(f"{path}.{name}", f"is missing: {details.description}")
            if values.get(name) == "" and known[name] != "" and (reason := _reason(details, known)):
                raise InvalidField(f"{path}.{name}", f"is empty, and it is {reason}: give it a value")
        parsed._check_values(path)
        parsed.check(path)
        return parsed

    @classmethod
    def restore(cls, public: Mapping[str, Any], secret: Mapping[str, Any] | None = None) -> Self:
        """The configuration that :meth:`split` took apart. Rules are not looked at again: they may have become
        stricter since it was stored, and that must not make it unreadable.

        Raises:
            InvalidField: What is stored has the wrong shape.
        """
        return cls._validated({**public, **(secret or {})}, "config")

    def merge(self, update: Mapping[str, Any], *, path: str = "config") -> Self:
        """This configuration with an update laid over it. Fields that are absent stay, null removes one, an empty
        text does too where :meth:`parse` takes it, and a secret sent as ``******`` stays as it is stored.

        Raises:
            InvalidField: The update is wrong, changes a permanent field, or masks a secret that is not stored.
        """
        return type(self).parse(self._merged(update, path), path=path)

    # -- out

    def missing(self, *, path: str = "config", given: Mapping[str, Any] | None = None) -> list[MissingField]:
        """The needed fields that are absent. `given` has the values of the configuration this one belongs to."""
        known = {**(given or {}), **self.effective()}
        missing: list[MissingField] = []
        for name, attribute, details in self._entries():
            nested = self._nested(attribute)
            if nested is not None:
                inner = getattr(self, attribute) or nested()
                missing += inner.missing(path=f"{path}.{name}", given=known)
            elif getattr(self, attribute) in (None, [], ()) and (reason := _reason(details, known)):
                missing.append(MissingField(f"{path}.{name}", details.title, reason))
        return missing

    def hosts(self, *, path: str = "config") -> Iterator[tuple[str, str, str]]:
        """The hosts that it names: of each the field's name, the path of the value, and the host."""
        for name, attribute, details in self._entries():
            value = getattr(self, attribute)
            if details.host is None or value is None:
                continue
            values = enumerate(value) if isinstance(value, list) else ((None, value),)
            for index, item in values:
                with suppress(ValueError):  # stored under older rules: nothing that can be connected to
                    host = details.host(item)
                    if host:
                        yield name, f"{path}.{name}" + ("" if index is None else f"[{index}]"), host

    def effective(self) -> dict[str, Any]:
        """Every field with its value, set or default, by its name outside. Holds secrets."""
        return {name: getattr(self, attribute) for name, attribute, _ in self._entries()}

    def values(self) -> dict[str, Any]:
        """The fields that were set, JSON-able, by their names outside. Holds secrets."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)

    def split(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields that were set: public ones, and secret ones."""
        secret_names = self.secret_fields()
        values = self.values()
        public = {name: value for name, value in values.items() if name not in secret_names}
        return public, {name: value for name, value in values.items() if name in secret_names}

    def masked(self) -> dict[str, Any]:
        """What an answer holds: the fields that were set, ``******`` for secrets, and as text what is `as_text`."""
        values = self.values()
        return self._answer(values, values)

    @classmethod
    def masked_answer(cls, public: Mapping[str, Any], secret_names: Collection[str]) -> dict[str, Any]:
        """The same as :meth:`masked`, from what is stored and the names of the secrets that are set: it opens none."""
        return cls._answer(cls.restore(public).values(), secret_names)

    @classmethod
    def _answer(cls, values: Mapping[str, Any], secret_names: Collection[str]) -> dict[str, Any]:
        return {
            name: MASK if details.secret else _text_of(values[name]) if details.as_text else values[name]
            for name, _, details in cls._entries()
            if details.answered and name in (secret_names if details.secret else values)
        }

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Only what may be shown: a configuration lands in logs and in failed assertions."""
        yield from self.masked().items()

    # -- inside

    @classmethod
    def _entries(cls) -> Iterator[tuple[str, str, Details]]:
        """Name outside, attribute, and details of every field."""
        for attribute, info in cls.model_fields.items():
            yield info.alias or attribute, attribute, _details(info)

    @classmethod
    def _nested(cls, attribute: str) -> type["Configuration"] | None:
        kind, _ = _unwrapped(cls.model_fields[attribute].annotation)
        return kind if isinstance(kind, type) and issubclass(kind, Configuration) else None

    @classmethod
    def _declared(cls, attribute: str, info: FieldInfo) -> DeclaredField:
        details = _details(info)
        kind, is_list = _unwrapped(info.annotation)
        nested = cls._nested(attribute)
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        type_name = "object" if nested else "string" if choices else _TYPE_NAMES.get(kind, "string")
        conditions = {name: _as_tuple(values) for name, values in details.required_when.items()}
        return DeclaredField(
            name=info.alias or attribute,
            title=details.title,
            description=details.description,
            type=f"{type_name}[]" if is_list else type_name,
            choices=choices,
            secret=details.secret,
            addressed_by=details.addressed_by,
            stays=details.stays,
            required=details.required,
            required_when=conditions or None,
            permanent=details.permanent,
            read_only=details.read_only,
            extension=details.extension,
            default=info.default,
            example=details.example,
            fields=tuple(nested.declared_fields()) if nested else (),
        )

    @classmethod
    def _validated(cls, values: Mapping[str, Any], path: str) -> Self:
        if not isinstance(values, Mapping):
            raise InvalidField(path, "must be an object of fields")
        try:
            return cls.model_validate(cls._without_empty(values))
        except ValidationError as error:
            raise cls._refusal(error, path) from None

    @classmethod
    def _without_empty(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values without those that say that there is none: null, and ``""`` where a text may be absent. A text
        that stands for a number, or for true or false, is what it stands for."""
        attributes = {name: attribute for name, attribute, _ in cls._entries()}
        kept: dict[str, Any] = {}
        for name, value in values.items():
            attribute = attributes.get(name)
            nested = cls._nested(attribute) if attribute is not None else None
            if attribute is not None and _details(cls.model_fields[attribute]).as_text:
                value = _from_text(value)
            if value is None or (value == "" and attribute is not None and cls._is_clearable(attribute)):
                continue
            kept[name] = nested._without_empty(value) if nested and isinstance(value, Mapping) else value
        return kept

    @classmethod
    def _is_clearable(cls, attribute: str) -> bool:
        info = cls.model_fields[attribute]
        is_text = _unwrapped(info.annotation) == (str, False) or _details(info).as_text
        return is_text and not _details(info).required

    @classmethod
    def _refusal(cls, error: ValidationError, path: str) -> InvalidField:
        """The first finding of pydantic as an InvalidField. Values of secret and of unknown fields stay out of it:
        a misspelt secret is a secret still."""
        finding = error.errors(include_url=False, include_context=True)[0]
        owner: type[Configuration] | None = cls
        field, public = path, True
        for part in finding["loc"]:
            if isinstance(part, int):
                field += f"[{part}]"
                continue
            field += f".{part}"
            entry = next((entry for entry in owner._entries() if entry[0] == part), None) if owner else None
            public = public and entry is not None and not entry[2].secret
            if entry is None and owner is not None:
                return InvalidField(field, _unknown(str(part), owner, path))
            owner = owner._nested(entry[1]) if owner and entry else None
        message = explain(finding["type"], finding.get("input"), finding.get("ctx", {}), finding["msg"], public=public)
        return InvalidField(field, message, value=shown(finding.get("input")) if public else None)

    def _set_names(self) -> set[str]:
        return {name for name, attribute, _ in self._entries() if attribute in self.model_fields_set}

    def _check_values(self, path: str) -> None:
        """Look at each value that was set, whatever the others are."""
        for name, attribute, details in self._entries():
            if attribute not in self.model_fields_set:
                continue
            field, value = f"{path}.{name}", getattr(self, attribute)
            if details.read_only:
                raise InvalidField(field, "is set by the server and cannot be sent: leave it out")
            if isinstance(value, Configuration):
                value._check_values(field)
            elif isinstance(value, list):
                self._check_list(field, value, details)
            else:
                _check_value(field, value, details)

    def _check_list(self, field: str, items: list[Any], details: Details) -> None:
        if len(items) > MOST_ITEMS:
            raise InvalidField(field, f"has {len(items)} items: at most {MOST_ITEMS} are allowed")
        seen: set[Any] = set()
        for index, item in enumerate(items):
            _check_value(f"{field}[{index}]", item, details)
            key = item.casefold() if isinstance(item, str) else item
            if details.unique and key in seen:
                value = None if details.secret else shown(item)
                raise InvalidField(f"{field}[{index}]", "stands in the list twice: remove one", value=value)
            seen.add(key)

    def _merged(self, update: Mapping[str, Any], path: str) -> dict[str, Any]:
        if not isinstance(update, Mapping):
            raise InvalidField(path, "must be an object of fields")
        merged = self.values()
        entries = {name: (attribute, details) for name, attribute, details in self._entries()}
        for name, value in update.items():
            field = f"{path}.{name}"
            attribute, details = entries.get(name, (None, None))
            if details is not None and details.permanent and name in merged and value != merged[name]:
                raise InvalidField(field, "is permanent: create another thing to have another value")
            nested = self._nested(attribute) if attribute else None
            if value is None:
                merged.pop(name, None)
            elif nested is not None and isinstance(value, Mapping):
                merged[name] = (getattr(self, attribute or "") or nested())._merged(value, field)
            elif details is None or not details.secret or value != MASK or name not in merged:
                merged[name] = value
        return merged


def _check_value(field: str, value: Any, details: Details) -> None:
    safe = None if details.secret else shown(value)
    if isinstance(value, str):
        if details.secret and value == MASK:
            raise InvalidField(field, f"is {MASK}, which stands for a stored secret, and none is stored: send it")
        if not value.strip():
            raise InvalidField(field, "is empty: leave it out or give it a value", value=safe)
        if len(value) > MOST_CHARACTERS:
            message = f"is {len(value)} characters long: at most {MOST_CHARACTERS} are allowed"
            raise InvalidField(field, message, value=safe)
        if _SURROGATE.search(value):
            raise InvalidField(field, "is not valid Unicode text: it holds half of a surrogate pair", value=safe)
        if _CONTROL.search(value):
            raise InvalidField(field, "holds a control character: remove it", value=safe)
    if details.check is not None:
        try:
            details.check(value)
        except ValueError as error:
            raise InvalidField(field, str(error), value=safe) from None


def _details(info: FieldInfo) -> Details:
    extra = info.json_schema_extra
    details = extra.get("details") if isinstance(extra, dict) else None
    if not isinstance(details, Details):
        raise TypeError("a field of a Configuration is made with setting()")
    return details


def _unwrapped(annotation: Any) -> tuple[Any, bool]:
    """The type inside ``X | None`` and ``list[X]``, and whether it was a list."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is list:
        return get_args(annotation)[0], True
    return annotation, False


def _from_text(value: Any) -> Any:
    """What a text stands for; anything else as it is, but a number without a fraction as a whole one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    if value in ("true", "false"):
        return value == "true"
    return int(value) if _WHOLE_NUMBER.fullmatch(value) else value


def _text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return values if isinstance(values, tuple) else (values,)


def _reason(details: Details, known: Mapping[str, Any]) -> str:
    """Why the field is needed; empty when it is not."""
    if details.required:
        return "always needed"
    for name, values in details.required_when.items():
        if known.get(name) in _as_tuple(values):
            value = known[name]
            return f"needed when `{name}` is {shown(value) if isinstance(value, bool) else value}"
    return ""


def _unknown(name: str, owner: type[Configuration], path: str) -> str:
    names = [known for known, _, details in owner._entries() if not details.read_only]
    if not names:
        return f"is unknown: `{path}` has no fields for this service"
    close = get_close_matches(name.lower(), names, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"the fields are {', '.join(names)}"
    return f"is not a field that this service has: {hint}"
