"""Sessions commit, roll back, and wait for each other instead of failing."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from syncline.store.database import Database, ReadOnlySessionError
from syncline.store.migrate import migrate
from syncline.store.models import Account, Group, User


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    migrate(store_url)
    database = Database(store_url)
    yield database
    await database.close()


async def _count(database: Database) -> int:
    async with database.session(read_only=True) as session:
        return await session.scalar(select(func.count()).select_from(Account)) or 0


async def test_a_session_commits_at_its_end_and_both_kinds_see_it(database: Database) -> None:
    async with database.session() as session:
        session.add(Account(id="one", name="One"))
    with database.sync_session() as session:
        session.add(Account(id="two", name="Two"))
    assert await _count(database) == 2


async def test_a_session_that_raises_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.session() as session:
            session.add(Account(name="Lost"))
            await session.flush()
            raise LookupError

    def fail_blocking() -> None:
        with database.sync_session() as session:
            session.add(Account(name="Lost"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    with pytest.raises(LookupError):
        fail_blocking()
    assert await _count(database) == 0


async def test_changes_in_a_read_only_session_are_refused(database: Database) -> None:
    with pytest.raises(ReadOnlySessionError):
        async with database.session(read_only=True) as session:
            session.add(Account(name="Refused"))
    assert await _count(database) == 0


async def test_references_must_hold(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.session() as session:
            session.add(User(account_id="nobody", email="someone@example.com"))


async def test_times_come_back_in_utc(database: Database) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5)))
    async with database.session() as session:
        session.add(Account(id="one", name="One", created_at=moment))
    async with database.session(read_only=True) as session:
        stored = (await session.get_one(Account, "one")).created_at
    assert stored == moment
    assert stored.utcoffset() == timedelta(0)
    with pytest.raises(StatementError):
        async with database.session() as session:
            session.add(Account(name="Vague", created_at=datetime(2026, 1, 1)))  # noqa: DTZ001


async def test_an_error_does_not_show_what_was_stored(database: Database) -> None:
    async with database.session() as session:
        session.add(Account(id="one", name="One"))
    with pytest.raises(IntegrityError) as caught:
        async with database.session() as session:
            session.add(Group(account_id="other", name="n", public_key="p", sealed_private_key="do-not-show"))
    assert "do-not-show" not in str(caught.value)


_WRITE_MANY = """
import sys
from syncline.store.database import Database
from syncline.store.models import Account
from sqlalchemy import select, func
database = Database(sys.argv[1])
for _ in range(50):
    with database.sync_session() as session:
        session.scalar(select(func.count()).select_from(Account))
        session.add(Account(name="written by a process"))
database.close_sync()
"""


async def test_processes_and_coroutines_write_at_once_without_errors(database: Database, store_url: str) -> None:
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", _WRITE_MANY, store_url) for _ in range(2)]

    async def write() -> None:
        for _ in range(10):
            async with database.session() as session:
                await session.scalar(select(func.count()).select_from(Account))
                session.add(Account(name="written by a coroutine", created_at=datetime.now(UTC)))

    await asyncio.gather(*(write() for _ in range(10)))
    assert [await process.wait() for process in processes] == [0, 0]
    assert await _count(database) == 200


async def test_what_a_session_read_stays_readable_after_it(database: Database) -> None:
    async with database.session() as session:
        session.add(Account(id="one", name="One"))
    async with database.session(read_only=True) as session:
        read = await session.get_one(Account, "one")
    with database.sync_session(read_only=True) as blocking_session:
        read_too = blocking_session.get_one(Account, "one")
    assert read.name == read_too.name == "One"


async def test_a_reader_waits_for_no_writer_and_sees_what_was_committed(database: Database) -> None:
    async with database.session() as writer:
        writer.add(Account(id="one", name="One"))
        await writer.flush()
        async with asyncio.timeout(5):
            assert await _count(database) == 0
    assert await _count(database) == 1


async def test_many_readers_at_once(database: Database) -> None:
    async with database.session() as session:
        session.add(Account(id="one", name="One"))
    assert await asyncio.gather(*(_count(database) for _ in range(50))) == [1] * 50


async def test_a_read_only_session_cannot_change_anything_with_a_statement(database: Database) -> None:
    async with database.session() as session:
        session.add(Account(id="one", name="One"))
    with pytest.raises(DBAPIError, match=r"(?i)read-?only"):
        async with database.session(read_only=True) as session:
            await session.execute(delete(Account))
    assert await _count(database) == 1
