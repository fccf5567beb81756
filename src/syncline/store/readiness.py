"""Whether the store can be worked with."""

import asyncio
from functools import cache

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from syncline.store.database import Database
from syncline.store.migrate import MIGRATIONS

_PATIENCE = 5.0
"""Seconds that the store may take to answer."""


SEALED_SHUT = (
    "secrets in the store cannot be opened with the present sealing keys; set SYNCLINE_SEALING_KEYS, or the file "
    "sealing.key, to the key that sealed them (beside the present one, where that has sealed others), and restart the "
    "server"
)
"""What is wrong when :func:`syncline.store.stored_secrets.all_can_be_opened` says no."""


async def what_is_wrong(database: Database) -> str | None:
    """Why the store cannot be worked with, for a person; None when it can."""
    try:
        async with asyncio.timeout(_PATIENCE), database.session(read_only=True) as session:
            applied = set(await session.scalars(text("SELECT version_num FROM alembic_version")))
    except TimeoutError:
        return f"the store did not answer within {_PATIENCE:.0f} seconds"
    except (SQLAlchemyError, OSError) as error:
        return f"the store cannot be reached ({type(error).__name__})"
    if applied != {_newest_revision()}:
        return "the store's tables are not those of this version of Syncline; restart the server to migrate them"
    return None


@cache
def _newest_revision() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()
