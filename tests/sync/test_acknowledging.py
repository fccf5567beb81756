"""Batches are acknowledged to the source once they are in the destination and their position is kept."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from syncline.connectors.base import RawBatch, ReadLimits, Stream
from syncline.warehouses.errors import WarehouseError
from tests.sync.fakes import FakeSource, order
from tests.sync.test_run import Sync


class AskingSource(FakeSource):
    """Wants every batch acknowledged, and waits for that before it goes on."""

    def __init__(self, sync: Sync, streams: Mapping[str, int], **options: Any) -> None:
        super().__init__(streams, **options)
        self.sync = sync
        self.acknowledged: list[object] = []
        self.positions: list[Any] = []
        self.at_once: list[bool] = []
        self._arrived = threading.Semaphore(0)

    def read(
        self, stream: Stream, position: Mapping[str, Any] | None, limits: ReadLimits, stop: threading.Event
    ) -> Iterator[RawBatch]:
        for number, batch in enumerate(super().read(stream, position, limits, stop)):
            yield replace(batch, receipt=number, is_urgent=True)
            self.at_once.append(self._arrived.acquire(timeout=10))

    def acknowledge(self, stream: Stream, receipts: Sequence[object]) -> None:
        self.acknowledged += receipts
        self.positions.append(self.sync.checkpoints.saved[stream.name])
        for _ in receipts:
            self._arrived.release()


def test_each_batch_is_loaded_at_once_and_then_acknowledged(sync: Sync) -> None:
    source = AskingSource(sync, {"orders": 30}, batch_rows=10)
    assert sync.run(source).rows == 30
    assert source.acknowledged == [0, 1, 2]
    assert source.positions == [{"next": 11}, {"next": 21}, {"next": 31}]
    assert source.at_once == [True] * 3


def test_rejected_messages_are_acknowledged_too(sync: Sync) -> None:
    source = AskingSource(sync, {"orders": 10}, body=lambda number: b"{oops", batch_rows=10)
    assert sync.run(source).rejected == 10
    assert source.acknowledged == [0]


def test_what_could_not_be_loaded_is_not(sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise WarehouseError("No.")

    monkeypatch.setattr("syncline.warehouses.loading.SqlLoader.load", refuse)
    source = AskingSource(sync, {"orders": 10}, body=order)
    with pytest.raises(WarehouseError):
        sync.run(source)
    assert source.acknowledged == []
