"""Whole syncs from the emulator into DuckDB, browsing and draining."""

import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest
from azure.servicebus import ServiceBusMessage

from syncline.connectors.azure_service_bus import drain
from syncline.connectors.base import ReadLimits, SourceContext, SourceWarning
from syncline.emulator.descriptions import SubscriptionDescription, TopicDescription
from syncline.emulator.emulator import EmulatorThread
from syncline.sync.catalog import Catalog
from syncline.sync.run import SyncJob, SyncOutcome, run_sync
from syncline.warehouses.duckdb import DuckdbConfig
from syncline.warehouses.errors import WarehouseError
from tests.connectors.azure_service_bus.conftest import SUBSCRIPTION, Publish, context_for
from tests.sync.fakes import MemoryCheckpoints


class Sync:
    """A connection from the emulator to a DuckDB file."""

    def __init__(self, folder: Path, emulator: EmulatorThread) -> None:
        self.folder = folder
        self.emulator = emulator
        self.checkpoints = MemoryCheckpoints()
        self.policy = "Listen"
        self.catalog: Catalog | None = None
        self.warnings: list[SourceWarning] = []
        """Of the latest run."""

    def context(self, **values: Any) -> SourceContext:
        settings = {"topics": ["orders"], "subscriber_name": SUBSCRIPTION, **values}
        return context_for(self.emulator.connection_string(self.policy), **settings)

    def run(self, **values: Any) -> SyncOutcome:
        config = DuckdbConfig.parse({"path": str(self.folder / "warehouse.duckdb")})
        job = SyncJob(
            connection_id="c1",
            run_id="r1",
            service="azure_service_bus",
            schema="bus",
            context=self.context(**values),
            warehouse="duckdb",
            warehouse_config=config,
            working_directory=self.folder / "work",
            limits=ReadLimits(rows=50),
        )
        self.warnings.clear()
        return run_sync(
            job,
            self.checkpoints,
            on_progress=lambda progress: None,
            stop=threading.Event(),
            catalog=self.catalog,
            on_warnings=self.warnings.extend,
        )

    def ids(self, table: str = "orders") -> set[str]:
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
            return {name for (name,) in connection.execute(f"SELECT message_id FROM bus.{table}").fetchall()}

    def left(self) -> int:
        return self.emulator.call(lambda namespace: len(namespace.topic("orders").subscription(SUBSCRIPTION).store))


@pytest.fixture
def sync(tmp_path: Path, emulator: EmulatorThread, monkeypatch: pytest.MonkeyPatch) -> Sync:
    monkeypatch.setattr(drain, "EMPTY_AFTER", 0.4)
    return Sync(tmp_path, emulator)


def numbered(count: int, start: int = 0, body: bytes = b'{"n": 1}') -> list[ServiceBusMessage]:
    return [ServiceBusMessage(body, message_id=f"m{n}") for n in range(start, start + count)]


def test_browsing_counts_new_messages_alone(sync: Sync, publish: Publish) -> None:
    publish(numbered(120))
    assert sync.run().rows == 120
    publish(numbered(30, start=120))
    assert sync.run().rows == 30
    assert sync.run().rows == 0
    assert sync.ids() == {f"m{n}" for n in range(150)}
    assert sync.left() == 150


def test_draining_removes_what_was_loaded_and_what_was_rejected(sync: Sync, publish: Publish) -> None:
    publish(numbered(120))
    publish(numbered(5, start=120, body=b"{oops"))
    outcome = sync.run(read_mode="Drain")
    assert (outcome.rows, outcome.rejected) == (120, 5)
    assert sync.left() == 0
    assert sync.ids() == {f"m{n}" for n in range(120)}
    assert sync.ids("orders__rejected") == {f"m{n}" for n in range(120, 125)}


def test_draining_leaves_what_could_not_be_loaded(
    sync: Sync, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(numbered(120))
    with monkeypatch.context() as patch:

        def refuse(*_: Any, **__: Any) -> None:
            raise WarehouseError("The destination is full.")

        patch.setattr("syncline.warehouses.loading.SqlLoader.load", refuse)
        for _ in range(12):
            with pytest.raises(WarehouseError):
                sync.run(read_mode="Drain")
    assert sync.left() == 120
    assert sync.run(read_mode="Drain").rows == 120
    assert sync.left() == 0


def test_locks_that_were_lost_are_a_warning_of_the_sync(
    sync: Sync, emulator: EmulatorThread, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(namespace: Any) -> None:
        namespace.create_topic(TopicDescription("ordered"))
        namespace.create_subscription(SubscriptionDescription("ordered", SUBSCRIPTION, requires_session=True))

    emulator.call(make)
    publish([ServiceBusMessage(b'{"n": 1}', message_id=f"m{n}", session_id="a") for n in range(7)], to="ordered")
    save = sync.checkpoints.save

    def save_and_lose_the_session(*position: Any) -> None:
        save(*position)
        emulator.call(lambda namespace: namespace.faults.apply({"fault": "drop_connections"}))

    with monkeypatch.context() as patch:
        patch.setattr(sync.checkpoints, "save", save_and_lose_the_session)
        outcome = sync.run(topics=["ordered"], read_mode="Drain")
    assert outcome.rows == 7
    (warning,) = sync.warnings
    assert (warning.code, warning.subject) == ("locks_lost", "ordered")
    again = sync.run(topics=["ordered"], read_mode="Drain")
    assert (again.rows, sync.warnings) == (7, [])
    assert sync.ids("ordered") == {f"m{n}" for n in range(7)}


def test_going_over_from_browsing_to_draining_and_back(sync: Sync, publish: Publish) -> None:
    publish(numbered(20))
    sync.run()
    publish(numbered(20, start=20))
    assert sync.run(read_mode="Drain").rows == 40
    publish(numbered(20, start=40))
    assert sync.run().rows == 20
    assert sync.ids() == {f"m{n}" for n in range(60)}


def test_messages_that_decode_at_last_move_to_their_table(sync: Sync, publish: Publish) -> None:
    publish(numbered(10))
    publish(numbered(3, start=10, body=b"<a>1</a>"))
    assert sync.run().rejected == 3
    sync.checkpoints.saved.clear()
    assert sync.run(message_type="Text").rows == 13
    assert sync.ids("orders__rejected") == set()
    assert sync.ids() == {f"m{n}" for n in range(13)}
