"""What can be done with the schema config of a connection.

A change is in force from the next sync on; one that runs goes by what stood at its start.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from syncline.api.authentication import Caller
from syncline.api.errors import IllegalState, InvalidInput, NotFound
from syncline.engine.runs import SETUP_BROKEN
from syncline.engine.setup_state import setup_state
from syncline.store.database import Database
from syncline.store.models import Connection, Destination, KnownColumn, KnownTable, Notice, SchemaConfig
from syncline.sync.catalog import lock_config
from syncline.tables.answers import columns_answer, config_answer
from syncline.tables.changes import Changes
from syncline.tables.schemas import (
    ColumnsResponse,
    ColumnUpdate,
    ConfigResponse,
    ConfigUpdate,
    DropRequest,
    SchemaUpdate,
    SetUpRequest,
    TableUpdate,
)
from syncline.warehouses.registry import warehouse_for


async def get_config(database: Database, caller: Caller, connection_id: str) -> ConfigResponse:
    """The schema config.

    Raises:
        NotFound: There is no such connection, or nothing is known of its source yet.
        InvalidInput: The connection is not connected.
    """
    async with database.session(read_only=True) as session:
        connection = await find_connected(session, caller, connection_id)
        config = await session.get(SchemaConfig, connection_id)
        if config is None:
            raise _no_config(connection_id)
        return await session.run_sync(answer_config, connection, config)


async def get_columns(
    database: Database, caller: Caller, connection_id: str, schema: str, table_name: str
) -> ColumnsResponse:
    """All columns of a table that are known.

    Raises:
        NotFound: There is no such connection, schema or table.
        InvalidInput: The connection is not connected.
    """

    def answer(session: Session, connection: Connection, config: SchemaConfig) -> ColumnsResponse:
        changes = Changes(session, connection, config)
        changes.check_schema(schema)
        table = changes.table(table_name)
        columns = select(KnownColumn).where(
            KnownColumn.connection_id == connection_id, KnownColumn.table_name == table_name
        )
        return columns_answer(connection, table, session.scalars(columns))

    async with database.session(read_only=True) as session:
        connection = await find_connected(session, caller, connection_id)
        config = await session.get(SchemaConfig, connection_id)
        if config is None:
            raise _no_config(connection_id)
        return await session.run_sync(answer, connection, config)


async def set_up(database: Database, caller: Caller, connection_id: str, request: SetUpRequest) -> ConfigResponse:
    """Say what is to be synced before the source was looked at.

    Raises:
        NotFound: There is no such connection, or another schema is named.
        InvalidInput: The connection is not connected, or a column cannot be changed so.
        IllegalState: The source was looked at already.
    """

    def change(session: Session, connection: Connection) -> ConfigResponse:
        if session.get(SchemaConfig, connection_id) is not None:
            raise IllegalState(
                f"Connection '{connection_id}' has a schema config already. "
                f"PATCH /v1/connections/{connection_id}/schemas changes it."
            )
        config = lock_config(session, connection_id)
        config.schema_change_handling = request.schema_change_handling
        Changes(session, connection, config, ahead=True).apply_schemas(request.schemas)
        return answer_config(session, connection, config)

    async with database.session() as session:
        connection = await find_connected(session, caller, connection_id, lock=True)
        return await session.run_sync(change, connection)


async def update_config(
    database: Database, caller: Caller, connection_id: str, request: ConfigUpdate
) -> ConfigResponse:
    """Change the schema config. Raises as :func:`update_column`."""
    async with _changes(database, caller, connection_id) as (session, changes):
        await session.run_sync(lambda _: changes.apply(request))
    return await get_config(database, caller, connection_id)


async def update_schema(
    database: Database, caller: Caller, connection_id: str, schema: str, request: SchemaUpdate
) -> ConfigResponse:
    """Change a schema. Raises as :func:`update_column`."""
    async with _changes(database, caller, connection_id) as (session, changes):
        await session.run_sync(lambda _: changes.apply_schemas({schema: request}))
    return await get_config(database, caller, connection_id)


async def update_table(
    database: Database, caller: Caller, connection_id: str, schema: str, table: str, request: TableUpdate
) -> ConfigResponse:
    """Change a table. Raises as :func:`update_column`."""
    async with _changes(database, caller, connection_id, schema) as (session, changes):
        await session.run_sync(lambda _: changes.apply_table(table, request))
    return await get_config(database, caller, connection_id)


async def update_column(
    database: Database,
    caller: Caller,
    connection_id: str,
    schema: str,
    table: str,
    column: str,
    request: ColumnUpdate,
) -> ConfigResponse:
    """Change a column.

    Raises:
        NotFound: There is no such connection, schema config, schema, table or column.
        InvalidInput: The connection is not connected, or something cannot be changed so.
    """
    async with _changes(database, caller, connection_id, schema) as (session, changes):
        await session.run_sync(lambda _: changes.apply_column(changes.table(table), column, request))
    return await get_config(database, caller, connection_id)


async def drop_columns(database: Database, caller: Caller, connection_id: str, request: DropRequest) -> None:
    """Have the next sync drop blocked columns in the destination.

    Raises:
        NotFound: There is no such connection, schema config, schema, table or column.
        InvalidInput: The connection is not connected.
        Conflict: A column is not blocked.
        IllegalState: The destination's kind cannot drop columns.
    """
    async with _changes(database, caller, connection_id) as (session, changes):
        await _check_destination_drops(session, connection_id)
        await session.run_sync(lambda _: changes.drop(request))


async def drop_column(
    database: Database, caller: Caller, connection_id: str, schema: str, table: str, column: str
) -> None:
    """The same for one column."""
    async with _changes(database, caller, connection_id, schema) as (session, changes):
        await _check_destination_drops(session, connection_id)
        await session.run_sync(lambda _: changes.drop_columns(table, [column]))


async def find_connected(
    session: AsyncSession, caller: Caller, connection_id: str, *, lock: bool = False
) -> Connection:
    """A connection of the caller's account that is set up.

    Raises:
        NotFound: There is none with this id.
        InvalidInput: Its setup state is another one than `connected`.
    """
    connection = await session.get(Connection, connection_id, with_for_update=lock)
    if connection is None or connection.account_id != caller.account_id:
        raise NotFound("Connection", connection_id)
    broken = select(Notice).where(Notice.connection_id == connection_id, Notice.code == SETUP_BROKEN)
    state = setup_state(connection, await session.scalars(broken))
    if state != "connected":
        raise InvalidInput(
            f"Connection '{connection_id}' has the setup state '{state}': only a connected one has a schema config. "
            f"POST /v1/connections/{connection_id}/test runs its setup tests and says what to change."
        )
    return connection


def answer_config(session: Session, connection: Connection, config: SchemaConfig) -> ConfigResponse:
    """The schema config with all tables, and the columns that a request ever set."""
    tables = select(KnownTable).where(KnownTable.connection_id == connection.id)
    columns = select(KnownColumn).where(KnownColumn.connection_id == connection.id, KnownColumn.set_by_user)
    session.flush()
    return config_answer(connection, config, session.scalars(tables), session.scalars(columns))


@asynccontextmanager
async def _changes(
    database: Database, caller: Caller, connection_id: str, schema: str | None = None
) -> AsyncIterator[tuple[AsyncSession, Changes]]:
    """A transaction that has the schema config to itself, for changes of this schema."""
    async with database.session() as session:
        connection = await find_connected(session, caller, connection_id, lock=True)
        config = await session.get(SchemaConfig, connection_id)
        if config is None:
            raise _no_config(connection_id)
        changes = Changes(session.sync_session, connection, config)
        if schema is not None:
            changes.check_schema(schema)
        yield session, changes


async def _check_destination_drops(session: AsyncSession, connection_id: str) -> None:
    service = await session.scalar(
        select(Destination.service)
        .join(Connection, Connection.group_id == Destination.id)
        .where(Connection.id == connection_id)
    )
    if service is None or not warehouse_for(service).drops_columns:
        raise IllegalState(
            f"Columns cannot be dropped in a {service or 'missing'} destination. Drop them there yourself: blocked "
            "columns are not written in any case."
        )


def _no_config(connection_id: str) -> NotFound:
    hint = (
        f"Nothing is known of its source yet: POST /v1/connections/{connection_id}/schemas/reload asks the source, "
        "and the first sync does too."
    )
    return NotFound("SchemaConfig", connection_id, hint=hint)
