"""JSON, unpacked: each first-level field of the message's object is a column `value_<field>`.

A column has the narrowest type that holds its values of the batch without loss (see :mod:`syncline.warehouses.types`):
whole numbers are SHORT, INT or LONG, other numbers DECIMAL (DOUBLE where 38 digits do not do), objects and arrays stay
JSON, strings stay STRING: that a string looks like a date says nothing about the next message. A field that is null
or absent in all messages of the batch has no type and makes no column. Of a field that stands twice in one object the
last one counts. A message that is no object is kept whole in the JSON column `value`.

The fields of a whole slice of the batch are found at once (:mod:`.json_fields`), as JSON texts. A message that needs a
careful look is parsed by itself (:mod:`.json_text`), and the texts of its fields come beside the others, so it makes no
difference to the columns (:mod:`.json_columns`) which way a message went. JSON text is what orjson writes: without
white space, and equal to what came in all that JSON means, but for a number's trailing zeros or a character's escape.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from syncline.connectors.azure_service_bus.decode.json_columns import Part, make_column, make_part
from syncline.connectors.azure_service_bus.decode.json_fields import Field, are_delicate, read_fields
from syncline.connectors.azure_service_bus.decode.json_text import Unreadable, dump, parse
from syncline.connectors.azure_service_bus.decode.outcome import Decoded
from syncline.connectors.schema_registry import SchemaRegistry
from syncline.warehouses import types

MOST_FIELDS = 1000
"""First-level fields of one message. More than this are data rather than structure, and no table has such columns."""

_AT_ONCE = 4096
_BYTES_AT_ONCE = 16 * 1024 * 1024
"""How much of a batch is in memory several times: as bodies, as texts, as columns."""
_FEWEST = 700
"""Messages that are sooner parsed one by one: the engine has some milliseconds to do before the first."""


def decode(messages: pa.Table, schemas: SchemaRegistry | None = None) -> Decoded:
    """Parse the bodies and make typed columns of their first-level fields."""
    parts: dict[str, list[Part]] = {}
    others: dict[int, str] = {}
    reasons: dict[int, str] = {}
    rows = 0
    for found in _slices(messages):
        for name, texts in found.columns():
            parts.setdefault(name, []).append(make_part(rows, texts))
        others.update((rows + found.row_of(place), text) for place, text in found.others.items())
        reasons.update((found.start + place, reason) for place, reason in found.reasons.items())
        rows += found.rows
    fields: list[pa.Field] = []
    columns: list[pa.Array | pa.ChunkedArray] = []
    if others:
        fields.append(types.arrow_field("value", types.JSON))
        columns.append(pa.array([others.get(row) for row in range(rows)], pa.string()))
    for name in list(parts):
        typed = make_column(parts.pop(name), rows)
        if typed is not None:
            fields.append(types.arrow_field(f"value_{name}", typed[0]))
            columns.append(typed[1])
    return Decoded(fields, columns, reasons)


def _slices(messages: pa.Table) -> Iterator["_Slice"]:
    """Decode some thousand messages at a time."""
    if not messages.num_rows:
        return
    bodies = messages.column("body")
    at_once = min(_AT_ONCE, max(1, _BYTES_AT_ONCE * messages.num_rows // max(1, bodies.nbytes)))
    places, texts = _plain(bodies)
    start = taken = 0
    if len(places) >= _FEWEST:
        for found in read_fields(texts, at_once=at_once, most=MOST_FIELDS):
            of_found = places.slice(taken, found.count)
            taken += found.count
            # Up to the next of its kind: what lies between is parsed one by one.
            end = places[taken].as_py() if taken < len(places) else messages.num_rows
            odd = of_found.take(pa.array(sorted(found.odd), pa.int64()))
            yield _Slice(messages, start, end, found.fields, of_found, odd)
            start = end
    for left in range(start, messages.num_rows, at_once):
        yield _Slice(messages, left, min(left + at_once, messages.num_rows))


def _plain(bodies: pa.ChunkedArray) -> tuple[pa.Array, pa.ChunkedArray]:
    """The places of the messages that the engine can read, and their texts."""
    delicate = are_delicate(bodies)
    every_place = pa.arange(0, len(bodies))
    try:
        texts = bodies.cast(pa.large_string())
    except pa.ArrowInvalid:
        # A few messages in another charset.
        are_utf8 = pa.array([_is_utf8(body) for body in bodies.to_pylist()])
        places = every_place.filter(pc.and_not(are_utf8, delicate.combine_chunks()))
        return places, bodies.take(places).cast(pa.large_string())
    if not pc.any(delicate).as_py():
        return every_place, texts
    places = every_place.filter(pc.invert(delicate).combine_chunks())
    return places, texts.take(places)


def _is_utf8(body: bytes | None) -> bool:
    try:
        return body is not None and body.decode() is not None
    except UnicodeDecodeError:
        return False


@dataclass(slots=True)
class _Texts:
    """A field's values in messages that were parsed one by one."""

    first: tuple[int, int]
    """The first of the messages, and where in it the field stands."""
    places: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


