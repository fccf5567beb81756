"""A historical sync reads everything again that the source retains."""

import json

import pytest

from syncline.connectors.base import ReadLimits, SourceUnavailable
from syncline.sync.run import Progress
from tests.sync.fakes import FakeSource
from tests.sync.test_run import Sync


def versioned(version: int):
    return lambda number: json.dumps({"n": number, "version": version}).encode()


def test_rows_are_replaced_and_the_table_is_never_empty(sync: Sync) -> None:
    sync.limits = ReadLimits(rows=500)
    sync.run(FakeSource({"orders": 3000}, body=versioned(1)))
    seen: list[tuple[int, int]] = []

    class Look(list[Progress]):
        """Queries after every load."""

        def append(self, progress: Progress) -> None:
            seen.extend(sync.query("SELECT count(*), count(*) FILTER (value_version = 2) FROM bus.orders"))

    sync.progress = Look()
    outcome = sync.run(FakeSource({"orders": 3000}, body=versioned(2)), from_the_beginning=True)
    assert outcome.rows == 3000
    assert {count for count, _ in seen} == {3000}
    assert any(0 < replaced < 3000 for _, replaced in seen)
    assert sync.query("SELECT DISTINCT value_version FROM bus.orders") == [(2,)]


def test_one_that_breaks_off_goes_on_where_it_was(sync: Sync) -> None:
    sync.limits = ReadLimits(rows=500)
    sync.run(FakeSource({"orders": 3000}, body=versioned(1)))

    def fail(stream: str, number: int) -> None:
        if number > 1000:
            raise SourceUnavailable("The connection broke.")

    with pytest.raises(SourceUnavailable):
        sync.run(FakeSource({"orders": 3000}, body=versioned(2), before_batch=fail), from_the_beginning=True)
    assert sync.query("SELECT value_version, count(*) FROM bus.orders GROUP BY 1 ORDER BY 1") == [(1, 2000), (2, 1000)]
    source = FakeSource({"orders": 3000}, body=versioned(2))
    assert sync.run(source).rows == 2000
    assert source.started_at == [("orders", {"next": 1001})]
    assert sync.query("SELECT DISTINCT value_version FROM bus.orders") == [(2,)]


class TestRejects:
    """Messages that could not be decoded, and can now."""

    def test_they_move_to_their_table(self, sync: Sync) -> None:
        sync.run(FakeSource({"orders": 10}, body=lambda n: b"{oops" if n in (3, 7) else versioned(1)(n)))
        assert sync.numbers("orders__rejected") == [3, 7]
        outcome = sync.run(FakeSource({"orders": 10}, body=versioned(1)), from_the_beginning=True)
        assert (outcome.rows, outcome.rejected, sync.warnings) == (10, 0, [])
        assert sync.numbers("orders__rejected") == []
        assert sync.numbers("orders") == list(range(1, 11))

    def test_those_that_still_cannot_stay(self, sync: Sync) -> None:
        sync.run(FakeSource({"orders": 10}, body=lambda n: b"{oops" if n in (3, 7) else versioned(1)(n)))
        one_fewer = FakeSource({"orders": 10}, body=lambda n: b"{oops" if n == 7 else versioned(1)(n))
        sync.run(one_fewer, from_the_beginning=True)
        assert sync.numbers("orders__rejected") == [7]
        assert sync.numbers("orders") == [1, 2, 3, 4, 5, 6, 8, 9, 10]
