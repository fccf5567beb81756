"""Leaving out, hashing and fitting columns."""

import base64
import hmac
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.sync.choosing import choose
from syncline.sync.hashing import hashed
from syncline.sync.selection import Selection, SyncMode
from syncline.sync.type_lock import fitted
from syncline.warehouses import types
from syncline.warehouses.types import ColumnType

SALT = b"pepper"


def chunked(column_type: ColumnType, *chunks: list[Any]) -> pa.ChunkedArray:
    return pa.chunked_array(
        [pa.array(chunk, types.to_arrow(column_type)) for chunk in chunks], types.to_arrow(column_type)
    )


@given(st.lists(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), max_size=5), max_size=4))
def test_a_hash_is_the_hmac_of_the_text_and_null_stays_null(chunks: list[list[str | None]]) -> None:
    expected = [
        None if value is None else base64.b64encode(hmac.digest(SALT, value.encode(), "sha256")).decode()
        for chunk in chunks
        for value in chunk
    ]
    assert hashed(chunked(types.STRING, *chunks), types.STRING, SALT).to_pylist() == expected


def test_a_number_hashes_as_its_text_whatever_its_width() -> None:
    (as_text,) = hashed(chunked(types.STRING, ["7"]), types.STRING, SALT).to_pylist()
    for column_type in (types.SHORT, types.INT, types.LONG, types.decimal(5, 0)):
        assert hashed(chunked(column_type, [7]), column_type, SALT).to_pylist() == [as_text]
    assert hashed(chunked(types.STRING, ["7"]), types.STRING, b"other").to_pylist() != [as_text]


def test_a_selection_is_applied_column_by_column() -> None:
    table = pa.table(
        {
            "message_id": pa.array(["a", "b"]),
            "blocked": pa.array([1, 2]),
            "secret": pa.array(["x", "y"]),
            "nul\x00name": pa.array([1, 2]),
            "number": pa.array(["1", "one"]),
        }
    )
    selection = Selection(
        blocked=frozenset({"blocked", "nul␀name"}),
        hashed=frozenset({"secret"}),
        locked_types={"number": types.INT, "absent": types.INT},
        salt=SALT,
    )
    chosen, lost = choose(table, selection)
    assert chosen.column_names == ["message_id", "secret", "number"]
    assert chosen.column("number").to_pylist() == [1, None]
    assert all(len(value) == 44 for value in chosen.column("secret").to_pylist())
    assert lost == {"number": 1}
    assert choose(table, Selection()) == (table, {})
    assert "pepper" not in repr(selection)


@pytest.mark.parametrize(
    ("loaded", "wanted", "needs"),
    [
        (None, "HISTORY", False),
        ("SOFT_DELETE", "LIVE", False),
        ("SOFT_DELETE", "HISTORY", True),
        ("HISTORY", "LIVE", True),
        ("HISTORY", "HISTORY", False),
    ],
)
def test_a_new_key_is_needed_where_rows_are_told_apart_by_another(loaded: str | None, wanted: str, needs: bool) -> None:
    selection = Selection(sync_mode=SyncMode(wanted), loaded_mode=SyncMode(loaded) if loaded else None)
    assert selection.needs_new_key is needs


NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("source", "values", "target", "expected"),
    [
        (
            types.STRING,
            ["1", "2.5", "x", None, "3.0", "99999999999", ""],
            types.INT,
            [1, None, None, None, 3, None, None],
        ),
        (types.LONG, [1, 2**40, None], types.INT, [1, None, None]),
        (types.DOUBLE, [1.5, 2.0, 1e30, float("nan")], types.LONG, [None, 2, None, None]),
        (types.DOUBLE, [1.5, 1.25], types.decimal(3, 1), [Decimal("1.5"), None]),
        (types.STRING, ["1.50", "1.25", "9999"], types.decimal(3, 1), [Decimal("1.5"), None, None]),
        (types.STRING, ["true", "false", "yes", "1"], types.BOOLEAN, [True, False, None, None]),
        (types.STRING, ["2024-05-01T12:00:00Z", "2024-05-01T12:00:00", "soon"], types.INSTANT, [NOON, None, None]),
        (types.STRING, ["2024-05-01T14:00:00+02:00"], types.INSTANT, [NOON]),
        (types.INSTANT, [NOON], types.LOCALDATE, [None]),
        (types.JSON, ['"2024-05-01T12:00:00Z"', '"x"', "{}", "7"], types.INSTANT, [NOON, None, None, None]),
        (types.JSON, ["7", '"7"', "[7]"], types.SHORT, [7, 7, None]),
        (
            types.STRING,
            ['{"a": 1}', "plain", 'with "quotes"'],
            types.JSON,
            ['{"a": 1}', '"plain"', '"with \\"quotes\\""'],
        ),
        (types.STRING, ["AAAA"], types.BINARY, [None]),
        (types.INT, [1, None], types.LONG, [1, None]),
        (types.INT, [1, None], types.STRING, ["1", None]),
    ],
)
def test_what_fits_a_locked_type_is_kept(
    source: ColumnType, values: list[Any], target: ColumnType, expected: list[Any]
) -> None:
    kept = fitted(chunked(source, values), source, target)
    assert kept.type == types.to_arrow(target)
    assert kept.to_pylist() == expected


@given(
    st.lists(st.integers(-(2**15), 2**15 - 1)), st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
)
def test_numbers_survive_neighbours_that_made_text_of_them(numbers: list[int], texts: list[str]) -> None:
    values = [str(number) for number in numbers] + [f"x{text}" for text in texts]
    kept = fitted(chunked(types.STRING, values), types.STRING, types.SHORT)
    assert kept.to_pylist() == numbers + [None] * len(texts)
