"""Bringing the database to the shape that this version of Syncline needs."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import inspect, select, text
from sqlalchemy.engine import URL

from syncline.store.database import create_sync_engine, parse_url
from syncline.store.models import Account

MIGRATIONS = Path(__file__).parent / "migrations"

_ADVISORY_LOCK = 7_395_262_001
"""The number under which PostgreSQL lets one process migrate at a time; any constant that is ours alone will do."""


class MigrationError(Exception):
    """The database cannot be brought to the present shape."""


def migrate(url: str) -> None:
    """Run every migration that the database lacks, in one transaction. Blocking; harmless to repeat.

    A second process that starts meanwhile waits for the first and then finds nothing to do.

    Raises:
        MigrationError: the database was made by a newer version of Syncline.
    """
    parsed = parse_url(url)
    _make_folder(parsed)
    engine = create_sync_engine(parsed)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise MigrationError(
            "The database was last used by a newer version of Syncline. Install that version or a newer one."
        ) from error
    finally:
        engine.dispose()


def store_is_new(url: str) -> bool:
    """Whether nothing has been stored yet: no database, no tables or no account."""
    parsed = parse_url(url)
    if _is_file(parsed) and not Path(parsed.database or "").exists():
        return True
    engine = create_sync_engine(parsed)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(Account.__tablename__):
                return True
            return connection.execute(select(Account.id).limit(1)).first() is None
    finally:
        engine.dispose()


def _is_file(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}


def _make_folder(url: URL) -> None:
    if _is_file(url):
        Path(url.database or "").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
