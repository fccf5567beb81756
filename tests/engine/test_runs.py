"""The life of a run in the store."""

import threading
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import delete

from syncline.engine.resync import positions_of, request_resync
from syncline.engine.runs import (
    Advice,
    Ending,
    active_run,
    active_runs,
    finish_run,
    interrupt_run,
    queue_run,
    record_progress,
    start_run,
)
from syncline.store.database import Database
from syncline.store.models import Connection, Cursor, Run, RunState, utc_now
from tests.engine.support import add_connection, connection_of, notices_of, runs_of

SUCCEEDED = Ending(RunState.SUCCEEDED)
FAILED = Ending(RunState.FAILED, error="The source is away. Wait.")


def begin(database: Database, connection_id: str, trigger: str = "schedule") -> str:
    """Queue and start a run."""
    with database.sync_session() as session:
        run = queue_run(session, connection_id, trigger)
        assert run is not None
        assert start_run(session, run.id)
        return run.id


def end(database: Database, run_id: str, ending: Ending) -> bool:
    with database.sync_session() as session:
        return finish_run(session, run_id, ending)


def test_a_connection_has_one_active_run_at_most(database: Database) -> None:
    connection_id = add_connection(database)
    with database.sync_session() as session:
        first = queue_run(session, connection_id, "schedule")
        assert first is not None
        assert queue_run(session, connection_id, "api") is None
        assert [run.id for run in active_runs(session, 10)] == [first.id]
    end(database, first.id, SUCCEEDED)
    with database.sync_session() as session:
        assert active_run(session, connection_id) is None
        assert queue_run(session, connection_id, "api") is not None


