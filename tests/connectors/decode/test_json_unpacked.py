"""Messages that are unpacked all at once give what they give when each is parsed by itself."""

import json
import random
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline.connectors.azure_service_bus.decode import decode_batch, json_unpacked
from tests.connectors.decode import json_texts
from tests.connectors.decode.batches import batch, check_complete

ONE_BY_ONE = 10**9


def unpack(bodies: Sequence[bytes], fewest: int, at_once: int = 100) -> tuple[pa.Table, pa.Table]:
    """Rows and rejects, by the engine if there are at least `fewest` messages that it can read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_unpacked, "_FEWEST", fewest)
        patch.setattr(json_unpacked, "_AT_ONCE", at_once)
        rows, rejects = decode_batch(batch(bodies), "Json", "Unpacked")
    check_complete(bodies, rows, rejects)
    return rows, rejects


def check_same(bodies: Sequence[bytes], at_once: int = 100) -> pa.Table:
    """Check that both ways give the same names, types, values and reasons. Returns the rows."""
    expected_rows, expected_rejects = unpack(bodies, ONE_BY_ONE)
    rows, rejects = unpack(bodies, 0, at_once)
    assert rows.schema.equals(expected_rows.schema, check_metadata=True)
    assert rows.to_pylist() == expected_rows.to_pylist()
    assert rejects.to_pylist() == expected_rejects.to_pylist()
    return rows


@settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))
@given(st.lists(json_texts.bodies, min_size=1, max_size=12), st.sampled_from([1, 3, 100]))
def test_any_batch(bodies: list[bytes], at_once: int) -> None:
    check_same(bodies, at_once)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(json_texts.objects(json_texts.numbers), min_size=1, max_size=12))
def test_any_numbers(documents: list[str]) -> None:
    check_same([document.encode() for document in documents])


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.lists(json_texts.values, min_size=20, max_size=40), st.randoms(use_true_random=False))
def test_one_field_with_shapes_that_recur(values: list[str], chance: random.Random) -> None:
    recurring = [chance.choice(values[:5]) for _ in range(100)] + values
    check_same([f'{{"a":{value}}}'.encode() for value in recurring], at_once=50)


def test_of_a_name_that_stands_twice_the_last_counts_at_any_depth() -> None:
    usual = [b'{"a":{"b":[{"c":1,"d":"x"}]}}'] * 50
    rows = check_same([*usual, b'{"a":{"b":[{"c":1,"c":2,"d":"x"}]}}', b'{"a":1,"a":{"b":[]}}', *usual])
    assert rows.column("value_a").to_pylist()[50:52] == ['{"b":[{"c":2,"d":"x"}]}', '{"b":[]}']


def test_names_that_differ_in_case_are_different_fields() -> None:
    rows = check_same([b'{"a":1,"A":"x"}', b'{"A":"y","a":2}'] * 5)
    assert rows.column("value_a").to_pylist() == [1, 2] * 5
    assert rows.column("value_A").to_pylist() == ["x", "y"] * 5


@pytest.mark.parametrize("bad", [b"broken", b"\xff", b'{"a":NaN}', b'{"a":[1,]}', b'{"a":' + b"[" * 300 + b"]" * 300])
def test_a_bad_message_anywhere_in_the_batch(bad: bytes) -> None:
    bodies = [f'{{"a":{number}}}'.encode() for number in range(300)]
    for place in (0, 149, 299):
        rows = check_same([*bodies[:place], bad, *bodies[place:]], at_once=64)
        assert rows.column("value_a").to_pylist() == list(range(300))


def test_fields_stand_in_the_order_in_which_they_come() -> None:
    rows = check_same([b'{"z":1}', b'{"y":1e5,"z":2,"x":1}', b'{"x":1,"w":1}', b'{"v":1.5e1}'])
    assert [name for name in rows.column_names if name.startswith("value_")] == [f"value_{name}" for name in "zyxwv"]


def test_every_message_with_names_of_its_own() -> None:
    bodies = [json.dumps({f"{number}_{index}": index for index in range(30)}).encode() for number in range(70)]
    assert check_same(bodies).num_columns == unpack(bodies[:1], 0)[0].num_columns + 69 * 30


def test_a_message_with_too_many_fields_is_rejected_alone() -> None:
    crowded = json.dumps({f"f{number}": number for number in range(1001)}).encode()
    assert check_same([b'{"f1":1}', crowded, b'{"f1":2}']).column("value_f1").to_pylist() == [1, 2]


def test_a_zero_with_an_exponent_is_a_number() -> None:
    assert check_same([b'{"a":0e0}']).column("value_a").to_pylist() == [0]


def test_the_type_of_a_field_does_not_depend_on_other_fields() -> None:
    rows = check_same([b'{"a":1.0,"b":1e5}', b'{"a":2.0}', b'{"a":3.0,"b":"id, 1234567890123456789"}'])
    assert rows.schema.field("value_a").type == pa.decimal128(11, 1)
