"""A connection's state: how far each stream has been read."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from syncline.api.authentication import Caller
from syncline.api.errors import IllegalState, InvalidInput
from syncline.connections.service import get_connection, lock_connection
from syncline.connectors.registry import connector_for
from syncline.engine.resync import carry_out_resync, positions_of
from syncline.engine.runs import active_run
from syncline.store.database import Database
from syncline.store.models import Connection, Cursor, utc_now

MOST_STREAM_CHARACTERS = 500

State = dict[str, dict[str, Any]]
"""Positions by stream."""


async def get_state(session: AsyncSession, caller: Caller, connection_id: str) -> State:
    """Where the next sync goes on. A stream that is not in it is read from its beginning.

    Raises:
        NotFound: there is no such connection.
    """
    connection = await get_connection(session, caller, connection_id)
    return await session.run_sync(positions_of, connection)


async def update_state(
    database: Database, caller: Caller, connection_id: str, changes: Mapping[str, Mapping[str, Any] | None]
) -> State:
    """Move streams. Those that are not named stay; one that is null is read from its beginning.

    Raises:
        NotFound: there is no such connection.
        IllegalState: it is not paused, or its sync is still stopping.
        InvalidInput: a position is not one that the connector could have saved.
    """
    async with database.session() as session:
        connection = await lock_connection(session, caller, connection_id)
        await _refuse_while_moving(session, connection)
        _check(connection, changes)
        await session.run_sync(carry_out_resync, connection)
        for stream, position in changes.items():
            cursor = await session.get(Cursor, (connection_id, stream))
            if position is None:
                if cursor is not None:
                    await session.delete(cursor)
            elif cursor is None:
                session.add(Cursor(connection_id=connection_id, stream=stream, position=dict(position)))
            else:
                cursor.position, cursor.updated_at = dict(position), utc_now()
        await session.flush()
        return await session.run_sync(positions_of, connection)


async def _refuse_while_moving(session: AsyncSession, connection: Connection) -> None:
    if not connection.paused:
        raise IllegalState(
            f"The state of connection '{connection.id}' can be changed only while it is paused. PATCH it with "
            '{"paused": true} first, and resume it afterwards.'
        )
    if await session.run_sync(active_run, connection.id) is not None:
        raise IllegalState(f"The sync of connection '{connection.id}' has not stopped yet. Try again in a moment.")


def _check(connection: Connection, changes: Mapping[str, Mapping[str, Any] | None]) -> None:
    connector = connector_for(connection.service)
    for stream, position in changes.items():
        if not stream.strip() or not stream.isprintable() or len(stream) > MOST_STREAM_CHARACTERS:
            raise InvalidInput("A key of `state` is not the name of a stream: it is empty, too long or unprintable.")
        if position is None:
            continue
        try:
            connector.check_position(position)
        except ValueError as error:
            raise InvalidInput(f"`state.{stream}` {error}") from None
