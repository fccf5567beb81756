"""One sync, start to end: read, decode, shape, load, checkpoint.

Streams are read side by side, each in a thread. The thread that called decodes and loads what they give, one batch
after the other: a warehouse takes one load at a time, both take several times a batch's memory for a moment, and
meanwhile the others wait for the source. A position is saved only after the load that covers it has returned, so a
sync may die anywhere: the next one reads a little again, and the rows merge.
"""

import datetime as dt
import gc
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from syncline.connectors.base import RawBatch, ReadLimits, Source, SourceContext, SourceWarning, Stream
from syncline.connectors.registry import connector_for
from syncline.declarations import Configuration
from syncline.home import Home
from syncline.sync.catalog import Catalog, EverythingCatalog
from syncline.sync.checkpoints import Checkpoints
from syncline.sync.hand_over import Closed, HandOver
from syncline.sync.loading import Loaded, Loading
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
    maximum_columns: int | None = None
    """Columns of a table beyond which fields share one; None: what is usual for the destination."""
    naming: Naming = Naming.FIVETRAN_NAMING
    """How the names of tables and columns are made."""
    home: Home | None = None
    """The installation whose own files are refused as destinations."""


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
class _Ended:
    stream: Stream
    error: BaseException | None
    bytes: int = 0


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
    warehouse = warehouse_for(job.warehouse, job.home, job.context.hosts)
    positions = checkpoints.positions()
    with (
        _relaxed_collection(),
        _returned_memory(),
        warehouse.open(job.warehouse_config, job.schema, job.working_directory / "load", job.naming) as loader,
        connector.open_source(job.context) as source,
    ):
        columns = warehouse.columns.of(job.maximum_columns)
        loading = Loading(source, loader, checkpoints, catalog, job.limits, dt.datetime.now(dt.UTC), columns)
        dropping: tuple[SourceWarning, ...] = ()
        try:
            dropping = _drop_columns(loader, catalog)
            streams = _chosen_streams(source, loader, catalog)
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


def _chosen_streams(source: Source, loader: Loader, catalog: Catalog) -> list[Stream]:
    streams = source.streams()
    loader.note_sources([stream.name for stream in streams])
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
    """Reads streams side by side, and decodes and loads what they give."""

    def __init__(self, source: Source, job: SyncJob, positions: Mapping[str, Mapping[str, Any]]) -> None:
        self._source = source
        # A load costs less the more it has, but what is read and decoded at once takes memory.
        self._limits = ReadLimits(max(1, job.limits.rows // 2), max(1, job.limits.bytes // 2))
        self._concurrent_streams = job.concurrent_streams
        self._positions = positions
        self._halt = threading.Event()
        self._queue: HandOver[RawBatch | _Ended] = HandOver(_MOST_HELD * job.limits.bytes)
        self._running = 0
        """Streams that are not read to their end."""
        self._errors: dict[str, BaseException] = {}
        """By stream, the first to fail first."""

    def load_all(
        self, streams: list[Stream], loading: Loading, report: Callable[[str], None], stop: threading.Event
    ) -> None:
        """Read all streams and load what they give; raises the first error once what was read is safe."""
        threads = ThreadPoolExecutor(self._concurrent_streams, thread_name_prefix="stream")
        self._running = len(streams)
        try:
            for stream in streams:
                threads.submit(self._read, stream)
            while self._running and not stop.is_set():
                loaded = self._step(loading)
                if loaded is not None:
                    self._queue.release(loaded.bytes)
                    report(loaded.stream)
        finally:
            self._halt.set()
            self._queue.close()
            threads.shutdown(cancel_futures=True)
        if self._errors:
            raise next(iter(self._errors.values()))

    def _step(self, loading: Loading) -> Loaded | None:
        """Deal with what comes next from the streams, or with what has waited."""
        item = self._queue.take(_PAUSE)
        if item is None:
            loaded = loading.load_stale()
            if loaded is None:
                loading.rest()
            return loaded
        name, size = item.stream.name, item.bytes
        if isinstance(item, _Ended):
            self._running -= 1
            if item.error is not None:
                self._fail(name, item.error)
            return loading.load(name)
        if name in self._errors:  # what comes after a batch that is not loaded must not be, or its position is passed
            self._queue.release(size)
            return None
        try:
            decoded = self._source.decode(item)
        except Exception as error:
            self._fail(name, error)
            self._queue.release(size)
            return None
        return loading.add(item, decoded)

    def _fail(self, stream: str, error: BaseException) -> None:
        self._errors.setdefault(stream, error)
        self._halt.set()

    def _read(self, stream: Stream) -> None:
        error: BaseException | None = None
        try:
            if not self._halt.is_set():
                for batch in self._source.read(stream, self._positions.get(stream.name), self._limits, self._halt):
                    self._queue.put(batch, batch.bytes)
                    del batch  # while the next one is read
        except Closed:
            return
        except BaseException as caught:
            error = caught
        with suppress(Closed):
            self._queue.put(_Ended(stream, error), 0)


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
