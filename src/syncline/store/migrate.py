"""Bringing the database to the shape that this version of Syncline needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import inspect, select, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError

from syncline.home import private_file, private_folder
from syncline.store.database import create_sync_engine, parse_url, store_file
from syncline.store.models import Account

MIGRATIONS = Path(__file__).parent / "migrations"

_ADVISORY_LOCK = 7_395_262_001
"""The number under which PostgreSQL lets one process migrate at a time; any constant that is ours alone will do."""


class MigrationError(Exception):
    """The database cannot be used or brought to the present shape. The message says why and what to do."""


def migrate(url: str) -> None:
    """Run every migration that the database lacks, in one transaction. Blocking; harmless to repeat.

    A second process that starts meanwhile waits for the first and then finds nothing to do.

    Raises:
        MigrationError: the database cannot be reached, is no database, or was made by a newer version of Syncline.
    """
    parsed = parse_url(url)
    _make_file(store_file(url))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with _transaction(parsed) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise MigrationError(
                "The database was last used by a newer version of Syncline. Install that version or a newer one."
            ) from error


def _make_file(file: Path | None) -> None:
    """Make the file of a new store private before anything is in it; SQLite gives the files beside it the same mode."""
    if file is not None:
        try:
            private_folder(file.parent)
            private_file(file)
        except OSError as error:
            raise MigrationError(
                f"The store's file {file} cannot be made: {error.strerror}. Check SYNCLINE_HOME and "
                "SYNCLINE_DATABASE_URL, and that Syncline may write there."
            ) from error


def store_is_new(url: str) -> bool:
    """Whether nothing has been stored yet: no database, no tables or no account.

    Raises:
        MigrationError: the database cannot be reached, or is no database.
    """
    parsed = parse_url(url)
    file = store_file(url)
    if file is not None and not file.exists():
        return True
    with _transaction(parsed) as connection:
        if not inspect(connection).has_table(Account.__tablename__):
            return True
        return connection.execute(select(Account.id).limit(1)).first() is None


@contextmanager
def _transaction(url: URL) -> Iterator[Connection]:
    """A transaction on the database, with the driver's complaints said for people."""
    engine = create_sync_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split()).rstrip(".?")
        shown = url.set(query={}).render_as_string(hide_password=True)
        raise MigrationError(
            f"The store {shown} cannot be used: {reason}. Check SYNCLINE_DATABASE_URL, and that the database is up."
        ) from error
    finally:
        engine.dispose()
