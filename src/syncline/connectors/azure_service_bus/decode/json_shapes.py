"""JSON text of objects and arrays as orjson would write it, for a whole column.

DuckDB's text of a value differs in two things: it keeps all of the fields that have one name in an object, and it
writes control characters with capital digits (`\\u001F`). Neither happens often, and looking for it in each text costs
as much as all else that decoding does. So the texts of a column are compared with the shapes of a few of them: a
text that matches one has the same names in the same order, none of them twice, and is nested no deeper. Only what
matches none is parsed and written again.
"""

import re
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

_SCALAR = r'(?:"(?:[^"\\]|\\[^u])*"|[-+.0-9A-Za-z]+)'
_SAMPLES = (4, 28)
"""How many texts to learn from at first, and again when many have none of the shapes of those."""
_FEW = 16
"""Texts that had better be parsed than learned from."""
_MOST_SHAPES = 16
_LONGEST_PATTERN = 8000
"""Characters. RE2 becomes slow where a pattern is much longer."""
_MOST_BRACES = 240
"""Objects and arrays in one value that are too few to be nested too deeply, even in each other."""


class Shapes:
    """The shapes of one field's objects and arrays."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}
        self._are_many = False

    def canonical(self, texts: pa.Array) -> tuple[pa.Array, list[int]]:
        """The texts (no nulls) as orjson writes them.

        Returns:
            The texts, and the places of those that may be nested more deeply than orjson can write.
        """
        unproven = self._unproven(texts)
        deep: list[int] = []
        changed: dict[int, str] = {}
        for place, text in zip(unproven.to_pylist(), texts.take(unproven).to_pylist(), strict=True):
            if _braces(text) > _MOST_BRACES:
                deep.append(place)
            else:
                written = orjson.dumps(orjson.loads(text)).decode()
                if written != text:
                    changed[place] = written
        if changed:
            mask = pc.is_in(pa.arange(0, len(texts)), pa.array(list(changed), pa.int64()))
            texts = pc.replace_with_mask(texts, mask, pa.array(list(changed.values()), pa.string()))
        return texts, deep

    def _unproven(self, texts: pa.Array) -> pa.Array:
        """The places of the texts that have none of the shapes."""
        unproven = self._without_known(texts, pa.arange(0, len(texts)))
        for count in _SAMPLES:
            if len(unproven) <= _FEW or self._are_many:
                break
            self._learn(texts.take(unproven[:: max(1, len(unproven) // count)]).to_pylist())
            unproven = self._without_known(texts, unproven)
        return unproven

    def _learn(self, samples: list[str]) -> None:
        usual = (text for text in samples if len(text) <= _LONGEST_PATTERN and _braces(text) <= _MOST_BRACES)
        shapes = self._known | dict.fromkeys(_shape(orjson.loads(text)) for text in usual)
        self._are_many = len(shapes) > _MOST_SHAPES or sum(map(len, shapes)) > _LONGEST_PATTERN
        if not self._are_many:
            self._known = shapes

    def _without_known(self, texts: pa.Array, places: pa.Array) -> pa.Array:
        if not self._known:
            return places
        are_known = pc.match_substring_regex(texts.take(places), f"^(?:{'|'.join(self._known)})$")
        return places.filter(pc.invert(are_known))


def _braces(text: str) -> int:
    return text.count("{") + text.count("[")


def _shape(value: Any) -> str:
    """A pattern of the texts that differ from a value's in nothing but scalars and the length of arrays."""
    if type(value) is dict:
        fields = (f"{re.escape(orjson.dumps(name).decode())}:{_shape(inner)}" for name, inner in value.items())
        return rf"(?:null|\{{{','.join(fields)}\}})"
    if type(value) is list:
        shapes = dict.fromkeys(map(_shape, value)) or [_SCALAR]
        return rf"(?:null|\[(?:(?:{'|'.join(shapes)}),?)*\])"
    return _SCALAR