def test_of_many_that_queue_a_run_at_once_one_wins(any_database: Database) -> None:
    connection_id = add_connection(any_database)
    won: list[str] = []
    barrier = threading.Barrier(8)

    def queue() -> None:
        barrier.wait()
        with any_database.sync_session() as session:
            run = queue_run(session, connection_id, "api")
        if run is not None:
            won.append(run.id)

    threads = [threading.Thread(target=queue) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_run_starts_once(database: Database) -> None:
    connection_id = add_connection(database)
    run_id = begin(database, connection_id)
    with database.sync_session() as session:
        assert not start_run(session, run_id)
    (run,) = runs_of(database, connection_id)
    assert run.state == RunState.RUNNING
    assert run.started_at is not None


def test_success_is_carried_over_to_the_connection(any_database: Database) -> None:
    connection_id = add_connection(any_database)
    run_id = begin(any_database, connection_id)
    with any_database.sync_session() as session:
        assert record_progress(session, run_id, rows=10, bytes_read=100, batches=2, rejected=0)
    assert end(any_database, run_id, SUCCEEDED)
    (run,) = runs_of(any_database, connection_id)
    assert (run.state, run.rows, run.bytes, run.batches, run.error) == (RunState.SUCCEEDED, 10, 100, 2, None)
    connection = connection_of(any_database, connection_id)
    assert connection.succeeded_at == run.ended_at
    assert connection.failed_at is None
    assert not connection.is_historical_sync
    assert connection.next_sync_at is not None
    assert utc_now() < connection.next_sync_at <= utc_now() + timedelta(minutes=connection.sync_frequency)


def test_only_a_historical_run_ends_the_historical_sync(database: Database) -> None:
    connection_id = add_connection(database, is_historical_sync=False)
    run_id = begin(database, connection_id)
    with database.sync_session() as session:  # asked for while an incremental run is under way
        session.get_one(Connection, connection_id).is_historical_sync = True
    end(database, run_id, SUCCEEDED)
    assert connection_of(database, connection_id).is_historical_sync


def positions(database: Database, connection_id: str) -> dict[str, object]:
    with database.sync_session(read_only=True) as session:
        return dict(positions_of(session, session.get_one(Connection, connection_id)))


@pytest.mark.parametrize(
    ("streams", "left"),
    [(None, {}), (["a"], {"b": {"n": 2}}), (["a", "b"], {}), (["c"], {"a": {"n": 1}, "b": {"n": 2}})],
)
def test_the_first_run_after_a_request_to_resync_reads_anew(
    any_database: Database, streams: list[str] | None, left: dict[str, object]
) -> None:
    connection_id = add_connection(any_database, is_historical_sync=False)
    before = begin(any_database, connection_id)
    with any_database.sync_session() as session:
        for stream, number in (("a", 1), ("b", 2)):
            session.add(Cursor(connection_id=connection_id, stream=stream, position={"n": number}))
    with any_database.sync_session() as session:
        request_resync(session.get_one(Connection, connection_id), streams)
    assert positions(any_database, connection_id) == left
    with any_database.sync_session(read_only=True) as session:
        assert session.get(Cursor, (connection_id, "a")) is not None, "the sync under way is not disturbed"
    end(any_database, before, SUCCEEDED)
    connection = connection_of(any_database, connection_id)
    assert connection.is_historical_sync, "that was not the one that was asked for"
    assert connection.next_sync_at is not None
    assert connection.next_sync_at <= utc_now(), "it follows at once"

    first = begin(any_database, connection_id)
    assert positions(any_database, connection_id) == left
    with any_database.sync_session() as session:
        session.merge(Cursor(connection_id=connection_id, stream="a", position={"n": 3}))
    end(any_database, first, FAILED)
    second = begin(any_database, connection_id)
    assert positions(any_database, connection_id)["a"] == {"n": 3}, "the next goes on where the failed one was"
    end(any_database, second, SUCCEEDED)
    assert not connection_of(any_database, connection_id).is_historical_sync
    assert all(run.is_historical for run in runs_of(any_database, connection_id)[1:])


def test_a_failure_is_explained_until_the_next_success(database: Database) -> None:
    connection_id = add_connection(database)
    end(database, begin(database, connection_id), FAILED)
    connection = connection_of(database, connection_id)
    assert connection.failed_at is not None
    assert connection.succeeded_at is None
    assert connection.is_historical_sync
    (task,) = notices_of(database, connection_id)
    assert (task.kind, task.code, task.details) == ("task", "sync_failed", "The source is away. Wait.")

    end(database, begin(database, connection_id), Ending(RunState.FAILED, error="Wrong key.", needs_setup=True))
    (task,) = notices_of(database, connection_id)
    assert (task.code, task.details) == ("setup_broken", "Wrong key.")

    end(database, begin(database, connection_id), SUCCEEDED)
    assert notices_of(database, connection_id) == []


def test_failures_in_a_row_are_retried_ever_later(database: Database) -> None:
    connection_id = add_connection(database, sync_frequency=1440)
    waits = []
    for _ in range(3):
        end(database, begin(database, connection_id), FAILED)
        next_sync_at = connection_of(database, connection_id).next_sync_at
        assert next_sync_at is not None
        waits.append(round((next_sync_at - utc_now()).total_seconds() / 60))
    assert waits == sorted(waits)
    assert waits[0] <= 1
    assert waits[-1] <= 4


def test_a_throttled_source_is_left_alone_as_long_as_it_asked(database: Database) -> None:
    connection_id = add_connection(database)
    throttled = Ending(RunState.RESCHEDULED, error="Busy.", retry_after=timedelta(seconds=90))
    end(database, begin(database, connection_id), throttled)
    connection = connection_of(database, connection_id)
    assert connection.rescheduled_for is not None
    assert connection.next_sync_at == connection.rescheduled_for
    assert connection.failed_at is None
    begin(database, connection_id)
    assert connection_of(database, connection_id).rescheduled_for is None


def test_a_manual_connection_that_was_throttled_waits_for_a_request(database: Database) -> None:
    connection_id = add_connection(database, schedule_type="manual")
    throttled = Ending(RunState.RESCHEDULED, retry_after=timedelta(seconds=90))
    end(database, begin(database, connection_id), throttled)
    connection = connection_of(database, connection_id)
    assert connection.rescheduled_for is not None
    assert connection.next_sync_at is None


def test_rejected_messages_and_advice_become_warnings_that_are_raised_once(any_database: Database) -> None:
    connection_id = add_connection(any_database)
    nearly_full = Advice("topic_nearly_full", "The topic is nearly full", "80 %", subject="orders")
    for _ in range(2):
        run_id = begin(any_database, connection_id)
        with any_database.sync_session() as session:
            record_progress(session, run_id, rows=10, bytes_read=100, batches=1, rejected=3)
        end(any_database, run_id, Ending(RunState.SUCCEEDED, advice=[nearly_full]))
    rejected, full = notices_of(any_database, connection_id)
    assert (rejected.kind, rejected.code, rejected.count) == ("warning", "rejected_messages", 6)
    assert (full.kind, full.code, full.subject) == ("warning", "topic_nearly_full", "orders")


def test_a_warning_goes_a_day_after_the_last_sync_that_gave_it(any_database: Database) -> None:
    connection_id = add_connection(any_database)
    warning = Ending(RunState.SUCCEEDED, advice=[Advice("topic_nearly_full", "The topic is nearly full")])
    with time_machine.travel("2026-03-01 12:00:00+00:00", tick=False) as clock:
        end(any_database, begin(any_database, connection_id), warning)
        clock.shift(timedelta(hours=23))
        end(any_database, begin(any_database, connection_id), SUCCEEDED)
        assert [notice.code for notice in notices_of(any_database, connection_id)] == ["topic_nearly_full"]
        clock.shift(timedelta(hours=2))
        end(any_database, begin(any_database, connection_id), FAILED)
        assert "topic_nearly_full" in [notice.code for notice in notices_of(any_database, connection_id)]
        end(any_database, begin(any_database, connection_id), SUCCEEDED)
        assert notices_of(any_database, connection_id) == []


@pytest.mark.parametrize("streams", [None, ["orders"]])
def test_the_warning_of_rejected_messages_stands_until_they_are_read_again(
    any_database: Database, streams: list[str] | None
) -> None:
    connection_id = add_connection(any_database)
    advice = [Advice("rejected_messages", "Some could not be decoded", subject=name) for name in ("orders", "visits")]
    with time_machine.travel("2026-03-01 12:00:00+00:00", tick=False) as clock:
        end(any_database, begin(any_database, connection_id), Ending(RunState.SUCCEEDED, advice=advice))
        clock.shift(timedelta(days=30))
        end(any_database, begin(any_database, connection_id), SUCCEEDED)
        assert [notice.subject for notice in notices_of(any_database, connection_id)] == ["orders", "visits"]
        with any_database.sync_session() as session:
            request_resync(session.get_one(Connection, connection_id), streams)
        begin(any_database, connection_id)
        remaining = [] if streams is None else ["visits"]
        assert [notice.subject for notice in notices_of(any_database, connection_id)] == remaining


def test_an_interrupted_run_is_followed_by_another(any_database: Database) -> None:
    connection_id = add_connection(any_database, schedule_type="manual")
    run_id = begin(any_database, connection_id, "api")
    with any_database.sync_session() as session:
        following = interrupt_run(session, run_id, "killed")
    assert following is not None
    first, second = runs_of(any_database, connection_id)
    assert (first.state, first.error) == (RunState.INTERRUPTED, "killed")
    assert (second.id, second.state, second.trigger) == (following.id, RunState.QUEUED, "recovery")
    assert connection_of(any_database, connection_id).failed_at is None


def test_a_paused_connection_is_not_taken_up_again(database: Database) -> None:
    connection_id = add_connection(database)
    run_id = begin(database, connection_id)
    with database.sync_session() as session:
        session.get_one(Connection, connection_id).paused = True
    with database.sync_session() as session:
        assert interrupt_run(session, run_id, "killed") is None
    assert connection_of(database, connection_id).next_sync_at is None


@pytest.mark.parametrize("ending", [SUCCEEDED, FAILED, Ending(RunState.CANCELLED)])
def test_a_run_ends_once(database: Database, ending: Ending) -> None:
    connection_id = add_connection(database)
    run_id = begin(database, connection_id)
    end(database, run_id, ending)
    assert not end(database, run_id, FAILED)
    with database.sync_session() as session:
        assert not record_progress(session, run_id, rows=1, bytes_read=1, batches=1, rejected=0)
        assert interrupt_run(session, run_id, "late") is None
    (run,) = runs_of(database, connection_id)
    assert run.state == ending.state


def test_runs_of_a_deleted_connection_are_gone_and_nothing_breaks(database: Database) -> None:
    connection_id = add_connection(database)
    run_id = begin(database, connection_id)
    with database.sync_session() as session:
        session.execute(delete(Connection).where(Connection.id == connection_id))
    assert not end(database, run_id, SUCCEEDED)
    with database.sync_session() as session:
        assert session.get(Run, run_id) is None
        assert queue_run(session, connection_id, "api") is None
