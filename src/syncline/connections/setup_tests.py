"""A connection's setup tests: what Syncline itself has to say, then the connector's.

They run outside any transaction, because they wait for the network. What is stored before is a complete connection
whose tests have not run, and what is stored after is their outcome in one transaction: a crash between the two leaves
an `incomplete` connection that answers, and `POST .../test` runs the tests again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

import structlog
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.api.errors import NotFound
from syncline.connections.setup import Setup
from syncline.connectors.base import SetupTestResult, SourceContext
from syncline.connectors.registry import connector_for
from syncline.engine.context import source_context
from syncline.engine.planning import next_start
from syncline.engine.runs import SETUP_BROKEN, schedule_of
from syncline.engine.setup_state import tests_succeeded
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Destination, Notice, utc_now
from syncline.store.sealing import Sealer

GRACE_SECONDS = 5.0
"""How much longer than its own limit the connector's part may take before it is given up."""

_NETWORKING_IDS = ("private_link_id", "proxy_agent_id", "hybrid_deployment_agent_id", "local_processing_agent_id")

log = structlog.get_logger(__name__)
_under_way: set[asyncio.Task[bool]] = set()


async def test_connection(database: Database, sealer: Sealer, settings: Settings, connection_id: str) -> bool:
    """Run the setup tests and store their outcome, to the end even when the client does not wait for it.

    Returns:
        False when the setup was changed meanwhile: the outcome of the tests says nothing about it and is not stored.

    Raises:
        NotFound: the connection was deleted meanwhile.
    """
    task = asyncio.create_task(_test_and_store(database, sealer, settings, connection_id))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return await asyncio.shield(task)


async def _test_and_store(database: Database, sealer: Sealer, settings: Settings, connection_id: str) -> bool:
    async with database.session(read_only=True) as session:
        connection = await session.get(Connection, connection_id)
        destination = await session.get(Destination, connection.group_id) if connection is not None else None
    if connection is None:
        raise NotFound("Connection", connection_id)
    results = await run_setup_tests(connection, destination, source_context(connection, sealer, settings))
    failed = [result.title for result in results if result.status == "FAILED"]
    log.info("setup tests completed", connection_id=connection_id, failed=failed)
    async with database.session() as session:
        present = await session.get(Connection, connection_id, with_for_update=True)
        if present is None:
            raise NotFound("Connection", connection_id)
        if Setup.of(present) != Setup.of(connection):
            return False
        await record_results(session, present, results)
    return True


async def run_setup_tests(
    connection: Connection, destination: Destination | None, context: SourceContext
) -> list[SetupTestResult]:
    """All setup tests of a connection, bounded in time. When the network path that was asked for is not available,
    the source is not contacted at all: no other path would be what was asked for."""
    own = [_destination_test(destination), *_networking_tests(connection)]
    if any(result.title == _NETWORKING and result.status == "FAILED" for result in own):
        return [*own, _configuration_test(connection, context)]
    limit = context.setup_tests_timeout + GRACE_SECONDS
    try:
        results = await asyncio.wait_for(connector_for(connection.service).run_setup_tests(context), limit)
    except TimeoutError:
        results = [
            SetupTestResult(
                title="Time limit",
                status="FAILED",
                message=f"The tests of the source did not end within {limit:g} seconds. Check that it can be reached "
                "from this machine, and test again.",
            )
        ]
    return [*own, *results]


_NETWORKING = "Networking"


def _destination_test(destination: Destination | None) -> SetupTestResult:
    title = "Destination"
    if destination is None:
        message = "The group has no destination to load into. Create one with POST /v1/destinations."
        return SetupTestResult(title, "FAILED", message)
    return SetupTestResult(title, "PASSED", f"Rows will be loaded into the group's {destination.service} destination.")


def _networking_tests(connection: Connection) -> list[SetupTestResult]:
    """Nothing for the usual case; otherwise what is stored but has no effect, or cannot be done yet."""
    if connection.networking_method != "Directly":
        message = (
            f"`networking_method` {connection.networking_method} is not available in this version yet. "
            "Use Directly, from a machine that reaches the source."
        )
        return [SetupTestResult(_NETWORKING, "FAILED", message)]
    unused = [name for name in _NETWORKING_IDS if getattr(connection, name) is not None]
    if not unused:
        return []
    message = (
        f"{', '.join(f'`{name}`' for name in unused)}: stored, but not available in this version yet. "
        "The source is reached directly from this machine, as `networking_method` says."
    )
    return [SetupTestResult(_NETWORKING, "WARNING", message)]


def _configuration_test(connection: Connection, context: SourceContext) -> SetupTestResult:
    declaration = connector_for(connection.service).declaration
    missing = declaration.missing(context.config, context.auth)
    if missing:
        return SetupTestResult("Configuration", "FAILED", f"Missing: {', '.join(str(field) for field in missing)}.")
    return SetupTestResult("Configuration", "PASSED", "Everything that is needed is there.")


async def record_results(session: AsyncSession, connection: Connection, results: Sequence[SetupTestResult]) -> None:
    """Store what the setup tests found, and let a connection that is set up now sync."""
    connection.setup_tests = [asdict(result) for result in results]
    connection.setup_tested_at = utc_now() if results else None
    if not tests_succeeded(connection.setup_tests):
        return
    connection.was_connected = True
    repaired = await session.scalars(
        delete(Notice)
        .where(Notice.connection_id == connection.id, Notice.code == SETUP_BROKEN)
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    schedule = await session.run_sync(schedule_of, connection)
    if connection.next_sync_at is None:
        connection.next_sync_at = next_start(connection, schedule, utc_now())
    elif repaired.all():
        connection.next_sync_at = utc_now()
