"""Every pair of types: a column of the one gets values of the other.

All pairs are columns of one table, so that three loads try them all.
"""

import base64
import datetime as dt
import json
import struct
from decimal import Decimal
from itertools import product
from math import isnan
from typing import Any

import pyarrow as pa
import pytest

from syncline.sync.choosing import choose
from syncline.sync.selection import Selection
from syncline.sync.type_lock import fitted
from syncline.warehouses import types
from syncline.warehouses.types import ColumnType, Kind
from tests.warehouses.conftest import Target


def single(value: Any) -> float:
    """The nearest float of 32 bits."""
    return struct.unpack("f", struct.pack("f", float(value)))[0]


BOTH_ENDS = tuple(map(dt.datetime.fromisoformat, ("0001-01-01", "9999-12-31T23:59:59.999999")))
SAMPLES: dict[ColumnType, list[Any]] = {
    types.BOOLEAN: [True, False],
    types.SHORT: [-(2**15), 2**15 - 1, 0],
    types.INT: [-(2**31), 2**31 - 1, 7],
    types.LONG: [-(2**63), 2**63 - 1, 7],
    types.decimal(3, 2): [Decimal("-999.99"), Decimal("0.01")],
    types.decimal(20, 10): [Decimal("9" * 20 + "." + "9" * 10), Decimal("7")],
    types.decimal(38, 0): [Decimal("-" + "9" * 38), Decimal(7)],
    types.FLOAT: [single(0.1), single(3.4e38), -0.0, float("-inf"), float("nan")],
    types.DOUBLE: [0.1, 1.7976931348623157e308, 5e-324, 7.0, float("inf"), float("nan")],
    types.LOCALDATE: [moment.date() for moment in BOTH_ENDS],
    types.LOCALDATETIME: [*BOTH_ENDS, dt.datetime.fromisoformat("2024-02-29T01:02:03")],
    types.INSTANT: [moment.replace(tzinfo=dt.UTC) for moment in BOTH_ENDS],
    types.JSON: ['{"a": [1, 2.50, "é"]}', "12345678901234567890.5", '"text"', "null", "true"],
    types.XML: ["<a>é</a>"],
    types.BINARY: [b"", bytes(range(256))],
    types.STRING: ["", "ünï\U0001f600", "7", "{", "2024-02-29"],
}
PAIRS = list(product(SAMPLES, SAMPLES))
ROWS = max(map(len, SAMPLES.values())) + 1
"""One row more than there are samples, so that each column has a null too."""


def name_of(pair: tuple[ColumnType, ColumnType]) -> str:
    return "__".join(
        str(each.kind) + (f"_{each.integer_digits}_{each.scale}" if each.kind is Kind.DECIMAL else "") for each in pair
    ).lower()


def padded(column_type: ColumnType) -> list[Any]:
    return [*SAMPLES[column_type], *[None] * (ROWS - len(SAMPLES[column_type]))]


def batch(load: int, side: int) -> pa.Table:
    """A batch that has, for each pair, the samples of its first (0) or second (1) type."""
    fields = [pa.field("message_id", pa.string()), pa.field("sequence_num", pa.int64())]
    numbers = range(load * ROWS, (load + 1) * ROWS)
    columns = [pa.array([f"m{number}" for number in numbers]), pa.array(numbers, pa.int64())]
    for pair in PAIRS:
        fields.append(types.arrow_field(name_of(pair), pair[side]))
        columns.append(pa.array(padded(pair[side]), types.to_arrow(pair[side])))
    return pa.table(columns, schema=pa.schema(fields))


def stored_columns(target: Target, column_types: dict[str, ColumnType]) -> dict[str, list[Any]]:
    """What the table holds, in the order of sequence numbers, through the destination's own client.

    Clients in Python know no moments beyond theirs and make doubles of numbers in JSON, so those come as text.
    """
    names = ", ".join(f'"{name}"::text' if of.kind is Kind.JSON else f'"{name}"' for name, of in column_types.items())
    rows = target.query(f"SELECT {names} FROM bus.pairs ORDER BY sequence_num")
    return {name: [row[place] for row in rows] for place, name in enumerate(column_types)}


