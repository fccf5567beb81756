"""One field of a configuration: what is declared about it, and how the outside sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

MOST_CHARACTERS = 16_384
"""Longest text of a field that declares no limit of its own."""
MOST_ITEMS = 10_000
"""Longest list of a field."""

ValueCheck = Callable[[Any], None]
"""Looks at one value (for a list: at each item) and raises ValueError with a message that says what to do. The
message is shown to people, so it never holds the value of a secret field."""
HostOf = Callable[[str], str | None]
"""The host in one value (for a list: in each item) that is connected to; None when it names none. Raises ValueError for
a value that the field's check refuses."""


@dataclass(frozen=True, slots=True)
class Details:
    """What :func:`setting` was told."""

    title: str
    description: str
    secret: bool
    addressed_by: tuple[str, ...]
    stays: str
    required: bool
    required_when: Mapping[str, Any]
    mandatory: bool
    permanent: bool
    read_only: bool
    answered: bool
    unique: bool
    extension: bool
    as_text: bool
    example: Any
    check: ValueCheck | None
    host: HostOf | None


@dataclass(frozen=True, slots=True)
class DeclaredField:
    """A field as metadata endpoints, forms and docs present it."""

    name: str
    title: str
    description: str
    type: str
    """`string`, `boolean`, `integer`, `number`, `object`, or one of them with `[]` for a list."""
    choices: tuple[str, ...] = ()
    secret: bool = False
    addressed_by: tuple[str, ...] = ()
    """For a secret: the fields that say where it is sent, and how safely."""
    stays: str = ""
    """For a secret that no field can lead elsewhere: why."""
    required: bool = False
    required_when: Mapping[str, tuple[Any, ...]] | None = None
    """Field names and the values of theirs that make this one required: any one match is enough."""
    permanent: bool = False
    read_only: bool = False
    extension: bool = False
    """Whether it is Syncline's own, and unknown to others who speak the same API."""
    default: Any = None
    example: Any = None
    fields: tuple["DeclaredField", ...] = ()
    """The fields of an `object`."""


def setting(
    *,
    title: str,
    description: str,
    secret: bool = False,
    addressed_by: tuple[str, ...] = (),
    stays: str = "",
    required: bool = False,
    required_when: Mapping[str, Any] | None = None,
    mandatory: bool = False,
    permanent: bool = False,
    read_only: bool = False,
    answered: bool = True,
    unique: bool = False,
    extension: bool = False,
    as_text: bool = False,
    name: str | None = None,
    default: Any = None,
    example: Any = None,
    minimum: int | None = None,
    maximum: int | None = None,
    check: ValueCheck | None = None,
    host: HostOf | None = None,
) -> Any:
    """Declare one field of a :class:`~syncline.declarations.Configuration`.

    A choice of values is declared by the field's type, a ``Literal``.

    Args:
        title: Its name for people.
        description: What it is, in a sentence or two.
        secret: Whether it is sealed in the store and masked in answers. A secret names what it is `addressed_by`, or
            why it `stays`.
        addressed_by: For a secret: the fields that say where it is sent, and switches without which it is sent less
            safely. A change of one needs the secret again. A name that this configuration lacks is looked up in the
            one it belongs to (auth looks into config).
        stays: For a secret that no field can lead elsewhere: why.
        required: Whether the configuration is incomplete without it.
        required_when: Other fields, and the value (or tuple of values) of each that makes this one required; any
            one match is enough. A name that this configuration lacks is looked up in the one it belongs to
            (auth looks into config).
        mandatory: Whether a request without it is refused, rather than leaving an incomplete thing.
        permanent: Whether it can never change once it was set.
        read_only: Whether only answers have it; a client that sends it is refused.
        answered: Whether answers repeat it.
        unique: For a list: whether an item may stand in it only once (case does not matter).
        extension: Whether it is Syncline's own, and unknown to others who speak the same API.
        as_text: For a number, or true and false: whether it is answered as text, and may be sent as text. Clients of
            the hosted API read some settings so.
        name: Its name outside, where that differs from the attribute's.
        default: What the attribute is when nothing was set.
        example: A value for docs and forms.
        minimum: Least value of a number.
        maximum: Greatest value of a number.
        check: A further look at the value (for a list: at each item).
        host: For a field that says what is connected to: takes the host out of a value.
    """
    details = Details(
        title=title,
        description=description,
        secret=secret,
        addressed_by=addressed_by,
        stays=stays,
        required=required or mandatory,
        required_when=dict(required_when or {}),
        mandatory=mandatory,
        permanent=permanent,
        read_only=read_only,
        answered=answered,
        unique=unique,
        extension=extension,
        as_text=as_text,
        example=example,
        check=check,
        host=host,
    )
    return Field(
        default=default,
        alias=name,
        title=title,
        description=description,
        ge=minimum,
        le=maximum,
        json_schema_extra={"details": details},  # type: ignore[dict-item]
    )
