"""Whose turn it is to work with the store: first come first served, with bounds on how many wait and how long."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

MOST_WAITING = 500
"""Transactions that wait for their turn at most; a longer queue would only make everybody give up."""

LONGEST_WAIT = 10.0
"""Seconds that a transaction waits for its turn at most."""

LONGEST_WAIT_HALFWAY = 60.0
"""The same where something has been stored for the client already, who would do it twice after a refusal."""


class StoreUnavailableError(SQLAlchemyError):
    """The store cannot be worked with at this moment; the same may succeed in a few seconds."""


HungUp = Callable[[], Awaitable[object]]
"""Returns once nobody waits any more for what is done."""


@dataclass
class _Client:
    """For whom something is done."""

    hung_up: HungUp
    task: "asyncio.Task[Any] | None"
    """The one that the client waits for. Tasks that it has started go on without the client."""
    has_written: bool = False


_client: ContextVar[_Client | None] = ContextVar("client", default=None)


@contextmanager
def on_behalf_of(hung_up: HungUp) -> Iterator[None]:
    """Within the block, the present task does not wait for a turn longer than somebody waits for the task."""
    token = _client.set(_Client(hung_up, asyncio.current_task()))
    try:
        yield
    finally:
        _client.reset(token)


def note_written() -> None:
    """Note that something was stored: what is done for the client present cannot be refused as if it had not begun."""
    client = _client.get()
    if client is not None:
        client.has_written = True


class Turns:
    """Lets so many transactions in at a time, in the order in which they came.

    Args:
        at_once: How many may be under way.
        most_waiting: How many may wait besides.
        longest_wait: For how many seconds each.
    """

    def __init__(self, at_once: int, most_waiting: int = MOST_WAITING, longest_wait: float = LONGEST_WAIT) -> None:
        self._free = asyncio.Semaphore(at_once)  # the library's is fair: whoever waits longest is next
        self._most_waiting = most_waiting
        self._longest_wait = longest_wait
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and keep it until the end of the block.

        Raises:
            StoreUnavailableError: too many wait already, or the turn did not come in time.
        """
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def _wait(self) -> None:
        client = _client.get()
        has_written = client is not None and client.has_written
        if self._waiting >= self._most_waiting and not has_written:
            raise StoreUnavailableError(f"{self._waiting} transactions wait for the store already")
        self._waiting += 1
        try:
            async with asyncio.timeout(LONGEST_WAIT_HALFWAY if has_written else self._longest_wait) as limit:
                with _ended_by_hanging_up(limit, client):
                    await self._free.acquire()
        except TimeoutError:
            raise StoreUnavailableError("the store's turn did not come in time") from None
        finally:
            self._waiting -= 1


@contextmanager
def _ended_by_hanging_up(limit: asyncio.Timeout, client: _Client | None) -> Iterator[None]:
    """Let a time limit end at once when the client that waits for the present task hangs up."""
    if client is None or client.task is not asyncio.current_task():
        yield
        return

    def give_up(watch: "asyncio.Task[None]") -> None:
        if not watch.cancelled():
            limit.reschedule(asyncio.get_running_loop().time())

    watch = asyncio.create_task(_return_of(client.hung_up))
    watch.add_done_callback(give_up)
    try:
        yield
    finally:
        watch.remove_done_callback(give_up)
        watch.cancel()


async def _return_of(hung_up: HungUp) -> None:
    with suppress(OSError):
        await hung_up()
