import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline.warehouses import types
from syncline.warehouses.types import ColumnType, Kind, join

simple_types = st.sampled_from([ColumnType(kind) for kind in Kind if kind is not Kind.DECIMAL])
decimals = st.tuples(st.integers(0, 38), st.integers(0, 38)).filter(lambda s: 0 < sum(s) <= 38)
column_types = simple_types | decimals.map(lambda size: types.decimal(*size))

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(column_types, column_types, column_types)
def test_join_is_associative(first, second, third):
    assert join(join(first, second), third) == join(first, join(second, third))


@unhurried
@given(column_types, column_types)
def test_join_is_commutative(first, second):
    assert join(first, second) == join(second, first)


@unhurried
@given(column_types)
def test_join_is_idempotent(column_type):
    assert join(column_type, column_type) == column_type


@unhurried
@given(column_types)
def test_string_is_above_everything(column_type):
    assert join(column_type, types.STRING) == types.STRING


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (types.SHORT, types.INT, types.INT),
        (types.SHORT, types.LONG, types.LONG),
        (types.SHORT, types.FLOAT, types.FLOAT),
        (types.INT, types.FLOAT, types.DOUBLE),
        (types.INT, types.DOUBLE, types.DOUBLE),
        (types.INT, types.decimal(4, 2), types.decimal(10, 2)),
        (types.LONG, types.decimal(4, 2), types.decimal(19, 2)),
        (types.decimal(10, 2), types.decimal(4, 6), types.decimal(10, 6)),
        (types.decimal(30, 2), types.decimal(4, 20), types.JSON),
        (types.LONG, types.DOUBLE, types.JSON),
        (types.BOOLEAN, types.INT, types.JSON),
        (types.JSON, types.LONG, types.JSON),
        (types.JSON, types.STRING, types.STRING),
        (types.LOCALDATE, types.LOCALDATETIME, types.LOCALDATETIME),
        (types.LOCALDATETIME, types.INSTANT, types.STRING),
        (types.INSTANT, types.LONG, types.STRING),
        (types.BINARY, types.JSON, types.STRING),
    ],
)
def test_the_narrowest_type_that_holds_both(first, second, expected):
    assert join(first, second) == expected


@unhurried
@given(column_types)
def test_arrow_fields_keep_the_column_type(column_type):
    assert types.from_arrow(types.arrow_field("a", column_type)) == column_type


def test_an_arrow_type_that_no_column_carries_is_refused():
    with pytest.raises(TypeError, match=r"column 'a'"):
        types.from_arrow(pa.field("a", pa.list_(pa.int8())))


INSTANT_VALUE = dt.datetime(2024, 5, 1, 12, 30, 0, 250000, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        (types.SHORT, types.LONG, 7, 7),
        (types.LONG, types.decimal(19, 2), 7, Decimal("7.00")),
        (types.decimal(4, 2), types.JSON, Decimal("12.50"), "12.50"),
        (types.BOOLEAN, types.JSON, True, "true"),
        (types.DOUBLE, types.JSON, float("inf"), '"inf"'),
        (types.DOUBLE, types.JSON, 1e300, "1e+300"),
        (types.JSON, types.STRING, '{"a": 1}', '{"a": 1}'),
        (types.INSTANT, types.STRING, INSTANT_VALUE, "2024-05-01T12:30:00.250000Z"),
        (types.LOCALDATE, types.STRING, dt.date(2024, 5, 1), "2024-05-01"),
        (types.BINARY, types.STRING, b"\xff\x00", "/wA="),
    ],
)
def test_values_convert_without_loss(source, target, value, expected):
    column = pa.chunked_array([pa.array([value, None], types.to_arrow(source))])
    converted = types.convert(column, source, target)
    assert converted.to_pylist() == [expected, None]
    assert converted.type == types.to_arrow(target)