class _Slice:
    """The fields of messages that follow one another.

    Messages go by their place in the slice, and rows are those not rejected.
    """

    def __init__(
        self,
        messages: pa.Table,
        start: int,
        end: int,
        fields: Iterable[Field] = (),
        plain: pa.Array | None = None,
        odd: pa.Array | None = None,
    ) -> None:
        """Parse what has to be parsed one by one.

        Args:
            messages: The batch.
            start: The first message of the slice.
            end: The end of the slice.
            fields: What was found at once.
            plain: The places in the batch of the messages in which that was found.
            odd: Those of them that have to be parsed nevertheless.
        """
        self.start = start
        self.reasons: dict[int, str] = {}
        self.others: dict[int, str] = {}
        """JSON texts of the messages that are no objects."""
        self._fields = {field.name: field for field in fields}
        self._texts: dict[str, _Texts] = {}
        count = end - start
        self._plain = pa.array([], pa.int64())
        if plain is None or odd is None:
            careful = list(range(count))
        else:
            self._plain = pc.subtract(plain, start)
            careful = pc.subtract(odd, start).to_pylist()
            if len(plain) < count:
                careful = sorted(set(range(count)).difference(self._plain.to_pylist()).union(careful))
        chosen = messages.slice(start, count)
        if len(careful) < count:
            chosen = chosen.take(pa.array(careful, pa.int64()))
        for place, value in zip(careful, parse(chosen), strict=True):
            self._take(place, value)
        self.rows = count - len(self.reasons)
        self._row_of: list[int] | range = range(count)
        if self.reasons:
            accepted = accumulate((place not in self.reasons for place in range(count)), initial=0)
            self._row_of = list(accepted)

    def row_of(self, place: int) -> int:
        """The row of a message that is not rejected."""
        return self._row_of[place]

    def columns(self) -> Iterator[tuple[str, pa.Array]]:
        """Each field's name, and its JSON texts in all rows, in the order in which the fields come first."""
        order = {name: texts.first for name, texts in self._texts.items()}
        for name, each in self._fields.items():
            first = (self._places(each)[0].as_py(), each.places[0].as_py())
            order[name] = min(first, order.get(name, first))
        every_row = pa.arange(0, self.rows)
        row_of = pa.array(self._row_of, pa.int64()) if self.reasons else None
        for name in sorted(order, key=order.__getitem__):
            places, texts = self._column(name)
            rows = places if row_of is None else row_of.take(places)
            if not rows.equals(every_row):
                texts = texts.take(pc.inverse_permutation(rows, max_index=self.rows - 1))
            yield name, texts

    def _column(self, name: str) -> tuple[pa.Array, pa.Array]:
        """The places of the messages that have a field, and its texts in them."""
        arrays: list[tuple[pa.Array, pa.Array]] = []
        if name in self._fields:
            arrays.append((self._places(self._fields[name]), self._fields[name].texts))
        if name in self._texts:
            careful = self._texts[name]
            arrays.append((pa.array(careful.places, pa.int64()), pa.array(careful.texts, pa.string())))
        if len(arrays) == 1:
            return arrays[0]
        return pa.concat_arrays([places for places, _ in arrays]), pa.concat_arrays([texts for _, texts in arrays])

    def _places(self, field: Field) -> pa.Array:
        return self._plain.take(field.rows)

    def _take(self, place: int, value: Any) -> None:
        """Take note of a message that was parsed by itself."""
        if isinstance(value, Unreadable):
            self.reasons[place] = str(value)
        elif type(value) is not dict:
            self.others[place] = dump(value)
        elif len(value) > MOST_FIELDS:
            self.reasons[place] = (
                f"The object has {len(value):,} fields, but only {MOST_FIELDS:,} can become columns. "
                "Set sync_type to Packed to keep such messages whole."
            )
        else:
            for position, (name, inner) in enumerate(value.items()):
                texts = self._texts.get(name)
                if texts is None:
                    texts = self._texts[name] = _Texts((place, position))
                texts.places.append(place)
                texts.texts.append(dump(inner))
