"""One sync, start to end: read, decode, shape, load, checkpoint.

Streams are read and decoded side by side, each in a thread, and loaded one after the other by the thread that called:
a warehouse takes one load at a time, and reading is what takes long. A position is saved only after the load that
covers it has returned, so a sync may die anywhere: the next one reads a little again, and the rows merge.
"""

import datetime as dt
import gc
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from syncline.connectors.base import DecodedBatch, ReadLimits, Source, SourceContext, SourceWarning, Stream
from syncline.connectors.registry import connector_for
from syncline.declarations import Configuration
from syncline.sync.catalog import Catalog, EverythingCatalog
from syncline.sync.checkpoints import Checkpoints
from syncline.sync.hand_over import Closed, HandOver
from syncline.sync.loading import Loading
from syncline.sync.selection import COLUMNS_NOT_DROPPED
from syncline.warehouses.base import Loader
from syncline.warehouses.errors import WarehouseError, WarehouseUnavailable
from syncline.warehouses.naming import Naming
from syncline.warehouses.registry import warehouse_for

_MOST_HELD = 2
"""Batches' worth of bytes between reading and loading."""
_PAUSE = 0.2
"""Seconds between two looks at `stop` while nothing arrives."""


@dataclass(frozen=True, slots=True)
class SyncJob:
    """What to sync, and where to."""

    connection_id: str
    run_id: str
    service: str
    """The source's service."""
    schema: str
    context: SourceContext = field(repr=False)
    warehouse: str
    """The destination's service."""
    warehouse_config: Configuration = field(repr=False)
    working_directory: Path
    """A folder for this connection's syncs alone."""
    limits: ReadLimits = field(default_factory=ReadLimits)
    concurrent_streams: int = 4
    naming: Naming = Naming.FIVETRAN_NAMING
    """How the names of tables and columns are made."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sync has come: totals of what is in the destination."""

    rows: int
    bytes: int
    """Of message bodies."""
    batches: int
    """Loads."""
    rejected: int
    stream: str
    """The stream loaded last."""


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What a sync did."""

    rows: int
    bytes: int
    batches: int
    rejected: int
    streams: int


@dataclass(frozen=True, slots=True)
class _Decoded:
    stream: Stream
    batch: DecodedBatch
    position: Mapping[str, Any]
    bytes: int
    warnings: tuple[SourceWarning, ...]
    receipt: object
    is_urgent: bool


@dataclass(frozen=True, slots=True)
class _Ended:
    stream: Stream
    error: BaseException | None


def run_sync(
    job: SyncJob,
    checkpoints: Checkpoints,
    *,
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
    catalog: Catalog | None = None,
    on_warnings: Callable[[Sequence[SourceWarning]], None] = lambda warnings: None,
) -> SyncOutcome:
    """Sync every stream that `catalog` chooses (all without one), until each is exhausted as it stood at the start.

    When one stream fails, the others finish the batch in hand, which is loaded and checkpointed, and then the error is
    raised. Once `stop` is set, the load in hand is finished, and nothing else is begun. However the sync ends,
    `on_warnings` is told in the end what a person should know, one warning for each code and subject.

    Raises:
        SourceError: The source could not be read (further).
        WarehouseError: The destination refused a load. Nothing that it did not take was checkpointed.
    """
    catalog = catalog or EverythingCatalog()
    connector = connector_for(job.service)
    warehouse = warehouse_for(job.warehouse)
    positions = checkpoints.positions()
    with (
        _relaxed_collection(),
        _returned_memory(),
        warehouse.open(job.warehouse_config, job.schema, job.working_directory / "load", job.naming) as loader,
        connector.open_source(job.context) as source,
    ):

        def acknowledge(stream: str, receipts: Sequence[object]) -> None:
            source.acknowledge(Stream(stream, job.schema), receipts)

        loading = Loading(loader, checkpoints, catalog, job.limits, dt.datetime.now(dt.UTC), acknowledge)
        dropping: tuple[SourceWarning, ...] = ()
        try:
            dropping = _drop_columns(loader, catalog)
            streams = _chosen_streams(source, catalog)
            reading = _Reading(source, job, positions)

            def report(stream: str) -> None:
                done = loading.totals
                on_progress(Progress(done.rows, done.bytes, done.loads, done.rejected, stream))

            reading.load_all(streams, loading, report, stop)
            if not stop.is_set():
                catalog.note_end()
        finally:
            on_warnings((*dropping, *source.warnings(), *loading.warnings()))
        done = loading.totals
        return SyncOutcome(done.rows, done.bytes, done.loads, done.rejected, len(streams))


def _chosen_streams(source: Source, catalog: Catalog) -> list[Stream]:
    streams = source.streams()
    chosen = catalog.choose_streams([stream.name for stream in streams])
    return [stream for stream in streams if stream.name in chosen]


def _drop_columns(loader: Loader, catalog: Catalog) -> tuple[SourceWarning, ...]:
    """Drop the columns that are to go. A refusal is no reason to keep new messages waiting, so it is a warning."""
    warnings = []
    for stream, columns in catalog.doomed_columns().items():
        try:
            loader.drop_columns(stream, columns)
        except WarehouseUnavailable:
            raise
        except WarehouseError as error:
            message = f"Columns of {stream} could not be dropped ({', '.join(columns)}). Every sync tries it again."
            warnings.append(SourceWarning(COLUMNS_NOT_DROPPED, message, subject=stream, details=str(error)))
        else:
            catalog.note_drop(stream)
    return tuple(warnings)


class _Reading:
    """Reads streams side by side, and hands what they give to the loading."""

    def __init__(self, source: Source, job: SyncJob, positions: Mapping[str, Mapping[str, Any]]) -> None:
        self._source = source
        self._limits = job.limits
        self._concurrent_streams = job.concurrent_streams
        self._positions = positions
        self._halt = threading.Event()
        self._working = threading.Lock()
        """Held while a batch is decoded or loaded. Both take several times a batch's memory for a moment."""
        self._queue: HandOver[_Decoded | _Ended] = HandOver(_MOST_HELD * job.limits.bytes)

    def load_all(
        self, streams: list[Stream], loading: Loading, report: Callable[[str], None], stop: threading.Event
    ) -> None:
        """Read all streams and load what they give; raises the first error once what was read is safe."""
        threads = ThreadPoolExecutor(self._concurrent_streams, thread_name_prefix="stream")
        try:
            for stream in streams:
                threads.submit(self._read, stream)
            error = self._load(len(streams), loading, report, stop)
        finally:
            self._halt.set()
            self._queue.close()
            threads.shutdown(cancel_futures=True)
        if error is not None:
            raise error

    def _load(
        self, running: int, loading: Loading, report: Callable[[str], None], stop: threading.Event
    ) -> BaseException | None:
        first_error: BaseException | None = None
        while running and not stop.is_set():
            item = self._queue.take(_PAUSE)
            with self._working:
                if item is None:
                    loaded = loading.load_stale()
                    if loaded is None:
                        loading.rest()
                elif isinstance(item, _Ended):
                    running -= 1
                    loaded = loading.load(item.stream.name)
                    if item.error is not None and first_error is None:
                        first_error = item.error
                        self._halt.set()
                else:
                    loaded = loading.add(
                        item.stream.name, item.batch, item.position, item.bytes, item.warnings, item.receipt
                    )
                    if loaded is None and item.is_urgent:
                        loaded = loading.load(item.stream.name)
            if loaded is not None:
                self._queue.release(loaded.bytes)
                report(loaded.stream)
        return first_error

    def _read(self, stream: Stream) -> None:
        error: BaseException | None = None
        try:
            if not self._halt.is_set():
                self._read_batches(stream)
        except Closed:
            return
        except BaseException as caught:
            error = caught
        try:
            self._queue.put(_Ended(stream, error), 0)
        except Closed:
            return

    def _read_batches(self, stream: Stream) -> None:
        position = self._positions.get(stream.name)
        for raw in self._source.read(stream, position, self._limits, self._halt):
            with self._working:
                batch = self._source.decode(raw)
            decoded = _Decoded(stream, batch, raw.position, raw.bytes, raw.warnings, raw.receipt, raw.is_urgent)
            size = raw.bytes
            del raw, batch  # while the next ones are read
            self._queue.put(decoded, size)
            del decoded


@contextmanager
def _returned_memory() -> Iterator[None]:
    """Let Arrow have its memory from the system. Its own allocator keeps as much as the largest batch took, which
    neither Python nor DuckDB can use meanwhile: a quarter of all memory of a sync."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


@contextmanager
def _relaxed_collection() -> Iterator[None]:
    """Look for reference cycles less often. Decoding makes many objects and no cycles; by default, looking for some
    takes a quarter of its time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
