"""Collect decoded batches into loads of a sensible size, load them, and checkpoint.

A load costs something however small it is, so small batches of a stream go together, up to the limits of one batch.
"""

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from syncline.connectors.base import DecodedBatch, RawBatch, ReadLimits, Source, SourceWarning
from syncline.sync.catalog import Catalog
from syncline.sync.checkpoints import Checkpoints
from syncline.sync.choosing import choose
from syncline.sync.overflow import Room, gathered
from syncline.sync.refused import load_in_parts
from syncline.sync.selection import DELIVERY, ORDER, OTHER, TYPE_LOCKED
from syncline.sync.shape import SYNCED, combine, joined_types, stamp
from syncline.warehouses import types
from syncline.warehouses.base import Loader
from syncline.warehouses.errors import RowsRefused
from syncline.warehouses.limits import ColumnLimits
from syncline.warehouses.refusals import conversions

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

    batches: list[tuple[RawBatch, DecodedBatch]] = field(default_factory=list)
    """With the messages as they were read: those that the destination does not take become rejects with all of it."""
    rows: int = 0
    bytes: int = 0
    since: float = field(default_factory=time.monotonic)


class Loading:
    """Loads the batches of one sync, in the order in which they come within a stream."""

    def __init__(
        self,
        source: Source,
        loader: Loader,
        checkpoints: Checkpoints,
        catalog: Catalog,
        limits: ReadLimits,
        synced_at: dt.datetime,
        columns: ColumnLimits,
    ) -> None:
        self.totals = Totals()
        self._source = source
        self._loader = loader
        self._room = Room(loader, columns)
        self._catalog = catalog
        self._checkpoints = checkpoints
        self._limits = limits
        self._synced_at = synced_at
        self._pending: dict[str, _Pending] = {}
        self._warnings: dict[tuple[str, str], SourceWarning] = {}
        self._lost: dict[tuple[str, str], int] = {}
        self._without_rejects: set[str] = set()
        """Streams that have no table of rejects."""
        self._rejected: dict[str, tuple[int, str]] = {}

    def add(self, batch: RawBatch, decoded: DecodedBatch) -> Loaded | None:
        """Take a batch. Loads what is pending once it has the size of a full batch, or if the batch is urgent."""
        for warning in batch.warnings:
            self._warnings[warning.code, warning.subject] = warning
        stream = batch.stream.name
        pending = self._pending.setdefault(stream, _Pending())
        pending.batches.append((batch, decoded))
        pending.rows += batch.table.num_rows
        pending.bytes += batch.bytes
        # A batch more like this one would be too much.
        full_rows = pending.rows + batch.table.num_rows > self._limits.rows
        full_bytes = pending.bytes + batch.bytes > self._limits.bytes
        return self.load(stream) if full_rows or full_bytes or batch.is_urgent else None

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
        """Load what is pending of a stream, then save its position, then acknowledge it to the source.

        What the destination refuses for what is in it is loaded in parts, a batch after the other, until the messages
        that it does not take are found; they become rejects.
        """
        pending = self._pending.pop(stream, None)
        if pending is None:
            return None
        batches = [batch for batch, _ in pending.batches]
        try:
            rows = self._load_rows(stream, [decoded.columns for _, decoded in pending.batches])
        except RowsRefused:
            pending.batches.clear()  # decoding them anew takes memory too
            for batch in batches:
                self._load_in_parts(batch)
        else:
            self._finish(batches, rows, [decoded.rejects for _, decoded in pending.batches])
        pa.default_memory_pool().release_unused()
        return Loaded(stream, pending.bytes)

    def warnings(self) -> tuple[SourceWarning, ...]:
        """What the source warned of, and a warning for each stream with rejected messages."""
        rejected = (_rejection(stream, count, table) for stream, (count, table) in self._rejected.items())
        return (*self._warnings.values(), *rejected)

    def _load_in_parts(self, batch: RawBatch) -> None:
        loaded = 0

        def load(part: RawBatch) -> list[pa.Table]:
            nonlocal loaded
            decoded = self._source.decode(part)
            loaded += self._load_rows(batch.stream.name, [decoded.columns])
            return [decoded.rejects]

        rejects = load_in_parts(batch, load, self._source.reject) if batch.table.num_rows else []
        self._finish([batch], loaded, rejects)

    def _finish(self, batches: Sequence[RawBatch], rows: int, rejects: Sequence[pa.Table]) -> None:
        """Load the rejects of batches whose rows are loaded. Then all of them is durable: save the position, and
        acknowledge."""
        stream = batches[-1].stream
        rejected = self._load_rejects(stream.name, rejects)
        self._checkpoints.save(stream.name, batches[-1].position)
        if receipts := [batch.receipt for batch in batches if batch.receipt is not None]:
            self._source.acknowledge(stream, receipts)
        self.totals.rows += rows
        self.totals.rejected += rejected
        self.totals.bytes += sum(batch.bytes for batch in batches)
        self.totals.loads += 1 if rows or rejected else 0

    def _load_rows(self, stream: str, tables: Sequence[pa.Table]) -> int:
        """Load rows, all or none of them.

        Raises:
            RowsRefused: Some of them cannot be loaded for what is in them.
        """
        tables = [table for table in tables if table.num_rows]
        if not tables:
            return 0
        found = {**joined_types(tables), SYNCED: types.INSTANT}
        selection = self._catalog.choose_columns(stream, found)
        overflowing = self._room.overflowing(stream, found, selection.blocked)
        if overflowing:
            selection = self._catalog.choose_columns(stream, {OTHER: types.JSON})
        with conversions():
            if overflowing:
                tables = [gathered(table, overflowing, selection) for table in tables]
            table, lost = choose(stamp(combine(tables), self._synced_at), selection)
        key = selection.sync_mode.key
        if selection.needs_new_key:
            self._loader.change_key(stream, key=key, order=ORDER)
        try:
            result = self._loader.load(stream, table, key=key, order=ORDER)
        except BaseException:
            self._room.forget(stream)
            raise
        self._room.note(stream, result.column_names)
        self._catalog.note_load(stream, result.table, result.column_names, selection.sync_mode)
        self._take_out_of_rejects(stream, table.select(DELIVERY))
        for column, count in lost.items():
            self._warn_of_lost_values(stream, column, count)
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

    def _load_rejects(self, stream: str, tables: Sequence[pa.Table]) -> int:
        tables = [table for table in tables if table.num_rows]
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
        message=f"{count:,} {messages} of {stream} could not be decoded or loaded. The table {table} has the bytes and "
        "the reason.",
    )
