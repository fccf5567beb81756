"""A historical re-sync, with its worker killed half-way: the table is whole at every moment, and right in the end."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.e2e.product import Faults, Server, connection_body, emulator_process, publish, server_process, wait_until
from tests.e2e.warehouse import assert_same_messages, postgresql_reader
from tests.support.postgres import PostgresServer

MESSAGES = 300
BATCH = 25
SUBSCRIPTION = "syncline"


@dataclass
class Watch:
    """Looks at a table all the time, as a dashboard might."""

    url: str
    counts: list[int] = field(default_factory=list)
    """How many rows it had, and how many of them were told apart by their ids."""
    failure: BaseException | None = None
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _look(self) -> None:
        try:
            with psycopg.connect(self.url, autocommit=True) as connection:
                while not self._ended.wait(0.02):
                    found = connection.execute("SELECT count(*), count(DISTINCT message_id) FROM bus.orders").fetchone()
                    assert found is not None
                    self.counts += found
        except BaseException as error:  # such as a table that is missing
            self.failure = error


@pytest.mark.timeout(240)
def test_a_resync_whose_worker_is_killed_goes_on_and_never_shows_an_empty_table(
    tmp_path: Path, postgres: PostgresServer, postgres_database: str
) -> None:
    url = postgres.url_of(postgres_database)
    published = {f"order-{number}": {"number": number, "text": f"message {number}"} for number in range(MESSAGES)}
    with (
        emulator_process(tmp_path, {"orders": [SUBSCRIPTION]}) as connection_string,
        server_process(tmp_path, SYNCLINE_BATCH_ROWS=str(BATCH)) as server,
    ):
        publish(connection_string, "orders", published)
        group_id = server.create_group(
            "postgres_warehouse",
            {
                "host": postgres.host,
                "port": postgres.port,
                "database": postgres_database,
                "user": postgres.user,
                "password": postgres.password,
            },
        )
        body = connection_body(group_id, connection_string, "bus", subscriber_name=SUBSCRIPTION)
        connection_id = server.call("POST", "/v1/connections", body)["id"]
        first = server.wait_for_sync(connection_id)
        assert first["status"]["is_historical_sync"] is False
        with psycopg.connect(url) as connection:  # so that it shows which rows were written again
            connection.execute("UPDATE bus.orders SET value_number = -1, value_text = 'stale'")

        watch = Watch(url)
        with watch.watching():
            # Slow enough to be met half-way.
            faults = Faults(connection_string)
            faults.apply({"fault": "delay", "milliseconds": 25})
            server.call("POST", f"/v1/connections/{connection_id}/resync")
            killed = _kill_worker_at(server, connection_id, MESSAGES // 3)
            assert MESSAGES // 3 <= killed["source_sync_details"]["rows"] < MESSAGES
            assert killed["status"]["is_historical_sync"] is True
            assert killed["succeeded_at"] == first["succeeded_at"]
            assert "killed by signal 9" in killed["source_sync_details"]["error"]
            assert len(_stale(url)) > 0, "it was killed before its end"
            faults.clear()

            server.call("POST", f"/v1/connections/{connection_id}/sync", {"force": False})
            states = _follow(server, connection_id, first["succeeded_at"])
        assert watch.failure is None
        assert len(watch.counts) > 20
        assert set(watch.counts) == {MESSAGES}, "every row was there once, at every moment"
        *during, after = states
        assert {state["status"]["is_historical_sync"] for state in during} == {True}
        assert after["status"]["is_historical_sync"] is False
        assert after["status"]["tasks"] == []
        rows_again = after["source_sync_details"]["rows"]
        assert 0 < rows_again <= MESSAGES - MESSAGES // 3, "it went on at the last checkpoint"
    assert _stale(url) == []
    assert_same_messages(postgresql_reader(url)("bus", "orders"), published, "number")


def _kill_worker_at(server: Server, connection_id: str, rows: int) -> dict[str, Any]:
    """SIGKILL the worker once its sync has loaded so many rows; returns the connection after its end was noticed."""
    found: dict[str, Any] = {}

    def is_half_way() -> bool:
        found.update(server.call("GET", f"/v1/connections/{connection_id}"))
        details = found["source_sync_details"]
        return bool(details["state"] == "running" and details["rows"] >= rows)

    wait_until(is_half_way, 60, "the sync to be half-way")
    run_id = found["source_sync_details"]["run_id"]
    with sqlite3.connect(f"file:{server.home / 'syncline.db'}?mode=ro", uri=True) as store:
        ((owner,),) = store.execute("SELECT owner FROM runs WHERE id = ?", [run_id]).fetchall()
    os.kill(int(owner.partition("/")[2]), signal.SIGKILL)

    def has_ended() -> bool:
        found.update(server.call("GET", f"/v1/connections/{connection_id}"))
        return bool(found["status"]["sync_state"] != "syncing")

    wait_until(has_ended, 30, "the end of the worker to be noticed")
    assert found["source_sync_details"]["run_id"] == run_id
    return found


def _follow(server: Server, connection_id: str, since: str) -> list[dict[str, Any]]:
    """Everything that the connection answers until it has succeeded."""
    states: list[dict[str, Any]] = []

    def has_succeeded() -> bool:
        states.append(server.call("GET", f"/v1/connections/{connection_id}"))
        return bool(states[-1]["succeeded_at"] != since)

    wait_until(has_succeeded, 90, "the sync to succeed")
    return states


def _stale(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT message_id FROM bus.orders WHERE value_text = 'stale'").fetchall()
    return [message_id for (message_id,) in found]
