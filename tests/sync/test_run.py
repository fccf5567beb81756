"""A sync from a source in memory into DuckDB."""

import json
import threading
import time
from pathlib import Path

import pytest

from syncline.connectors.base import ReadLimits, SourceContext, SourceError, SourceUnavailable, SourceWarning
from syncline.sync.run import Progress, SyncJob, SyncOutcome, run_sync
from syncline.warehouses.duckdb import DuckdbConfig
from syncline.warehouses.duckdb_connect import connect_to_file
from syncline.warehouses.errors import WarehouseUnavailable
from tests.sync.fakes import FakeConnector, FakeSource, MemoryCheckpoints, order


class Sync:
    """A connection whose source is in memory."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.path = folder / "warehouse.duckdb"
        self.checkpoints = MemoryCheckpoints()
        self.progress: list[Progress] = []
        self.warnings: list[SourceWarning] = []
        """Of the latest run."""
        self.stop = threading.Event()
        self.limits = ReadLimits(rows=1000)
        self.streams_at_once = 4
        self._monkeypatch = monkeypatch

    def run(self, source: FakeSource, *, from_the_beginning: bool = False) -> SyncOutcome:
        if from_the_beginning:
            self.checkpoints.saved.clear()
        self._monkeypatch.setattr("syncline.sync.run.connector_for", lambda service: FakeConnector(source))
        config = DuckdbConfig.parse({"path": str(self.path)})
        job = SyncJob(
            connection_id="connection",
            run_id="run",
            service="fake",
            schema="bus",
            context=SourceContext("connection", "bus", config),
            warehouse="duckdb",
            warehouse_config=config,
            working_directory=self.folder / "work",
            limits=self.limits,
            concurrent_streams=self.streams_at_once,
        )
        self.warnings.clear()
        return run_sync(
            job,
            self.checkpoints,
            on_progress=self.progress.append,
            stop=self.stop,
            on_warnings=self.warnings.extend,
        )

    def query(self, statement: str) -> list[tuple]:
        # As a sync opens it: one that is under way in this process may hold the file, and DuckDB shares it then.
        with connect_to_file(self.path, self.folder / "work" / "load" / "spill") as connection:
            return connection.execute(statement).fetchall()

    def numbers(self, table: str) -> list[int]:
        return [number for (number,) in self.query(f"SELECT sequence_num FROM bus.{table} ORDER BY 1")]


@pytest.fixture
def sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sync:
    return Sync(tmp_path, monkeypatch)


def test_every_stream_becomes_a_table(sync):
    outcome = sync.run(FakeSource({"orders": 2500, "Payments.EU": 10, "empty": 0}))
    assert (outcome.rows, outcome.rejected, outcome.streams, sync.warnings) == (2510, 0, 3, [])
    assert outcome.bytes == sum(len(order(n)) for n in range(1, 2501)) + sum(len(order(n)) for n in range(1, 11))
    assert sync.numbers("orders") == list(range(1, 2501))
    assert sync.numbers("payments_eu") == list(range(1, 11))
    assert sync.query("SELECT count(*) FROM duckdb_tables()") == [(2,)]
    ((total, items, note, synced),) = sync.query(
        "SELECT value_total, value_items, value_note, _fivetran_synced FROM bus.orders WHERE sequence_num = 3"
    )
    assert (str(total), json.loads(items), note) == ("0.03", json.loads(order(3))["items"], "üüü")
    assert sync.query("SELECT DISTINCT _fivetran_synced FROM bus.orders") == [(synced,)]


def test_progress_is_cumulative_and_ends_at_the_outcome(sync):
    outcome = sync.run(FakeSource({"orders": 2500}))
    assert [step.rows for step in sync.progress] == [1000, 2000, 2500]
    last = sync.progress[-1]
    assert (last.rows, last.bytes, last.batches, last.stream) == (
        outcome.rows,
        outcome.bytes,
        outcome.batches,
        "orders",
    )


def test_small_batches_are_loaded_together(sync):
    outcome = sync.run(FakeSource({"orders": 950}, batch_rows=10))
    assert outcome.batches == 1
    assert sync.numbers("orders") == list(range(1, 951))


def test_the_next_sync_goes_on_where_the_last_one_ended(sync):
    sync.run(FakeSource({"orders": 10}))
    source = FakeSource({"orders": 15})
    assert sync.run(source).rows == 5
    assert source.started_at == [("orders", {"next": 11})]
    assert sync.numbers("orders") == list(range(1, 16))


def test_a_historical_sync_begins_at_the_beginning(sync):
    sync.run(FakeSource({"orders": 10}))
    source = FakeSource({"orders": 15})
    assert sync.run(source, from_the_beginning=True).rows == 15
    assert source.started_at == [("orders", None)]
    assert sync.numbers("orders") == list(range(1, 16))


def test_nothing_to_read_makes_no_table(sync):
    outcome = sync.run(FakeSource({"orders": 0}))
    assert (outcome.rows, outcome.batches, sync.progress) == (0, 0, [])
    assert not sync.path.exists()


def test_bad_messages_are_kept_aside_with_a_warning(sync):
    outcome = sync.run(FakeSource({"orders": 100}, body=lambda number: b"{oops" if number % 10 == 0 else order(number)))
    assert (outcome.rows, outcome.rejected) == (90, 10)
    assert sync.numbers("orders__rejected") == list(range(10, 101, 10))
    ((body, reason, message_id),) = sync.query(
        "SELECT body, reason, message_id FROM bus.orders__rejected WHERE sequence_num = 10"
    )
    assert (body, message_id) == (b"{oops", "m10")
    assert "not JSON" in reason
    (warning,) = sync.warnings
    assert (warning.code, warning.subject) == ("rejected_messages", "orders")
    assert "10 messages" in warning.message
    assert "orders__rejected" in warning.message


def test_a_sync_that_fails_tells_what_it_noticed_before(sync):
    def fail(stream: str, number: int) -> None:
        if number > 1000:
            raise SourceUnavailable("The connection broke.")

    with pytest.raises(SourceUnavailable):
        sync.run(FakeSource({"orders": 2000}, body=lambda number: b"{oops", before_batch=fail))
    assert [warning.code for warning in sync.warnings] == ["rejected_messages"]


def test_what_follows_a_batch_that_cannot_be_decoded_waits_for_it(sync, monkeypatch):
    source = FakeSource({"orders": 50}, batch_rows=10)
    decode = source.decode

    def fail_once(batch):
        if batch.table.column("sequence_num")[0].as_py() == 21:
            raise SourceUnavailable("The registry is away.")
        return decode(batch)

    monkeypatch.setattr(source, "decode", fail_once)
    with pytest.raises(SourceUnavailable):
        sync.run(source)
    assert sync.numbers("orders") == list(range(1, 21))
    assert sync.run(FakeSource({"orders": 50}, batch_rows=10)).rows == 30
    assert sync.numbers("orders") == list(range(1, 51))


def test_types_that_meet_in_one_load_are_joined(sync):
    bodies = {1: b'{"a": 1}', 2: b'{"a": 2.5, "b": true}', 3: b'{"b": "x"}'}
    sync.run(FakeSource({"orders": 3}, body=bodies.__getitem__, batch_rows=1))
    assert sync.query("SELECT CAST(value_a AS VARCHAR), value_b FROM bus.orders ORDER BY sequence_num") == [
        ("1.0", None),
        ("2.5", "true"),
        (None, "x"),
    ]


def test_when_one_stream_fails_the_others_are_safe(sync):
    sync.limits = ReadLimits(rows=2000, bytes=1_000_000)  # read in halves
    both_read = threading.Barrier(2, timeout=30)

    def fail(stream: str, number: int) -> None:
        if number == 1:
            both_read.wait()
        if stream == "broken" and number > 1:
            raise SourceUnavailable("The topic is gone.", "Look for it.")

    source = FakeSource({"orders": 100_000, "broken": 5000}, before_batch=fail)
    with pytest.raises(SourceUnavailable, match="The topic is gone"):
        sync.run(source)
    assert sync.numbers("broken") == list(range(1, 1001))
    assert sync.checkpoints.saved["broken"] == {"next": 1001}
    numbers = sync.numbers("orders")
    assert numbers == list(range(1, len(numbers) + 1))
    assert 1000 <= len(numbers) < 100_000
    assert sync.checkpoints.saved["orders"] == {"next": len(numbers) + 1}


def test_an_error_while_streams_are_listed_is_raised(sync):
    source = FakeSource({})
    source.streams = lambda: (_ for _ in ()).throw(SourceError("No topics."))
    with pytest.raises(SourceError, match="No topics"):
        sync.run(source)


def test_a_stop_ends_after_the_load_in_hand(sync):
    def stop_after_some(stream: str, number: int) -> None:
        if sync.progress:
            sync.stop.set()

    sync.limits = ReadLimits(rows=1000, bytes=50_000)
    outcome = sync.run(FakeSource({"orders": 100_000}, before_batch=stop_after_some))
    assert 0 < outcome.rows <= 5000
    assert sync.numbers("orders") == list(range(1, outcome.rows + 1))
    assert sync.checkpoints.saved["orders"] == {"next": outcome.rows + 1}


def test_a_refused_load_is_not_checkpointed(sync, monkeypatch):
    monkeypatch.setattr("syncline.warehouses.duckdb.LOAD_WAIT", 0.2)
    sync.run(FakeSource({"orders": 10}))
    holder = _hold(sync.path)
    try:
        with pytest.raises(WarehouseUnavailable, match="holds the DuckDB file"):
            sync.run(FakeSource({"orders": 5000, "payments": 5000}))
    finally:
        holder.kill()
        holder.wait()
    assert sync.checkpoints.saved == {"orders": {"next": 11}}
    assert sync.run(FakeSource({"orders": 20})).rows == 10


def test_the_destination_is_left_to_others_while_nothing_arrives(sync):
    sync.limits = ReadLimits(rows=10)
    opened = []

    def look(stream: str, number: int) -> None:
        if number == 21:
            time.sleep(0.6)  # the loads of the two batches before this one are done, and the loader rests
            holder = _hold(sync.path)
            opened.append(number)
            holder.kill()
            holder.wait()

    assert sync.run(FakeSource({"orders": 40}, before_batch=look)).rows == 40
    assert opened == [21]
    assert sync.numbers("orders") == list(range(1, 41))


def test_many_streams_share_few_threads_and_little_room(sync):
    sync.streams_at_once = 3
    sync.limits = ReadLimits(rows=50, bytes=20_000)
    sizes = {f"topic{number}": 60 for number in range(5)}
    assert sync.run(FakeSource(sizes)).rows == 300
    for name in sizes:
        assert sync.numbers(name) == list(range(1, 61))


def _hold(path: Path):
    """A process that has the file open."""
    import subprocess
    import sys

    code = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    return process
