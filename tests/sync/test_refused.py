"""What a destination refuses for what is in it is found and rejected, with its bytes and the reason; the rest loads."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from syncline.connectors.base import ReadLimits, SourceContext, SourceWarning
from syncline.sync.run import SyncJob, SyncOutcome, run_sync
from syncline.warehouses.errors import RowsRefused, WarehouseError
from tests.sync.fakes import FakeConnector, FakeSource, MemoryCheckpoints
from tests.warehouses.conftest import Target, duckdb_target, postgres_target, target  # noqa: F401

Body = Callable[[int], bytes]


class Syncs:
    """A connection whose source is in memory, and its destination."""

    def __init__(self, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
        self.target = target
        self.checkpoints = MemoryCheckpoints()
        self.warnings: list[SourceWarning] = []
        self.limits = ReadLimits(rows=1000)
        self.maximum_columns: int | None = None
        self._monkeypatch = monkeypatch

    def run(self, source: FakeSource) -> SyncOutcome:
        self._monkeypatch.setattr("syncline.sync.run.connector_for", lambda service: FakeConnector(source))
        self.warnings.clear()
        job = SyncJob(
            connection_id="connection",
            run_id="run",
            service="fake",
            schema="bus",
            context=SourceContext("connection", "bus", self.target.config),
            warehouse=self.target.service,
            warehouse_config=self.target.config,
            working_directory=self.target.folder / "sync",
            limits=self.limits,
            maximum_columns=self.maximum_columns,
        )
        return run_sync(
            job,
            self.checkpoints,
            on_progress=lambda progress: None,
            stop=threading.Event(),
            on_warnings=self.warnings.extend,
        )

    def numbers(self, table: str = "orders") -> list[int]:
        return [number for (number,) in self.target.query(f"SELECT sequence_num FROM bus.{table} ORDER BY 1")]

    def rejects(self) -> dict[int, tuple[bytes, str]]:
        found = self.target.query("SELECT sequence_num, body, reason FROM bus.orders__rejected")
        return {number: (bytes(body), reason) for number, body, reason in found}


@pytest.fixture
def syncs(target: Target, monkeypatch: pytest.MonkeyPatch) -> Syncs:  # noqa: F811
    return Syncs(target, monkeypatch)


@pytest.fixture
def postgres_syncs(postgres_target: Target, monkeypatch: pytest.MonkeyPatch) -> Syncs:  # noqa: F811
    return Syncs(postgres_target, monkeypatch)


def _with_a_rule(target: Target) -> None:  # noqa: F811
    """A table that somebody made, and that takes no number above 99."""
    target.change("CREATE SCHEMA bus")
    target.change(
        "CREATE TABLE bus.orders (message_id VARCHAR PRIMARY KEY, sequence_num BIGINT, value_n BIGINT "
        "CHECK (value_n < 100))"
    )


def _numbered(*refused: int) -> Body:
    return lambda number: json.dumps({"n": 100 if number in refused else number % 100}).encode()


def test_the_messages_that_are_refused_are_found_and_the_others_loaded(syncs: Syncs) -> None:
    _with_a_rule(syncs.target)
    source = FakeSource({"orders": 40, "payments": 3}, body=_numbered(7, 8, 33), batch_rows=20)
    outcome = syncs.run(source)
    assert (outcome.rows, outcome.rejected) == (37 + 3, 3)
    assert syncs.numbers() == [number for number in range(1, 41) if number not in (7, 8, 33)]
    assert syncs.rejects().keys() == {7, 8, 33}
    for body, reason in syncs.rejects().values():
        assert body == b'{"n": 100}'
        assert reason.startswith("The destination refused it. ")
        assert "constraint" in reason
    assert [(warning.code, warning.subject) for warning in syncs.warnings] == [("rejected_messages", "orders")]
    assert "3 messages of orders" in syncs.warnings[0].message


def test_they_are_not_read_again(syncs: Syncs) -> None:
    _with_a_rule(syncs.target)
    source = FakeSource({"orders": 2}, body=_numbered(2))
    syncs.run(source)
    source.sizes["orders"] = 3
    outcome = syncs.run(source)
    assert (outcome.rows, outcome.rejected) == (1, 0)
    assert source.started_at == [("orders", None), ("orders", {"next": 3})]
    assert syncs.numbers() == [1, 3]


def test_a_message_that_is_taken_later_is_a_reject_no_more(syncs: Syncs) -> None:
    _with_a_rule(syncs.target)
    source = FakeSource({"orders": 2}, body=_numbered(2))
    syncs.run(source)
    syncs.target.change("DROP TABLE bus.orders")
    syncs.checkpoints.saved.clear()
    assert syncs.run(source).rejected == 0
    assert (syncs.numbers(), syncs.rejects()) == ([1, 2], {})


def test_what_cannot_be_decoded_and_what_is_refused_are_both_rejected_once(syncs: Syncs) -> None:
    _with_a_rule(syncs.target)
    source = FakeSource({"orders": 5}, body=lambda number: b"{oops" if number == 2 else _numbered(4)(number))
    outcome = syncs.run(source)
    assert (outcome.rows, outcome.rejected, syncs.numbers()) == (3, 2, [1, 3, 5])
    assert {number: body for number, (body, _) in syncs.rejects().items()} == {2: b"{oops", 4: b'{"n": 100}'}


def test_a_demand_of_the_table_that_no_message_can_know_is_no_reason_to_reject(syncs: Syncs) -> None:
    syncs.target.change("CREATE SCHEMA bus")
    syncs.target.change("CREATE TABLE bus.orders (message_id VARCHAR, sequence_num BIGINT, owner VARCHAR NOT NULL)")
    with pytest.raises(WarehouseError, match="owner") as caught:
        syncs.run(FakeSource({"orders": 3}, body=_numbered()))
    assert not isinstance(caught.value, RowsRefused)
    assert syncs.checkpoints.saved == {}
    assert syncs.target.names() == {"bus.orders"}


def test_a_column_of_a_foreign_type_is_no_reason_to_reject(syncs: Syncs) -> None:
    syncs.target.change("CREATE SCHEMA bus")
    syncs.target.change("CREATE TABLE bus.orders (message_id VARCHAR, sequence_num BIGINT, value_n UUID)")
    with pytest.raises(WarehouseError, match="value_n"):
        syncs.run(FakeSource({"orders": 3}, body=_numbered()))
    assert (syncs.checkpoints.saved, syncs.target.names()) == ({}, {"bus.orders"})


def test_a_key_that_is_too_long_for_the_index_of_postgresql_is_rejected(
    postgres_syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.sync import fakes

    plain = fakes.messages

    def messages(*arguments: Any) -> Any:
        table = plain(*arguments)
        names = table.column("message_id").to_pylist()
        names[1] = "".join(chr(0x4E00 + place * 7 % 20_000) for place in range(3_000))
        return table.set_column(0, table.schema.field(0), [names])

    monkeypatch.setattr(fakes, "messages", messages)
    outcome = postgres_syncs.run(FakeSource({"orders": 3}))
    assert (outcome.rows, outcome.rejected, postgres_syncs.numbers()) == (2, 1, [1, 3])
    assert "index row" in postgres_syncs.rejects()[2][1]
