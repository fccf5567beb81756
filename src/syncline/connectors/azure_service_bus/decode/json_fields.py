"""The first-level fields of many JSON objects at once, found by DuckDB's JSON functions.

No message becomes a Python object here. But DuckDB reads more kindly than RFC 8259 (it takes NaN and trailing commas)
and makes a double of each number with a fraction, so :func:`are_delicate` first finds the bodies that
:mod:`~syncline.connectors.azure_service_bus.decode.json_text` has to read. Fields are had as a list of names and a list
of values rather than as a struct: a struct's names do not tell `a` from `A`, and a list is as long as the object has
fields, however many the batch has.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from syncline.connectors.azure_service_bus.decode.json_shapes import Shapes
from syncline.connectors.azure_service_bus.decode.json_text import NUMBER_FOLLOWS, PRECISE_NUMBER
from syncline.warehouses.duckdb_connect import connect_in_memory

_DELICATE = tuple(
    rf"{before}(?:{PRECISE_NUMBER}|-?0\.00000|[nN][aA]|-?[iI]{closing})"
    for before, closing in zip(NUMBER_FOLLOWS, ("", r"|[\]}]", ""), strict=True)
)
"""Beside numbers that a double may not keep: small ones (orjson writes 8e-6 where DuckDB writes 0.000008), NaN and
Infinity, and a comma with nothing after it."""

_FIELDS_OF_ALL = "SELECT json_keys(body) AS names, json_extract(body, '$.*') AS texts FROM bodies"
_FIELDS_OF_VALID = (
    "SELECT json_keys(body) AS names, json_extract(body, '$.*') AS texts "
    "FROM (SELECT CASE WHEN json_valid(body) THEN body END AS body FROM bodies)"
)
_PARSED_TOGETHER = 256
"""Bodies that DuckDB parses before it goes on with what it found. Left to itself it takes 2048 of 1 KB, which no
processor's cache holds: all of decoding then takes a quarter longer, and 40 MB more."""
_MOST_NAMES = 2000
"""Different names in one slice. Each takes some calls of Arrow: with more it is quicker to parse each message."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of some objects."""

    name: str
    rows: pa.Array
    """Which objects have it, ascending."""
    places: pa.Array
    """Where it stands in each of them, compared with the object's other fields."""
    texts: pa.Array
    """Its value in each of them, as JSON without white space."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of bodies that follow one another."""

    count: int
    """Of the bodies."""
    fields: list[Field]
    odd: set[int]
    """Which bodies have to be looked at one by one, and have no fields here: what is no JSON, no object, an empty
    object, one that has too many fields or the same twice, or seems to be nested too deeply."""


def are_delicate(bodies: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether there may be something in a body (bytes) that DuckDB reads otherwise than RFC 8259 and orjson do."""
    found = [pc.match_substring_regex(bodies, pattern) for pattern in _DELICATE]
    return pc.fill_null(pc.or_(pc.or_(found[0], found[1]), found[2]), True)


def read_fields(bodies: pa.ChunkedArray, *, at_once: int, most: int) -> Iterator[Fields]:
    """Find the fields of objects.

    Args:
        bodies: Text, none of it delicate.
        at_once: How many bodies to look at together.
        most: How many fields an object may have.
    """
    shapes: dict[str, Shapes] = {}
    for batch in _query(bodies, at_once):
        yield _fields(batch.column("names"), batch.column("texts"), most, shapes)


def _query(bodies: pa.ChunkedArray, at_once: int) -> Iterator[pa.RecordBatch]:
    # One query for all, whose result is taken as it comes: each query has a millisecond to do before its first row.
    batches = pa.table({"body": bodies}).to_batches(max_chunksize=min(at_once, _PARSED_TOGETHER))
    table = pa.Table.from_batches(batches, pa.schema([("body", bodies.type)]))
    done = 0
    with _database().cursor() as cursor:
        cursor.register("bodies", table)
        try:
            for batch in cursor.sql(_FIELDS_OF_ALL).to_arrow_reader(at_once):
                done += batch.num_rows
                yield batch
        except (duckdb.InvalidInputException, OSError):  # the reader gives the former only before its first batch
            # Some body is no JSON. Leaving such out costs a quarter more, so it is done from there on only.
            cursor.register("bodies", table.slice(done))
            yield from cursor.sql(_FIELDS_OF_VALID).to_arrow_reader(at_once)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """The engine, without tables. Each use has a cursor of its own, so threads do not meet."""
    return connect_in_memory()


def _fields(names: pa.Array, texts: pa.Array, most: int, shapes: dict[str, Shapes]) -> Fields:
    """The fields of bodies, by the list of names and the list of values of each."""
    counts = pc.list_value_length(names)
    odd = set(_places(pc.fill_null(pc.equal(counts, 0), True)))
    rows, flat_names, values = pc.list_parent_indices(names), names.flatten(), texts.flatten()
    crowded = _places(pc.greater(counts, most))
    if crowded:
        odd.update(crowded)
        keep = pc.invert(pc.is_in(rows, pa.array(crowded, rows.type)))
        rows, flat_names, values = rows.filter(keep), flat_names.filter(keep), values.filter(keep)
    encoded = flat_names.dictionary_encode()
    if len(encoded.dictionary) > _MOST_NAMES:
        return Fields(len(names), [], set(range(len(names))))
    # The sort is stable, and the dictionary in the order in which names come first.
    by_name = pc.array_sort_indices(encoded.indices)
    ends = list(accumulate(pc.value_counts(encoded.indices).field("counts").to_pylist()))
    fields: list[Field] = []
    twisted: set[int] = set()
    for name, start, end in zip(encoded.dictionary.to_pylist(), [0, *ends], ends, strict=False):
        places = by_name.slice(start, end - start)
        of_name = rows.take(places)
        # What Arrow makes of two values for one place is not promised, so such objects are parsed.
        again = pc.equal(of_name[1:], of_name[:-1])
        if again.true_count:
            twisted.update(of_name[1:].filter(again).to_pylist())
        written, deep = _canonical(values.take(places), shapes.setdefault(name, Shapes()))
        twisted.update(of_name.take(pa.array(deep, pa.int64())).to_pylist())
        fields.append(Field(name, of_name, places, written))
    return Fields(len(names), _without(fields, twisted), odd | twisted)


def _canonical(texts: pa.Array, shapes: Shapes) -> tuple[pa.Array, list[int]]:
    """The texts with the objects and arrays among them as orjson would write them, and which may be too deep."""
    structures = pc.or_(pc.starts_with(texts, "{"), pc.starts_with(texts, "["))
    count = structures.true_count
    if not count:
        return texts, []
    if count == len(texts):
        return shapes.canonical(texts)
    made, deep = shapes.canonical(texts.filter(structures))
    of_structure = _places(structures)
    return pc.replace_with_mask(texts, structures, made), [of_structure[place] for place in deep]


def _without(fields: list[Field], rows: set[int]) -> list[Field]:
    """The fields as they would be without some of the objects."""
    if not rows:
        return fields
    left: list[Field] = []
    for field in fields:
        keep = pc.invert(pc.is_in(field.rows, pa.array(rows, field.rows.type)))
        if keep.true_count:
            arrays = (array.filter(keep) for array in (field.rows, field.places, field.texts))
            left.append(Field(field.name, *arrays))
    return left


def _places(mask: pa.Array) -> list[int]:
    places: list[int] = pc.indices_nonzero(mask).to_pylist()
    return places
