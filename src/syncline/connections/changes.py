"""Changing a connection.

Setup tests take their time, so they run outside any transaction, on a copy with the changes. The changes and what the
tests found are stored together, if what is stored is still what was tested: of two changes at once that need a test,
the first that ends wins, and the other is told so.
"""

import asyncio
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from syncline.api.authentication import Caller
from syncline.api.errors import Conflict
from syncline.connections.scheduling import settle
from syncline.connections.schemas import UpdateConnectionRequest
from syncline.connections.service import get_connection, lock_connection
from syncline.connections.setup import Setup, copy_of
from syncline.connections.setup_tests import record_results, run_setup_tests
from syncline.connections.status import schema_status
from syncline.connections.stopping import stop_sync
from syncline.connections.syncs import start_sync
from syncline.connectors.base import SetupTestResult
from syncline.connectors.registry import connector_for
from syncline.declarations import MASK, InvalidField
from syncline.declarations.errors import shown
from syncline.engine.context import source_context
from syncline.engine.executor import Executor
from syncline.engine.planning import next_start
from syncline.engine.resync import request_resync
from syncline.engine.runs import schedule_of
from syncline.networking import HostPolicy, refuse_hosts
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Destination, utc_now
from syncline.store.sealing import Sealer
from syncline.store.stored_secrets import open_or_replace, seal_into

_RESCHEDULING = ("paused", "sync_frequency", "daily_sync_time", "schedule_type", "schedule")
_under_way: set[asyncio.Task[None]] = set()


async def update_connection(
    database: Database,
    sealer: Sealer,
    settings: Settings,
    executor: Executor,
    caller: Caller,
    connection_id: str,
    request: UpdateConnectionRequest,
) -> None:
    """Change what the request names, which may be nothing, to the end even when the client does not wait for it.

    A change of the setup is tested, unless the request forbids it; then the connection is incomplete until somebody
    tests it, and goes on syncing if it did. Pausing stops the sync that is under way, at its last checkpoint.

    Raises:
        NotFound: there is no such connection.
        InvalidField: `config` or `auth` is wrong, or would change the schema.
        Conflict: the setup was changed by another request meanwhile.
    """
    update = _Update(database, sealer, settings, executor, caller, connection_id, request)
    task = asyncio.create_task(update.carry_out())
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    await asyncio.shield(task)


class _Update:
    """One update, from what is stored to its effects."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        settings: Settings,
        executor: Executor,
        caller: Caller,
        connection_id: str,
        request: UpdateConnectionRequest,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._settings = settings
        self._executor = executor
        self._caller = caller
        self._connection_id = connection_id
        self._request = request

    async def carry_out(self) -> None:
        """Try the changes on a copy, test it if that is needed, store both, and stop or start syncs."""
        async with self._database.session(read_only=True) as session:
            connection = await get_connection(session, self._caller, self._connection_id)
            destination = await session.get(Destination, connection.group_id)
        _refuse_schema_status(connection, self._request)
        before = Setup.of(connection)
        changed = copy_of(connection)
        apply_changes(changed, self._request, self._sealer, HostPolicy.of(self._settings))
        is_another_setup = Setup.of(changed) != before
        results: Sequence[SetupTestResult] | None = [] if is_another_setup else None
        if self._request.run_setup_tests or (is_another_setup and self._request.run_setup_tests is None):
            context = source_context(changed, self._sealer, self._settings)
            results = await run_setup_tests(changed, destination, context)
        async with self._database.session() as session:
            connection = await lock_connection(session, self._caller, self._connection_id)
            if results is not None and Setup.of(connection) != before:
                raise changed_meanwhile(self._connection_id)
            await self._store(session, connection, results)
            is_startable = not connection.paused and connection.was_connected
        begins_anew = bool(self._request.is_historical_sync) and is_startable
        if not self._request.paused and not begins_anew:
            return
        has_stopped = await stop_sync(self._database, self._executor, self._settings, self._connection_id)
        if begins_anew and has_stopped:  # else the historical sync follows the one under way
            await start_sync(self._database, self._executor, self._connection_id)

    async def _store(
        self, session: AsyncSession, connection: Connection, results: Sequence[SetupTestResult] | None
    ) -> None:
        before = [getattr(connection, name) for name in _RESCHEDULING]
        apply_changes(connection, self._request, self._sealer, HostPolicy.of(self._settings))
        is_another_schedule = before != [getattr(connection, name) for name in _RESCHEDULING]
        if self._request.is_historical_sync:
            request_resync(connection, None)
            connection.rescheduled_for = None
        if results is not None:
            await record_results(session, connection, results)
        if is_another_schedule or self._request.is_historical_sync:
            schedule = await session.run_sync(schedule_of, connection)
            connection.next_sync_at = next_start(connection, schedule, utc_now())


def _refuse_schema_status(connection: Connection, request: UpdateConnectionRequest) -> None:
    present = schema_status(connection)
    if request.schema_status not in (None, present):
        raise InvalidField(
            "schema_status",
            f"is {present} and cannot be set: it is ready once the setup tests have passed, which POST "
            f"/v1/connections/{connection.id}/test runs. Leave it out",
            value=shown(request.schema_status),
        )


def apply_changes(connection: Connection, request: UpdateConnectionRequest, sealer: Sealer, hosts: HostPolicy) -> None:
    """Lay what a request names over a connection.

    Raises:
        InvalidField: `config` or `auth` is wrong, names an address that is not to be connected to, would change the
            schema, or moves a stored secret.
        SealingError: the stored secrets are needed, and no key opens them.
    """
    for name, value in request.columns().items():
        setattr(connection, name, value)
    settle(connection)
    if request.config is None and request.auth is None:
        return
    connector = connector_for(connection.service)
    declaration = connector.declaration
    update = {"config": request.config, "auth": request.auth}
    secrets = open_or_replace(connection, sealer, update, masked=MASK)
    config = declaration.config.restore(connection.config, secrets.get("config", {}))
    auth = declaration.auth.restore({}, secrets.get("auth", {})) if declaration.auth is not None else None
    config, auth = declaration.merge(config, auth, request.config, request.auth)
    if request.config is not None:
        refuse_hosts(hosts, config, request.config.keys())
        connector.default(config, connection.schema)  # refuses what cannot work with this schema
    public, secret_config = config.split()
    changed = {"config": secret_config, "auth": auth.values() if auth is not None else {}}
    connection.config = public
    if changed != {"config": secrets.get("config", {}), "auth": secrets.get("auth", {})}:
        seal_into(connection, sealer, changed)


def changed_meanwhile(connection_id: str) -> Conflict:
    """Another request was faster."""
    return Conflict(
        f"The setup of connection '{connection_id}' was changed by another request meanwhile. Look at what it is now, "
        "and send the request again if it is still wanted."
    )
