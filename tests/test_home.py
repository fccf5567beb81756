"""The files of an installation: nobody but their owner reads them, from the first moment, whatever they were before."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline.accounts.first_start import prepare
from syncline.engine.context import home_of
from syncline.engine.locks import ConnectionLock
from syncline.home import Home
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.warehouses.working import working_folder


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """A machine on which new files are open to all."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """What is neither 600 nor, for a folder, 700."""
    return [
        str(path)
        for path in (folder, *folder.rglob("*"))
        if stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)
    ]


async def test_what_is_made_is_private_from_the_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    await prepare(settings)
    database = Database(settings.store_url)
    async with database.session() as session:
        await session.connection()
        names = sorted(path.name for path in settings.home.iterdir())
        assert names == ["api-key.json", "sealing.key", "syncline.db", "syncline.db-shm", "syncline.db-wal"]
        lock = ConnectionLock.of(settings.home, "connection")
        lock.acquire()
        with working_folder(settings.home / "work" / "connection" / "load"):
            assert open_to_others(settings.home) == []
        lock.release()
    await database.close()


async def test_what_was_open_before_is_closed_at_the_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    await prepare(settings)
    (settings.home / "work" / "connection").mkdir(parents=True)
    (settings.home / "work" / "connection" / "batch").touch()
    (settings.home / "syncline.db.bak").touch()
    for path in (settings.home, *settings.home.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    await prepare(settings)
    assert open_to_others(settings.home) == []


async def test_a_store_elsewhere_is_closed_too_but_not_its_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data" / "other").touch(0o644)
    settings = Settings(home=tmp_path / "home", database_url=f"sqlite:///{tmp_path}/data/store")  # type: ignore[arg-type]
    await prepare(settings)
    (tmp_path / "data" / "store").chmod(0o644)
    await prepare(settings)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data", *(tmp_path / "data").iterdir())
    }
    assert (modes["store"], modes["data"], modes["other"]) == (0o600, 0o755, 0o644)


def test_a_folder_that_others_use_too_keeps_its_mode_and_theirs(tmp_path: Path) -> None:
    (tmp_path / "other").touch(0o644)
    (tmp_path / "syncline.db").touch(0o644)
    (tmp_path / "locks").mkdir(0o755)
    (tmp_path / "locks" / "foreign").symlink_to(tmp_path / "other")
    tmp_path.chmod(0o755)
    assert Home(tmp_path).make_private() == [tmp_path]
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (".", "other", "syncline.db", "locks")}
    assert modes == {".": 0o755, "other": 0o644, "syncline.db": 0o600, "locks": 0o700}


def test_a_sticky_folder_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert Home(tmp_path).make_private() == [tmp_path]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777


def test_the_home_of_settings_knows_a_store_elsewhere(tmp_path: Path) -> None:
    assert home_of(Settings(home=tmp_path)).store_file == tmp_path / "syncline.db"
    elsewhere = Settings(home=tmp_path, database_url="sqlite:////data/store")  # type: ignore[arg-type]
    assert home_of(elsewhere).store_file == Path("/data/store")
    server = Settings(home=tmp_path, database_url="postgresql://u:p@h/d")  # type: ignore[arg-type]
    assert home_of(server).store_file is None
