"""A source in memory, with messages that can be made again from their number."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pyarrow as pa

from syncline.connectors.azure_service_bus.decode import decode_batch, rejects
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA
from syncline.connectors.base import (
    Connector,
    DecodedBatch,
    RawBatch,
    ReadLimits,
    SetupTestResult,
    Source,
    SourceContext,
    Stream,
)


def order(number: int) -> bytes:
    """The body of message `number` of a stream."""
    return json.dumps(
        {
            "order_id": number,
            "customer": f"customer-{number % 997}",
            "total": number / 100,
            "items": [{"sku": f"S{place}", "quantity": place} for place in range(number % 4)],
            "note": None if number % 3 else "ü" * (number % 7),
            "padding": "x" * 600,
        }
    ).encode()


def messages(first: int, count: int, body: Callable[[int], bytes] = order) -> pa.Table:
    """Messages `first` to `first + count - 1`."""
    numbers = range(first, first + count)
    columns = {
        "message_id": pa.array([f"m{number}" for number in numbers], pa.string()),
        "sequence_num": pa.array(numbers, pa.int64()),
        "enqueued_time": pa.array([1_700_000_000_000_000 + number for number in numbers], pa.timestamp("us", tz="UTC")),
        "body": pa.array([body(number) for number in numbers], pa.large_binary()),
    }
    arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in MESSAGE_SCHEMA]
    return pa.table(arrays, schema=MESSAGE_SCHEMA)


class FakeSource(Source):
    """Streams of messages numbered from 1. `before_batch` is called with the stream's name and the next number."""

    def __init__(
        self,
        streams: Mapping[str, int],
        *,
        body: Callable[[int], bytes] = order,
        batch_rows: int | None = None,
        before_batch: Callable[[str, int], None] = lambda stream, number: None,
        sync_type: str = "Unpacked",
    ) -> None:
        self.sizes = dict(streams)
        self.body = body
        self.batch_rows = batch_rows
        self.before_batch = before_batch
        self.sync_type = sync_type
        self.started_at: list[tuple[str, Any]] = []

    def streams(self) -> list[Stream]:
        return [Stream(name, "bus") for name in self.sizes]

    def read(
        self, stream: Stream, position: Mapping[str, Any] | None, limits: ReadLimits, stop: threading.Event
    ) -> Iterator[RawBatch]:
        self.started_at.append((stream.name, position))
        number = position["next"] if position else 1
        last = self.sizes[stream.name]
        while number <= last and not stop.is_set():
            self.before_batch(stream.name, number)
            count = min(self.batch_rows or limits.rows, last - number + 1)
            table = messages(number, count, self.body)
            number += count
            yield RawBatch(stream, table, {"next": number}, sum(map(len, table.column("body").to_pylist())))

    def decode(self, batch: RawBatch) -> DecodedBatch:
        return DecodedBatch(*decode_batch(batch.table, "Json", self.sync_type))

    def reject(self, batch: RawBatch, reasons: Sequence[str]) -> pa.Table:
        return rejects(batch.table, reasons)


class FakeConnector(Connector):
    """Opens one source."""

    def __init__(self, source: FakeSource) -> None:
        self.source = source

    async def run_setup_tests(self, context: SourceContext) -> list[SetupTestResult]:
        return []

    def open_source(self, context: SourceContext) -> AbstractContextManager[Source]:
        return nullcontext(self.source)


class MemoryCheckpoints:
    """Checkpoints of a test."""

    def __init__(self) -> None:
        self.saved: dict[str, dict[str, Any]] = {}

    def positions(self) -> dict[str, dict[str, Any]]:
        return dict(self.saved)

    def save(self, stream: str, position: Mapping[str, Any]) -> None:
        self.saved[stream] = dict(position)
