"""What can be done with connections."""

import asyncio
import shutil
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.api.authentication import Caller
from syncline.api.errors import Conflict, NotFound
from syncline.api.paging import Page, paginate
from syncline.connections.scheduling import scheduling
from syncline.connections.schemas import CreateConnectionRequest
from syncline.connections.stopping import stop_sync
from syncline.connectors.base import Connector
from syncline.connectors.registry import UnknownService, connector_for, services
from syncline.engine.context import working_directory
from syncline.engine.executor import Executor
from syncline.engine.locks import ConnectionLock
from syncline.networking import HostPolicy, refuse_hosts
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Group, Run
from syncline.store.sealing import Sealer
from syncline.store.stored_secrets import seal_into

RUNS_AT_ONCE = 1_000
"""Runs that are deleted in one transaction."""

_STORED_AS_SENT = (
    "service",
    "trust_certificates",
    "trust_fingerprints",
    "paused",
    "pause_after_trial",
    "sync_frequency",
    "data_delay_sensitivity",
    "data_delay_threshold",
    "daily_sync_time",
    "schedule_type",
    "local_processing_agent_id",
    "hybrid_deployment_agent_id",
    "proxy_agent_id",
    "private_link_id",
    "networking_method",
    "destination_schema_names",
)


async def create_connection(
    database: Database, sealer: Sealer, settings: Settings, caller: Caller, request: CreateConnectionRequest
) -> Connection:
    """Create a connection; its setup tests have not run.

    Raises:
        NotFound: the group or the service does not exist.
        InvalidField: `config`, `auth` or `schedule` is wrong, or an address is not to be connected to.
        Conflict: another connection of the group loads into this schema.
    """
    async with database.session(read_only=True) as session:
        await _get_group(session, caller, request.group_id)
    connector = _get_connector(request.service)
    config = connector.declaration.config.parse(request.config)
    refuse_hosts(HostPolicy.of(settings), config)
    auth = connector.declaration.parse_auth(request.auth)
    schema = str(request.config["schema"])
    connector.default(config, schema)  # refuses what cannot work with this schema; what was sent is what is stored
    public, secret_config = config.split()
    secrets: dict[str, Any] = {"config": secret_config, "auth": auth.values() if auth is not None else {}}
    card = request.connect_card_config
    connection = Connection(
        account_id=caller.account_id,
        group_id=request.group_id,
        schema=schema,
        connected_by=caller.user_id,
        config=public,
        connect_card_config=card.model_dump(exclude_none=True) if card is not None else None,
        **{**request.model_dump(include=set(_STORED_AS_SENT)), **scheduling(request)},
    )
    seal_into(connection, sealer, secrets)
    try:
        async with database.session() as session:
            await _refuse_taken_schema(session, request.group_id, schema)
            session.add(connection)
    except IntegrityError:  # another request was faster
        raise _schema_is_taken(request.group_id, schema) from None
    return connection


async def get_connection(session: AsyncSession, caller: Caller, connection_id: str) -> Connection:
    """A connection of the caller's account.

    Raises:
        NotFound: there is none with this id.
    """
    connection = await session.get(Connection, connection_id)
    if connection is None or connection.account_id != caller.account_id:
        raise NotFound("Connection", connection_id)
    return connection


async def lock_connection(session: AsyncSession, caller: Caller, connection_id: str) -> Connection:
    """The same, locked until the end of the transaction.

    Raises:
        NotFound: there is none with this id.
    """
    await session.get(Connection, connection_id, with_for_update=True)
    return await get_connection(session, caller, connection_id)


async def list_connections(
    session: AsyncSession, caller: Caller, page: Page, *, group_id: str | None = None, schema: str | None = None
) -> tuple[list[Connection], str | None]:
    """A page of the account's connections, perhaps of one group or schema alone, and the cursor of the next."""
    statement = select(Connection).where(Connection.account_id == caller.account_id)
    if group_id is not None:
        statement = statement.where(Connection.group_id == group_id)
    if schema is not None:
        statement = statement.where(Connection.schema == schema)
    return await paginate(session, statement, Connection.id, page)


async def list_group_connections(
    session: AsyncSession, caller: Caller, page: Page, group_id: str, *, schema: str | None = None
) -> tuple[list[Connection], str | None]:
    """A page of a group's connections.

    Raises:
        NotFound: there is no such group.
    """
    await _get_group(session, caller, group_id)
    return await list_connections(session, caller, page, group_id=group_id, schema=schema)


async def delete_connection(
    database: Database, executor: Executor, settings: Settings, caller: Caller, connection_id: str
) -> None:
    """Stop the connection's sync and delete it with its history. What it has loaded stays in the destination.

    It is paused first, so that nothing starts a sync meanwhile; after a crash in between it is there still, paused,
    and can be deleted again.

    Raises:
        NotFound: there is no such connection.
        Conflict: a sync of it runs in another process and does not stop.
    """
    home = settings.home
    async with database.session() as session:
        connection = await lock_connection(session, caller, connection_id)
        connection.paused = True
        connection.next_sync_at = None
    has_stopped = await stop_sync(database, executor, settings, connection_id)
    lock = ConnectionLock.of(home, connection_id)
    if not has_stopped or not lock.acquire():
        raise Conflict(
            f"Connection '{connection_id}' is being synced by another process. It is paused now: stop that process, "
            "or wait for its end, and delete the connection again."
        )
    try:
        await _delete_runs(database, connection_id)
        async with database.session() as session:
            await session.delete(await lock_connection(session, caller, connection_id))
        await asyncio.to_thread(shutil.rmtree, working_directory(home, connection_id), ignore_errors=True)
    finally:
        lock.release(remove=True)


async def _delete_runs(database: Database, connection_id: str) -> None:
    """Delete a connection's history in steps, between which others write: it may be long."""
    some = select(Run.id).where(Run.connection_id == connection_id).limit(RUNS_AT_ONCE)
    found: Sequence[str] = [""]
    while found:
        async with database.session() as session:
            found = (await session.scalars(delete(Run).where(Run.id.in_(some)).returning(Run.id))).all()
        await asyncio.sleep(0)


async def _get_group(session: AsyncSession, caller: Caller, group_id: str) -> Group:
    group = await session.get(Group, group_id)
    if group is None or group.account_id != caller.account_id:
        raise NotFound("Group", group_id)
    return group


def _get_connector(service: str) -> Connector:
    try:
        return connector_for(service)
    except UnknownService:
        known = ", ".join(f"'{declaration.service}'" for declaration in services())
        raise NotFound("Integration", service, hint=f"`service` can be {known}.") from None


async def _refuse_taken_schema(session: AsyncSession, group_id: str, schema: str) -> None:
    """Schemas that differ by case alone would meet in the destination. The group is locked, so no request slips by."""
    await session.get(Group, group_id, with_for_update=True)
    taken = select(Connection.schema).where(
        Connection.group_id == group_id, func.lower(Connection.schema) == schema.lower()
    )
    found = await session.scalar(taken)
    if found is not None:
        raise _schema_is_taken(group_id, found)


def _schema_is_taken(group_id: str, schema: str) -> Conflict:
    return Conflict(
        f"Another connection of group '{group_id}' loads into the schema '{schema}'. Choose another `config.schema`."
    )
