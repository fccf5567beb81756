"""Dropping columns of a table, and giving it another key."""

import pytest

from syncline.warehouses import types
from syncline.warehouses.base import Loader
from syncline.warehouses.errors import WarehouseError
from tests.warehouses.test_loading import batch, rows

BOTH = ("message_id", "sequence_num")


def test_the_names_of_columns_are_told(target):
    with target.open() as loader:
        result = loader.load("Orders", batch([1], **{"value_First Name": (types.STRING, ["a"])}))
    assert result.column_names == {
        "message_id": "message_id",
        "sequence_num": "sequence_num",
        "value_First Name": "value_first_name",
    }


def test_dropped_columns_are_gone_and_may_come_back(target):
    with target.open() as loader:
        loader.load("orders", batch([1], **{"value a": (types.STRING, ["x"]), "value b": (types.LONG, [1])}))
        loader.drop_columns("orders", ["value a", "never there"])
        assert list(target.columns("orders")) == ["message_id", "sequence_num", "value_b"]
        loader.drop_columns("orders", ["value a"])
        loader.drop_columns("never there", ["value a"])
        loader.load("orders", batch([2], **{"value a": (types.LONG, [2])}))
    assert rows(target, "message_id, value_a, value_b") == [("m1", None, 1), ("m2", 2, None)]


def test_with_the_sequence_in_the_key_every_delivery_stays(target):
    with target.open() as loader:
        loader.load("orders", batch([1, 2, 3], ["m", "m", "n"]), key=BOTH)
        loader.load("orders", batch([2, 4, 0], ["m", "m", "m"]), key=BOTH)
    assert sorted(rows(target, "message_id, sequence_num")) == [("m", 0), ("m", 1), ("m", 2), ("m", 4), ("n", 3)]


def test_a_key_may_become_wider_and_narrower(target):
    with target.open() as loader:
        loader.change_key("orders", key=BOTH)  # nothing there yet
        loader.load("orders", batch([1, 2], ["m", "n"]))
        loader.change_key("orders", key=BOTH)
        loader.load("orders", batch([3, 4], ["m", "m"]), key=BOTH)
        assert sorted(rows(target, "message_id, sequence_num")) == [("m", 1), ("m", 3), ("m", 4), ("n", 2)]
        loader.change_key("orders", key=("message_id",))
        assert rows(target, "message_id, sequence_num") == [("m", 4), ("n", 2)]
        loader.load("orders", batch([5], ["n"]))
    assert rows(target, "message_id, sequence_num") == [("m", 4), ("n", 5)]


class _Plain(Loader):
    def standing(self, source_name):
        raise NotImplementedError

    def load(self, source_name, table, *, key=("message_id",), order=("sequence_num",)):
        raise NotImplementedError


def test_a_destination_that_cannot_says_so():
    with pytest.raises(WarehouseError, match="Columns cannot be dropped in this kind of destination: a, b"):
        _Plain().drop_columns("orders", ["a", "b"])
    with pytest.raises(WarehouseError, match="sync mode of the table of orders cannot be changed"):
        _Plain().change_key("orders", key=BOTH)
