"""A store with one connection in it, for tests of the engine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from syncline.store.database import Database
from syncline.store.migrate import migrate
from syncline.store.models import Account, Connection, Destination, Group, Notice, Run, User

WORKER = Path(__file__).with_name("scripted_worker.py")
"""A worker program whose source and destination do what the connection's config says."""


def new_store(url: str, home: Path) -> Database:
    """An empty store in its present shape."""
    home.mkdir(parents=True, exist_ok=True)
    migrate(url)
    return Database(url)


def add_connection(database: Database, schema: str = "bus", **columns: Any) -> str:
    """Add a connected connection, with group and destination; return its id."""
    with database.sync_session() as session:
        account = session.scalar(select(Account)) or Account(name="tests")
        session.add(account)
        session.flush()
        user = session.scalar(select(User)) or User(account_id=account.id, email="owner@example.com")
        group = Group(account_id=account.id, name=f"group of {schema}", public_key="ssh", sealed_private_key="x")
        session.add_all([user, group])
        session.flush()
        session.add(
            Destination(
                id=group.id,
                account_id=account.id,
                service="duckdb",
                region="LOCAL",
                time_zone_offset="0",
                created_by=user.id,
            )
        )
        values: dict[str, Any] = {
            "service": "azure_service_bus",
            "setup_tests": [{"title": "t", "status": "PASSED", "message": "", "details": ""}],
            "was_connected": True,
            **columns,
        }
        connection = Connection(account_id=account.id, group_id=group.id, schema=schema, connected_by=user.id, **values)
        session.add(connection)
        session.flush()
        return connection.id


def connection_of(database: Database, connection_id: str) -> Connection:
    with database.sync_session(read_only=True) as session:
        return session.get_one(Connection, connection_id)


def runs_of(database: Database, connection_id: str) -> list[Run]:
    """The connection's runs, the oldest first."""
    with database.sync_session(read_only=True) as session:
        statement = select(Run).where(Run.connection_id == connection_id).order_by(Run.queued_at, Run.id)
        return list(session.scalars(statement))


def notices_of(database: Database, connection_id: str) -> list[Notice]:
    with database.sync_session(read_only=True) as session:
        return list(session.scalars(select(Notice).where(Notice.connection_id == connection_id).order_by(Notice.code)))


def is_alive(process_id: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not count."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z" and os.path.exists(f"/proc/{process_id}")  # noqa: PTH110


@contextmanager
def closing(database: Database) -> Iterator[Database]:
    try:
        yield database
    finally:
        database.close_sync()
