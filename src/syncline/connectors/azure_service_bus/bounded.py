"""Blocking calls from the event loop, with a limit that holds even where the call does not keep its own."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run_bounded(function: Callable[[], T], seconds: float) -> T:
    """Run `function` in a thread of its own and wait for it, at most `seconds`.

    The function has to have a limit of its own; this one is what the caller can rely on. A thread that outlives it is a
    daemon and is not waited for, so neither the loop nor the process can hang on it.

    Raises:
        TimeoutError: It took too long.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = function()
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=work, name="setup-test", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await outcome
