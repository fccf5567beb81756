"""The setup tests of a destination, bounded in time, and what they say about its status."""

import asyncio
from collections.abc import Sequence

import structlog

from syncline.declarations import Configuration
from syncline.destinations.schemas import SetupStatus, SetupTest
from syncline.warehouses.base import Warehouse

log = structlog.get_logger(__name__)


async def run_setup_tests(
    warehouse: Warehouse, config: Configuration, networking_method: str, *, limit: float
) -> list[SetupTest]:
    """Test a destination. Never raises; what cannot be tested because something before it failed is left out.

    Args:
        limit: Seconds that all tests together may take.
    """
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
    try:
        async with asyncio.timeout(limit):
            results = await asyncio.to_thread(warehouse.check, config)
    except TimeoutError:
        message = f"The destination did not answer within {limit:g} seconds. Check its address and that it is up."
        return [*tests, _failed("Destination reached", message)]
    except Exception:
        log.exception("the setup tests of a destination failed unexpectedly", service=warehouse.declaration.service)
        message = "The test failed unexpectedly; the server's log says why. Run the setup tests again."
        return [*tests, _failed("Destination reached", message)]
    return [*tests, *(_from_result(result) for result in results)]


def status_after(tests: Sequence[SetupTest], before: str = "incomplete") -> SetupStatus:
    """The status of a destination after these tests: without any it is incomplete, and one that worked `before` and
    works no more is broken."""
    if tests and all(test.status != "FAILED" for test in tests):
        return "connected"
    return "broken" if tests and before in {"connected", "broken"} else "incomplete"


def _from_result(result: object) -> SetupTest:
    return SetupTest.model_validate(result, from_attributes=True)


def _failed(title: str, message: str) -> SetupTest:
    return SetupTest(title=title, status="FAILED", message=message)
