"""What is known of the tables that a connection has loaded. Identifiers lead from each thing to the one it is in."""

import base64
import hashlib

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.api.authentication import Caller
from syncline.api.errors import InvalidInput, NotFound
from syncline.api.paging import Page, make_cursor, paginate
from syncline.metadata.schemas import ColumnMetadata, SchemaMetadata, TableMetadata
from syncline.store.models import Connection, KnownColumn, KnownTable
from syncline.sync.selection import SyncMode


async def list_schemas(session: AsyncSession, caller: Caller, connection_id: str) -> list[SchemaMetadata]:
    """The one schema of a connection.

    Raises:
        NotFound: There is no such connection.
    """
    connection = await _find(session, caller, connection_id)
    name = connection.schema
    return [SchemaMetadata(id=_identifier(connection_id), name_in_source=name, name_in_destination=name)]


async def list_tables(
    session: AsyncSession, caller: Caller, connection_id: str, page: Page
) -> tuple[list[TableMetadata], str | None]:
    """One page of the tables that were loaded, and the cursor of the next.

    Raises:
        NotFound: There is no such connection.
    """
    await _find(session, caller, connection_id)
    loaded = select(KnownTable).where(
        KnownTable.connection_id == connection_id, KnownTable.name_in_destination.is_not(None)
    )
    tables, cursor = await paginate(session, loaded, KnownTable.name, page)
    items = [
        TableMetadata(
            id=_identifier(connection_id, table.name),
            parent_id=_identifier(connection_id),
            name_in_source=table.name,
            name_in_destination=table.name_in_destination or "",
        )
        for table in tables
    ]
    return items, cursor


async def list_columns(
    session: AsyncSession, caller: Caller, connection_id: str, page: Page
) -> tuple[list[ColumnMetadata], str | None]:
    """One page of the columns of these tables, and the cursor of the next.

    Raises:
        NotFound: There is no such connection.
        InvalidInput: The cursor is none of this list.
    """
    await _find(session, caller, connection_id)
    key = tuple_(KnownColumn.table_name, KnownColumn.name_digest)
    statement = (
        select(KnownColumn, KnownTable)
        .join(
            KnownTable,
            (KnownTable.connection_id == KnownColumn.connection_id) & (KnownTable.name == KnownColumn.table_name),
        )
        .where(KnownColumn.connection_id == connection_id, KnownColumn.name_in_destination.is_not(None))
        .order_by(KnownColumn.table_name, KnownColumn.name_digest)
        .limit(page.limit + 1)
    )
    if page.after is not None:
        digest, slash, table_name = page.after.partition("/")
        if not slash:
            raise InvalidInput("`cursor` is one of another list. Use `next_cursor` of the page before.")
        statement = statement.where(key > (table_name, digest))
    found = [(column, table) for column, table in await session.execute(statement)]
    items = [_column(column, table) for column, table in found[: page.limit]]
    if len(found) <= page.limit:
        return items, None
    last, _ = found[page.limit - 1]
    return items, make_cursor(f"{last.name_digest}/{last.table_name}")


def _column(column: KnownColumn, table: KnownTable) -> ColumnMetadata:
    connection_id = column.connection_id
    mode = SyncMode(table.loaded_mode or table.sync_mode)
    return ColumnMetadata(
        id=_identifier(connection_id, table.name, column.name_digest),
        parent_id=_identifier(connection_id, table.name),
        name_in_source=column.name,
        name_in_destination=column.name_in_destination or "",
        type_in_source=column.type,
        type_in_destination=column.locked_type or column.type,
        is_primary_key=column.name in mode.key,
    )


async def _find(session: AsyncSession, caller: Caller, connection_id: str) -> Connection:
    connection = await session.get(Connection, connection_id)
    if connection is None or connection.account_id != caller.account_id:
        raise NotFound("Connection", connection_id)
    return connection


def _identifier(*path: str) -> str:
    """The identifier of a connection's schema, of a table in it, or of a column in that: the same at each call."""
    digest = hashlib.sha256("\0".join(path).encode()).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()
