"""Columns that the next sync drops, and a destination that refuses."""

from typing import Any

import pytest

from syncline.sync.catalog import EverythingCatalog
from syncline.sync.run import _drop_columns
from syncline.warehouses.base import Loader, Standing
from syncline.warehouses.errors import WarehouseError, WarehouseUnavailable


class Doomed(EverythingCatalog):
    """Two tables with columns to drop."""

    def __init__(self) -> None:
        self.dropped: list[str] = []

    def doomed_columns(self) -> dict[str, list[str]]:
        return {"orders": ["value_a", "value_b"], "payments": ["value_c"]}

    def note_drop(self, stream: str) -> None:
        self.dropped.append(stream)


class Refusing(Loader):
    """Raises for the table of orders."""

    def __init__(self, error: WarehouseError) -> None:
        self.error = error

    def standing(self, source_name: str) -> Standing:
        return Standing()

    def load(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def drop_columns(self, source_name: str, columns: Any) -> None:
        if source_name == "orders":
            raise self.error


def test_a_refusal_is_a_warning_and_is_tried_again() -> None:
    catalog = Doomed()
    (warning,) = _drop_columns(Refusing(WarehouseError("A view needs it.", "Drop the view.")), catalog)
    assert (warning.code, warning.subject) == ("columns_not_dropped", "orders")
    assert "value_a, value_b" in warning.message
    assert warning.details == "A view needs it. Drop the view."
    assert catalog.dropped == ["payments"]


def test_a_destination_that_is_away_ends_the_sync() -> None:
    with pytest.raises(WarehouseUnavailable):
        _drop_columns(Refusing(WarehouseUnavailable("Away.")), Doomed())
