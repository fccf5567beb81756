"""From the source's names to the destination's.

``FIVETRAN_NAMING`` makes lower snake case: anything but letters, digits and ``_`` becomes ``_``, and a leading digit
gets a ``_`` before it. ``SOURCE_NAMING`` keeps the source's names, but for the few characters that no SQL identifier
can carry safely. Either way, names that would be too long or equal are told apart by a suffix made from the source's
name, so that they stay distinguishable and do not depend on what else is in a batch.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

_LOWER_TO_UPPER = re.compile(r"(?<=[^\W_A-Z])(?=[A-Z])")
_ACRONYM_TO_WORD = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_IN_A_NAME = re.compile(r"\W")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\"';▶.%{}?*:|<>/\\]")
_SUFFIX_LENGTH = 8


class Naming(StrEnum):
    """How the names of tables and columns are made."""

    FIVETRAN_NAMING = "FIVETRAN_NAMING"
    SOURCE_NAMING = "SOURCE_NAMING"


def normalize(name: str, naming: Naming = Naming.FIVETRAN_NAMING) -> str:
    """The destination's name for a source's name, before lengths and collisions are looked at. Never empty."""
    return _NORMALIZERS[naming](unicodedata.normalize("NFC", name))


def fit(name: str, source: str, longest: int) -> str:
    """`name` if its UTF-8 form has at most `longest` bytes, else its beginning and a suffix made from `source`."""
    if len(name.encode()) <= longest:
        return name
    return distinguish(name, source, longest)


def distinguish(name: str, source: str, longest: int) -> str:
    """`name`, cut where needed to stay within `longest` bytes, with a suffix made from `source`."""
    suffix = "_" + hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:_SUFFIX_LENGTH]
    beginning = name.encode()[: longest - len(suffix)].decode("utf-8", "ignore")
    return beginning + suffix


def assign(
    sources: Iterable[str], known: Mapping[str, str], naming: Naming, longest: int, taken: Iterable[str] = ()
) -> dict[str, str]:
    """A destination name for each of `sources`, all different even where case is ignored.

    Args:
        sources: Names in the source.
        known: Names given earlier (source to destination). They are kept.
        naming: How names are made.
        longest: Most bytes of a name.
        taken: Names of the destination that may not be given.
    """
    names = dict(known)
    in_use = {name.casefold() for name in (*known.values(), *taken)}
    # A name that needs no change comes before those that change into it, whatever their order in a batch.
    new = sorted({source for source in sources if source not in known}, key=lambda s: (normalize(s, naming) != s, s))
    for source in new:
        name = fit(normalize(source, naming), source, longest)
        if name.casefold() in in_use:
            name = distinguish(normalize(source, naming), source, longest)
        names[source] = name
        in_use.add(name.casefold())
    return names


def _snake_case(name: str) -> str:
    name = _ACRONYM_TO_WORD.sub("_", _LOWER_TO_UPPER.sub("_", name))
    name = _NOT_IN_A_NAME.sub("_", name.lower())
    if not name:
        return "_"
    return f"_{name}" if name[0].isdigit() else name


def _as_in_source(name: str) -> str:
    return _UNSAFE.sub("_", name).strip() or "_"


_NORMALIZERS: Mapping[Naming, Callable[[str], str]] = {
    Naming.FIVETRAN_NAMING: _snake_case,
    Naming.SOURCE_NAMING: _as_in_source,
}
