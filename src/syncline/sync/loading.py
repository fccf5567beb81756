"""Collect decoded batches into loads of a sensible size, load them, and checkpoint.

A load costs something however small it is, so small batches of a stream go together, up to the limits of one batch.
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from syncline.connectors.base import DecodedBatch, ReadLimits, SourceWarning
from syncline.sync.catalog import Catalog
from syncline.sync.checkpoints import Checkpoints
from syncline.sync.choosing import choose, column_types
from syncline.sync.selection import DELIVERY, ORDER, TYPE_LOCKED
from syncline.sync.shape import combine, stamp
from syncline.warehouses.base import Loader

REJECTED = "\x1f\x1frejected"
"""What follows the name of a stream in the source's name of the table that holds its rejected messages, which becomes
`<table>__rejected`. No stream's name has a control character, so none has this one."""

_STALE = 2.0
"""Seconds after which what was read is loaded although more could join it."""


@dataclass(slots=True)
class Totals:
    """What is in the destination."""

    rows: int = 0
    bytes: int = 0
    loads: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """One load that was done."""

    stream: str
    bytes: int


@dataclass(slots=True)
class _Pending:
    """Batches of one stream that wait to be loaded together."""

    batches: list[DecodedBatch] = field(default_factory=list)
    receipts: list[object] = field(default_factory=list)
    position: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 0
    bytes: int = 0
    since: float = field(default_factory=time.monotonic)


class Loading:
    """Loads the batches of one sync, in the order in which they come within a stream."""

    def __init__(
        self,
        loader: Loader,
        checkpoints: Checkpoints,
        catalog: Catalog,
        limits: ReadLimits,
        synced_at: dt.datetime,
        acknowledge: Callable[[str, Sequence[object]], None] = lambda stream, receipts: None,
    ) -> None:
        self.totals = Totals()
        self._loader = loader
        self._catalog = catalog
        self._checkpoints = checkpoints
        self._limits = limits
        self._synced_at = synced_at
        self._acknowledge = acknowledge
        self._pending: dict[str, _Pending] = {}
        self._warnings: dict[tuple[str, str], SourceWarning] = {}
        self._lost: dict[tuple[str, str], int] = {}
        self._without_rejects: set[str] = set()
        """Streams that have no table of rejects."""
        self._rejected: dict[str, tuple[int, str]] = {}

    def add(
        self,
        stream: str,
        batch: DecodedBatch,
        position: Mapping[str, Any],
        size: int,
        warnings: tuple[SourceWarning, ...],
        receipt: object = None,
    ) -> Loaded | None:
        """Take a batch. Loads what is pending once it has the size of a full batch."""
        for warning in warnings:
            self._warnings[warning.code, warning.subject] = warning
        pending = self._pending.setdefault(stream, _Pending())
        pending.batches.append(batch)
        pending.position = position
        if receipt is not None:
            pending.receipts.append(receipt)
        pending.rows += batch.columns.num_rows + batch.rejects.num_rows
        pending.bytes += size
        # A batch more like this one would be too much.
        full_rows = pending.rows + batch.columns.num_rows > self._limits.rows
        full_bytes = pending.bytes + size > self._limits.bytes
        return self.load(stream) if full_rows or full_bytes else None

    def load_stale(self) -> Loaded | None:
        """Load the stream that has waited longest, if that is long or if readers wait for room."""
        if not self._pending:
            return None
        stream = min(self._pending, key=lambda name: self._pending[name].since)
        held = sum(pending.bytes for pending in self._pending.values())
        if time.monotonic() - self._pending[stream].since >= _STALE or held >= self._limits.bytes:
            return self.load(stream)
        return None

    def rest(self) -> None:
        """Let others use the destination while there is nothing to load."""
        self._loader.rest()

    def load(self, stream: str) -> Loaded | None:
        """Load what is pending of a stream, then save its position, then acknowledge it to the source."""
        pending = self._pending.pop(stream, None)
        if pending is None:
            return None
        rows = self._load_rows(stream, pending)
        rejected = self._load_rejects(stream, pending)
        self._checkpoints.save(stream, pending.position)
        if pending.receipts:
            self._acknowledge(stream, pending.receipts)
        self.totals.rows += rows
        self.totals.rejected += rejected
        self.totals.bytes += pending.bytes
        self.totals.loads += 1 if rows or rejected else 0
        pa.default_memory_pool().release_unused()
        return Loaded(stream, pending.bytes)

    def warnings(self) -> tuple[SourceWarning, ...]:
        """What the source warned of, and a warning for each stream with rejected messages."""
        rejected = (_rejection(stream, count, table) for stream, (count, table) in self._rejected.items())
        return (*self._warnings.values(), *rejected)

    def _load_rows(self, stream: str, pending: _Pending) -> int:
        tables = [batch.columns for batch in pending.batches if batch.columns.num_rows]
        if not tables:
            return 0
        table = stamp(combine(tables), self._synced_at)
        selection = self._catalog.choose_columns(stream, column_types(table))
        table, lost = choose(table, selection)
        for column, count in lost.items():
            self._warn_of_lost_values(stream, column, count)
        key = selection.sync_mode.key
        if selection.needs_new_key:
            self._loader.change_key(stream, key=key, order=ORDER)
        result = self._loader.load(stream, table, key=key, order=ORDER)
        self._catalog.note_load(stream, result.table, result.column_names, selection.sync_mode)
        self._take_out_of_rejects(stream, table.select(DELIVERY))
        return int(table.num_rows)

    def _take_out_of_rejects(self, stream: str, deliveries: pa.Table) -> None:
        """Messages that can be decoded now, and could not be when they were read before, are rejects no more."""
        if stream not in self._without_rejects and not self._loader.remove_rows(stream + REJECTED, deliveries):
            self._without_rejects.add(stream)

    def _warn_of_lost_values(self, stream: str, column: str, count: int) -> None:
        self._lost[stream, column] = self._lost.get((stream, column), 0) + count
        self._warnings[TYPE_LOCKED, f"{stream}.{column}"] = SourceWarning(
            code=TYPE_LOCKED,
            subject=f"{stream}.{column}",
            message=f"{self._lost[stream, column]:,} values of the column {column} of {stream} do not fit its type, "
            "which is locked. They were left empty.",
        )

    def _load_rejects(self, stream: str, pending: _Pending) -> int:
        tables = [batch.rejects for batch in pending.batches if batch.rejects.num_rows]
        if not tables:
            return 0
        table = combine(tables)
        result = self._loader.load(stream + REJECTED, stamp(table, self._synced_at), key=DELIVERY, order=ORDER)
        self._without_rejects.discard(stream)
        known, _ = self._rejected.get(stream, (0, ""))
        self._rejected[stream] = (known + table.num_rows, result.table)
        return int(table.num_rows)


def _rejection(stream: str, count: int, table: str) -> SourceWarning:
    messages = "message" if count == 1 else "messages"
    return SourceWarning(
        code="rejected_messages",
        subject=stream,
        message=f"{count:,} {messages} of {stream} could not be decoded. See the table {table}, which has the bytes "
        "and the reason.",
    )
