"""The setup tests of a destination, bounded in time, and what they say about its status."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from weakref import WeakKeyDictionary

import structlog
from pydantic import TypeAdapter

from syncline.declarations import Configuration
from syncline.destinations.check_process import COMMAND, CheckTask
from syncline.destinations.schemas import SetupStatus, SetupTest
from syncline.engine.children import start_child
from syncline.engine.context import home_of
from syncline.settings import Settings
from syncline.warehouses.base import Warehouse

MOST_AT_ONCE = 4
"""Setup tests of destinations that run at the same time; each takes some 100 MB of memory while it does."""

_RESULTS = TypeAdapter(list[SetupTest])
_all_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

log = structlog.get_logger(__name__)


async def run_setup_tests(
    warehouse: Warehouse, config: Configuration, networking_method: str, settings: Settings
) -> list[SetupTest]:
    """Test a destination within `settings.setup_tests_timeout` seconds, in another process. Never raises; what cannot
    be tested because something before it failed is left out."""
    missing = config.missing()
    if missing:
        needed = ", ".join(str(field) for field in missing)
        return [_failed("Configuration", f"The configuration is incomplete. Add {needed}.")]
    tests = [SetupTest(title="Configuration", status="PASSED", message="")]
    if networking_method != "Directly":
        return [
            *tests,
            _failed(
                "Networking",
                f"The networking method {networking_method} is not available yet. Use Directly for now.",
            ),
        ]
    limit = settings.setup_tests_timeout
    try:
        async with asyncio.timeout(limit), _places():
            results = await _check(warehouse.declaration.service, config, settings)
    except TimeoutError:
        message = f"The destination did not answer within {limit:g} seconds. Check its address and that it is up."
        return [*tests, _failed("Destination reached", message)]
    except (OSError, ValueError):
        log.exception("the setup tests of a destination ended unexpectedly", service=warehouse.declaration.service)
        message = "The test failed unexpectedly; the server's log says why. Run the setup tests again."
        return [*tests, _failed("Destination reached", message)]
    return [*tests, *results]


async def _check(service: str, config: Configuration, settings: Settings) -> list[SetupTest]:
    """What the warehouse finds, in a process that is gone when this returns or is given up.

    Raises:
        OSError: The process could not be started.
        ValueError: It ended without an answer.
    """
    home = home_of(settings)
    task = CheckTask(
        service,
        config.values(),
        str(home.folder),
        str(home.store_file) if home.store_file else None,
        settings.allowed_hosts,
        settings.private_hosts,
        settings.log_format,
        settings.log_level,
    )
    process = await start_child(COMMAND, answers=True)
    assert process.stdin is not None  # noqa: S101 - it was started with pipes
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(task.encode())
        answer = await process.stdout.read()
        return _RESULTS.validate_json(answer)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _places() -> asyncio.Semaphore:
    """Limits how many such processes there are at a time in this server."""
    return _all_places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MOST_AT_ONCE))


def status_after(tests: Sequence[SetupTest], before: str = "incomplete") -> SetupStatus:
    """The status of a destination after these tests: without any it is incomplete, and one that worked `before` and
    works no more is broken."""
    if tests and all(test.status != "FAILED" for test in tests):
        return "connected"
    return "broken" if tests and before in {"connected", "broken"} else "incomplete"


def _failed(title: str, message: str) -> SetupTest:
    return SetupTest(title=title, status="FAILED", message=message)
