"""Starting syncs, historical ones too."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.api.authentication import Caller
from syncline.api.errors import Conflict, IllegalState, InvalidInput, NotFound
from syncline.connections.service import get_connection, lock_connection
from syncline.connections.stopping import stop_sync
from syncline.engine.executor import Executor
from syncline.engine.resync import request_resync
from syncline.engine.runs import active_run, queue_run
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Cursor, KnownTable, utc_now

Scope = Mapping[str, Sequence[str]]
"""Names of tables by the name of their schema."""


async def sync_connection(
    database: Database,
    executor: Executor,
    settings: Settings,
    caller: Caller,
    connection_id: str,
    *,
    force: bool,
) -> None:
    """Start a sync now. One that is under way is left alone or, with `force`, stopped and begun anew.

    Raises:
        NotFound: there is no such connection.
        IllegalState: the connection is paused, or was never connected.
        Conflict: the sync under way runs in another process and does not stop.
    """
    async with database.session(read_only=True) as session:
        connection = await get_connection(session, caller, connection_id)
        if connection.paused:
            raise IllegalState(f"Connection '{connection.id}' is paused. Resume it before you sync it.")
        _refuse_incomplete(connection)
        is_active = await session.run_sync(active_run, connection_id) is not None
    if is_active and not force:
        return
    if is_active and not await stop_sync(database, executor, settings, connection_id):
        raise cannot_stop(connection_id)
    await start_sync(database, executor, connection_id)


async def resync_connection(
    database: Database, executor: Executor, caller: Caller, connection_id: str, scope: Scope | None
) -> None:
    """Read the whole connection, or the tables of a scope, again from the beginning.

    The historical sync begins now; after the sync that is under way, which ends undisturbed; or when the connection is
    resumed, if it is paused.

    Raises:
        NotFound: there is no such connection, schema or table.
        InvalidInput: the scope names nothing.
        IllegalState: the connection was never connected.
    """
    async with database.session() as session:
        connection = await lock_connection(session, caller, connection_id)
        _refuse_incomplete(connection)
        streams = await _streams_of(session, connection, scope) if scope is not None else None
        request_resync(connection, streams)
        if not connection.paused:
            connection.rescheduled_for = None
            connection.next_sync_at = utc_now()  # for the case that this process dies before it starts the sync
        is_startable = not connection.paused
    if is_startable:
        await start_sync(database, executor, connection_id)


async def start_sync(database: Database, executor: Executor, connection_id: str) -> None:
    """Queue a sync and hand it to the executor. Nothing happens when there is one under way."""
    async with database.session() as session:
        run = await session.run_sync(queue_run, connection_id, "api")
    if run is not None:
        await executor.submit(run.id, connection_id)


def cannot_stop(connection_id: str) -> Conflict:
    """The sync of a connection runs in another process and does not stop."""
    return Conflict(
        f"Connection '{connection_id}' is being synced by another process, which does not stop. Stop it there, or wait "
        "for its end, and try again."
    )


def _refuse_incomplete(connection: Connection) -> None:
    if not connection.was_connected:
        raise IllegalState(
            f"Connection '{connection.id}' is incomplete: its setup tests have not succeeded yet. "
            f"POST /v1/connections/{connection.id}/test runs them and says what to change."
        )


async def _streams_of(session: AsyncSession, connection: Connection, scope: Scope) -> list[str]:
    """The streams behind the tables of a scope, which may be named as in the source or as in the destination."""
    if not scope:
        raise InvalidInput('No table to re-sync is named. Name a schema and its tables, as in {"bus": ["orders"]}.')
    known = await _known_tables(session, connection)
    streams: list[str] = []
    for schema, tables in scope.items():
        if schema != connection.schema:
            raise NotFound("Schema", schema, hint=f"This connection loads into the schema '{connection.schema}'.")
        if not tables:
            raise InvalidInput(f"No table of the schema '{schema}' is named. Name those to re-sync.")
        for table in tables:
            if table not in known:
                raise NotFound("Table", f"{schema}.{table}", hint=_known_hint(known))
            streams.append(known[table])
    return streams


async def _known_tables(session: AsyncSession, connection: Connection) -> dict[str, str]:
    """The streams of a connection by each name of their tables."""
    cursors = await session.scalars(select(Cursor.stream).where(Cursor.connection_id == connection.id))
    tables = list(await session.scalars(select(KnownTable).where(KnownTable.connection_id == connection.id)))
    configured: Any = connection.config.get("topics") or []
    by_name: dict[str, str] = {
        table.name_in_destination: table.name for table in tables if table.name_in_destination is not None
    }
    return by_name | {name: name for name in (*configured, *cursors, *(table.name for table in tables))}


def _known_hint(known: Iterable[str]) -> str:
    names = sorted(known)
    if not names:
        return "No table of this connection is known before its first sync."
    shown = ", ".join(f"'{name}'" for name in names[:10])
    return f"Known are {shown}{' and others' if len(names) > 10 else ''}."
