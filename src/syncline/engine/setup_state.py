"""Whether a connection is set up, derived from what is stored about it."""

from collections.abc import Iterable
from typing import Literal

from syncline.engine.runs import SETUP_BROKEN
from syncline.store.models import Connection, Notice

SetupState = Literal["incomplete", "connected", "broken"]


def setup_state(connection: Connection, notices: Iterable[Notice] = ()) -> SetupState:
    """Whether the connection is set up: its latest setup tests all succeeded, and no sync has since found the setup
    to be at fault. It is incomplete while its present setup was never tested."""
    if not connection.setup_tests:
        return "incomplete"
    if not tests_succeeded(connection.setup_tests):
        return "broken" if connection.was_connected else "incomplete"
    return "broken" if any(notice.code == SETUP_BROKEN for notice in notices) else "connected"


def tests_succeeded(setup_tests: Iterable[dict[str, object]]) -> bool:
    """Whether setup tests ran and none of them failed."""
    statuses = {test["status"] for test in setup_tests}
    return "PASSED" in statuses and "FAILED" not in statuses
