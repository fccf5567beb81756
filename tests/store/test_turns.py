"""Transactions take turns: in the order they came, in a bounded queue, for as long as somebody waits for them."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncline.store import inline_sqlite
from syncline.store.database import Database
from syncline.store.migrate import migrate
from syncline.store.models import Account
from syncline.store.turns import StoreUnavailableError, Turns, note_written, on_behalf_of


@contextlib.asynccontextmanager
async def taken(turns: Turns) -> AsyncIterator[None]:
    """While the only turn is somebody else's."""
    async with turns.turn():
        yield


async def take(turns: Turns, name: str, order: list[str]) -> None:
    async with turns.turn():
        order.append(name)
        await asyncio.sleep(0)


async def test_who_came_first_is_first() -> None:
    turns, order = Turns(1), []
    names = [str(number) for number in range(20)]
    async with taken(turns):
        tasks = [asyncio.create_task(take(turns, name, order)) for name in names]
        await asyncio.sleep(0)
        tasks[3].cancel()
    order_of_late = asyncio.create_task(take(turns, "late", order))
    await asyncio.gather(*tasks, order_of_late, return_exceptions=True)
    names.remove("3")
    assert order == [*names, "late"]


async def test_a_full_queue_refuses_at_once_and_a_wait_has_an_end() -> None:
    turns = Turns(1, most_waiting=2, longest_wait=0.05)
    async with taken(turns):
        waiting = [asyncio.create_task(take(turns, "x", [])) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailableError, match="2 transactions wait"):
            await take(turns, "x", [])
        ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ends] == [StoreUnavailableError] * 2
    await take(turns, "x", order := [])
    assert order == ["x"]


async def test_who_hangs_up_leaves_the_queue_but_what_goes_on_without_the_client_stays() -> None:
    turns, order, gone, left = Turns(1), [], asyncio.Event(), asyncio.Event()

    async def request() -> None:
        with on_behalf_of(gone.wait):
            background = asyncio.create_task(take(turns, "background", order))
            with pytest.raises(StoreUnavailableError):
                await take(turns, "request", order)
            left.set()
            await background

    async with taken(turns):
        serving = asyncio.create_task(request())
        await asyncio.sleep(0)
        gone.set()
        await left.wait()
        assert order == []
    await serving
    assert order == ["background"]


async def test_who_has_written_is_not_refused_halfway() -> None:
    turns, order = Turns(1, most_waiting=0, longest_wait=0.01), []

    async def request() -> None:
        with on_behalf_of(asyncio.Event().wait):
            note_written()
            await take(turns, "request", order)

    async with taken(turns):
        serving = asyncio.create_task(request())
        await asyncio.sleep(0.05)
    await serving
    assert order == ["request"]


async def test_a_writer_waits_asleep_for_those_of_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    migrate(f"sqlite:///{path}")
    database = Database(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def write(name: str) -> None:
        async with database.session() as session:
            session.add(Account(id=name, name=name))

    monkeypatch.setattr(inline_sqlite, "LONGEST_WAIT", 0.05)
    with pytest.raises(StoreUnavailableError):
        await write("refused")
    monkeypatch.undo()
    writers = [asyncio.create_task(write(str(number))) for number in range(3)]
    async with database.session(read_only=True) as session:
        assert await session.get(Account, "0") is None
    other.execute("COMMIT")
    await asyncio.gather(*writers)
    assert other.execute("SELECT id FROM accounts ORDER BY created_at").fetchall() == [("0",), ("1",), ("2",)]
    other.close()
    await database.close()
