"""The migrations make what the models say, on both kinds of database, once."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from syncline.store.database import Database, DatabaseUrlError, create_sync_engine, parse_url
from syncline.store.migrate import MigrationError, migrate, store_is_new
from syncline.store.models import Account, Base


def test_models_and_migrations_agree(store_url: str) -> None:
    migrate(store_url)
    engine = create_sync_engine(parse_url(store_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()
    assert differences == []


def test_migrating_again_keeps_what_is_stored(store_url: str) -> None:
    migrate(store_url)
    database = Database(store_url)
    with database.sync_session() as session:
        session.add(Account(id="kept", name="Kept"))
    migrate(store_url)
    with database.sync_session(read_only=True) as session:
        assert session.get_one(Account, "kept").name == "Kept"
    database.close_sync()


def test_a_store_is_new_until_it_has_an_account(store_url: str) -> None:
    assert store_is_new(store_url)
    migrate(store_url)
    assert store_is_new(store_url)
    database = Database(store_url)
    with database.sync_session() as session:
        session.add(Account(name="Someone"))
    database.close_sync()
    assert not store_is_new(store_url)


def test_two_processes_may_migrate_at_once(store_url: str) -> None:
    code = "import sys; from syncline.store.migrate import migrate; sys.stdin.read(); migrate(sys.argv[1])"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, store_url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    for process in processes:
        process.stdin = None
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert store_is_new(store_url)


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    migrate(url)
    database = Database(url)
    with database.sync_session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close_sync()
    with pytest.raises(MigrationError, match="newer version"):
        migrate(url)


@pytest.mark.parametrize("url", ["mysql://root:hidden@localhost/x", "nonsense with hidden in it"])
def test_another_kind_of_database_is_refused_without_showing_the_url(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match="postgresql://") as caught:
        Database(url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///store.db?timeout=5"])
def test_a_sqlite_store_is_a_file_and_nothing_else(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match="sqlite:///path"):
        Database(url)


def test_a_database_that_cannot_be_reached_is_told_without_its_password() -> None:
    with pytest.raises(MigrationError, match="SYNCLINE_DATABASE_URL") as caught:
        migrate("postgresql://someone:hidden@127.0.0.1:1/store")
    assert "127.0.0.1" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"x" * 4096)
    with pytest.raises(MigrationError, match="not a database"):
        migrate(f"sqlite:///{path}")
    with pytest.raises(MigrationError, match="not a database"):
        store_is_new(f"sqlite:///{path}")
