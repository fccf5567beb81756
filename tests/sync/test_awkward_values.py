"""Messages that are valid, decoded and loaded: no value that a sender can think of may stop a sync."""

import datetime as dt
import json

import pytest

from syncline.connectors.azure_service_bus.decode import decode_batch
from syncline.sync.shape import stamp
from tests.sync.fakes import messages
from tests.warehouses.conftest import duckdb_target, postgres_target, target  # noqa: F401

BODIES = [
    b'{"a": ' + b"[" * 240 + b"]" * 240 + b"}",
    b'{"a": {"n": [1e308, 1e-999, 0.1234567890123456789012345678901234567890123456789, 1E+5, -0, -0.0]}}',
    b'{"a": [' + b"9" * 300 + b"]}",
    '{"a": {"ü𝄞\\u0000\\u001f\\ud834\\udd1e": "\\u0000", "": ["\\\\u0000"]}}'.encode(),
    b'{"a": {"x": 1, "x": 2}}',
    b'{"a": ["' + b"x" * 300_000 + b'"]}',
    b'{"text": "\\u0000\\ufffe\\uffff\\ud834\\udd1e", "Text": "b", "TEXT": 1, "": true, "\\u0000": 2.5}',
    b"{}",
    b"[]",
    b"null",
    b'"text"',
    b"1e300",
]


@pytest.mark.parametrize("sync_type", ["Packed", "Unpacked"])
def test_awkward_values_are_loaded(target, sync_type):  # noqa: F811
    rows, rejects = decode_batch(messages(1, len(BODIES), lambda number: BODIES[number - 1]), "Json", sync_type)
    assert rejects.to_pylist() == []
    with target.open() as loader:
        loader.load("orders", stamp(rows, dt.datetime.now(dt.UTC)))
        loader.load("orders", stamp(rows, dt.datetime.now(dt.UTC)))
    assert target.query("SELECT count(*), count(DISTINCT message_id) FROM bus.orders") == [(len(BODIES), len(BODIES))]
    if sync_type == "Unpacked":
        ((value,),) = target.query("SELECT CAST(value_a AS VARCHAR) FROM bus.orders WHERE sequence_num = 3")
        assert json.loads(value, parse_int=str) == ["9" * 300]
