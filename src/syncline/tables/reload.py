"""Asking the source which tables it has."""

import asyncio
from dataclasses import replace

from sqlalchemy.orm import Session

from syncline.api.authentication import Caller
from syncline.api.errors import IllegalState, NotFound
from syncline.connectors.base import SourceContext
from syncline.connectors.errors import SourceError
from syncline.connectors.registry import connector_for
from syncline.engine.context import source_context
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection
from syncline.store.sealing import Sealer
from syncline.sync.catalog import lock_config, note_tables
from syncline.tables.schemas import ConfigResponse, Exclusion
from syncline.tables.service import answer_config, find_connected


async def reload_config(
    database: Database, sealer: Sealer, settings: Settings, caller: Caller, connection_id: str, exclusion: Exclusion
) -> ConfigResponse:
    """Look at the source anew: new tables are taken note of, those that it has no longer are marked. What is known of
    columns stays.

    Raises:
        NotFound: There is no such connection, or it was deleted meanwhile.
        InvalidInput: The connection is not connected.
        IllegalState: The source does not answer, or refuses.
    """
    async with database.session(read_only=True) as session:
        connection = await find_connected(session, caller, connection_id)
    context = replace(source_context(connection, sealer, settings), request_timeout=settings.setup_test_timeout)
    names = await _ask(connection.service, context)

    def note(session: Session) -> ConfigResponse:
        present = session.get(Connection, connection_id)
        if present is None:
            raise NotFound("Connection", connection_id)
        tables = note_tables(session, connection_id, names)
        config = lock_config(session, connection_id)
        if exclusion != "PRESERVE":
            config.enabled = exclusion == "INCLUDE"
            for table in tables.values():
                table.enabled = config.enabled
        return answer_config(session, present, config)

    async with database.session() as session:
        return await session.run_sync(note)


async def _ask(service: str, context: SourceContext) -> list[str]:
    """The names of the source's streams. It is blocking work, so it has a thread, and a limit in time."""

    def ask() -> list[str]:
        with connector_for(service).open_source(context) as source:
            return [stream.name for stream in source.streams()]

    try:
        return await asyncio.wait_for(asyncio.to_thread(ask), context.setup_tests_timeout)
    except SourceError as error:
        raise IllegalState(f"The source did not say what it has: {error}") from error
    except TimeoutError:
        raise IllegalState(
            f"The source did not say what it has within {context.setup_tests_timeout:g} seconds. Check that it can be "
            "reached from this machine, and try again."
        ) from None