def parsed(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


FROM_TEXT = {
    Kind.BOOLEAN: {"true": True, "false": False}.get,
    Kind.BINARY: base64.b64decode,
    Kind.JSON: parsed,
    Kind.LOCALDATE: dt.date.fromisoformat,
    Kind.LOCALDATETIME: dt.datetime.fromisoformat,
    Kind.INSTANT: dt.datetime.fromisoformat,
    Kind.XML: str,
    Kind.STRING: str,
}
"""How to read a value of each kind from text; the others are decimals."""


def same_float(found: Any, value: float, source: ColumnType) -> bool:
    read = single(found) if source.kind is Kind.FLOAT else float(found)
    return isnan(read) if isnan(value) else read == value


def is_kept(value: Any, source: ColumnType, found: Any, target: ColumnType) -> bool:
    """Whether `found`, in a column of type `target`, says the same as `value`, of type `source`."""
    if value is None or found is None:
        return value is found
    if target.kind is Kind.JSON:
        found = parsed(found)
        if source.kind is Kind.JSON:
            return bool(found == parsed(value))
    if source.kind in (Kind.FLOAT, Kind.DOUBLE):
        return same_float(found, value, source)
    if target.kind is Kind.STRING:
        if source.kind is Kind.JSON:
            value = parsed(value)
        return bool(FROM_TEXT.get(source.kind, Decimal)(found) == value)
    if target.kind is Kind.LOCALDATETIME and source.kind is Kind.LOCALDATE:
        value = dt.datetime.combine(value, dt.time())
    if target.kind is Kind.INSTANT:
        found = found.astimezone(dt.UTC)
    return bool(found == value)


def test_a_column_of_any_type_takes_values_of_any_other(target: Target) -> None:
    with target.open() as loader:
        loader.load("pairs", batch(0, side=0))
        before = target.columns("pairs")
        widened = loader.load("pairs", batch(1, side=1))
        after = target.columns("pairs")
        again = loader.load("pairs", batch(2, side=0))
    assert target.query("SELECT count(*), count(DISTINCT message_id) FROM bus.pairs") == [(3 * ROWS, 3 * ROWS)]
    assert list(after) == list(before)
    assert (widened.new_columns, again.new_columns, again.widened_columns) == ((), (), ())
    assert target.columns("pairs") == after
    joined = {name_of(pair): types.join(*pair) for pair in PAIRS}
    spelled = {of: before[name_of((of, of))] for of in SAMPLES}
    assert {name: after[name] for name, of in joined.items() if of in spelled} == {
        name: spelled[of] for name, of in joined.items() if of in spelled
    }
    found = stored_columns(target, joined)
    wrong = [
        f"{name} ({joined[name]}): {value!r} is now {held!r}"
        for pair in PAIRS
        for name in [name_of(pair)]
        for side, load in ((0, 0), (1, 1), (0, 2))
        for value, held in zip(padded(pair[side]), found[name][load * ROWS : (load + 1) * ROWS], strict=True)
        if not is_kept(value, pair[side], held, joined[name])
    ]
    assert wrong == []


def test_a_locked_column_of_any_type_keeps_it_whatever_comes(target: Target) -> None:
    locked = {name_of(pair): pair[0] for pair in PAIRS}
    chosen, lost = choose(batch(1, side=1), Selection(locked_types=locked))
    with target.open() as loader:
        loader.load("pairs", batch(0, side=0))
        before = target.columns("pairs")
        result = loader.load("pairs", chosen)
    assert (result.new_columns, result.widened_columns) == ((), ())
    assert target.columns("pairs") == before
    found = stored_columns(target, locked)
    wrong = []
    for pair in PAIRS:
        name = name_of(pair)
        first, second = found[name][:ROWS], found[name][ROWS:]
        wrong += [
            name
            for value, held in zip(padded(pair[0]), first, strict=True)
            if not is_kept(value, pair[0], held, pair[0])
        ]
        kept = [(value, held) for value, held in zip(padded(pair[1]), second, strict=True) if held is not None]
        wrong += [
            f"{name}: {value!r} became {held!r}" for value, held in kept if not is_read(value, pair[1], held, pair[0])
        ]
        assert lost.get(name, 0) == len(SAMPLES[pair[1]]) - len(kept), name
        if types.holds(*pair):
            assert name not in lost
    assert wrong == []


def is_read(value: Any, source: ColumnType, found: Any, target: ColumnType) -> bool:
    """Whether `found`, in a locked column of type `target`, was rightly read from `value`, of type `source`."""
    if types.holds(target, source):
        return is_kept(value, source, found, target)
    if target.kind is Kind.JSON:
        text = parsed(found)
        return bool(text == value or is_kept(value, source, text, types.STRING) or text == parsed(value))
    if source.kind in (Kind.JSON, Kind.STRING):
        value = parsed(value) if source.kind is Kind.JSON else value
        if isinstance(found, bool):
            return value in (found, str(found).lower())
        if isinstance(found, dt.date):
            return bool(found == type(found).fromisoformat(value))
        value = Decimal(value)
    if Kind.FLOAT in (source.kind, target.kind):
        return repr(single(found) + 0.0) == repr(single(value) + 0.0)
    if Kind.DOUBLE in (source.kind, target.kind):
        return repr(float(found) + 0.0) == repr(float(value) + 0.0)
    return bool(found == value)


@pytest.mark.parametrize(
    ("target", "source", "value", "expected"),
    [
        (types.SHORT, types.LONG, 32767, 32767),
        (types.SHORT, types.LONG, 32768, None),
        (types.LONG, types.STRING, "-12", -12),
        (types.LONG, types.STRING, "12.5", None),
        (types.LONG, types.STRING, "12 apples", None),
        (types.LONG, types.JSON, "9223372036854775808", None),
        (types.LONG, types.JSON, '{"a": 1}', None),
        (types.LONG, types.DOUBLE, 3.0, 3),
        (types.LONG, types.DOUBLE, 3.5, None),
        (types.decimal(3, 2), types.DOUBLE, 3.25, Decimal("3.25")),
        (types.decimal(3, 2), types.decimal(5, 4), Decimal("3.1250"), None),
        (types.decimal(3, 2), types.decimal(5, 4), Decimal("3.1200"), Decimal("3.12")),
        (types.decimal(3, 2), types.LONG, 1000, None),
        (types.DOUBLE, types.JSON, "0.5", 0.5),
        (types.DOUBLE, types.LONG, 2**53 + 1, None),
        (types.DOUBLE, types.decimal(20, 2), Decimal("12345678901234567890.12"), None),
        (types.FLOAT, types.DOUBLE, 0.1, single(0.1)),
        (types.FLOAT, types.DOUBLE, 0.123456789, None),
        (types.FLOAT, types.DOUBLE, 1e300, None),
        (types.FLOAT, types.DOUBLE, float("-inf"), float("-inf")),
        (types.FLOAT, types.DOUBLE, 0.5, 0.5),
        (types.DOUBLE, types.STRING, "1e999", None),
        (types.BOOLEAN, types.STRING, "true", True),
        (types.BOOLEAN, types.STRING, "yes", None),
        (types.BOOLEAN, types.LONG, 1, None),
        (types.LOCALDATE, types.STRING, "2024-02-29", dt.date(2024, 2, 29)),
        (types.LOCALDATE, types.STRING, "2023-02-29", None),
        (types.LOCALDATE, types.LOCALDATETIME, dt.datetime.fromisoformat("2024-02-29T12:00"), None),
        (types.LOCALDATETIME, types.INSTANT, dt.datetime(2024, 2, 29, tzinfo=dt.UTC), None),
        (types.INSTANT, types.STRING, "2024-02-29T12:00:00+02:00", dt.datetime(2024, 2, 29, 10, tzinfo=dt.UTC)),
        (types.INSTANT, types.STRING, "2024-02-29T12:00:00", None),
        (types.JSON, types.STRING, "not JSON", '"not JSON"'),
        (types.JSON, types.STRING, "[1]", "[1]"),
        (types.BINARY, types.STRING, "AAA=", None),
    ],
)
def test_what_fits_a_locked_type(target: ColumnType, source: ColumnType, value: Any, expected: Any) -> None:
    column = pa.chunked_array([pa.array([value, None], types.to_arrow(source))])
    made = fitted(column, source, target)
    assert made.to_pylist() == [expected, None]
    assert made.type == types.to_arrow(target)
