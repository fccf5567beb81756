"""The first start makes the account and its key, once."""

import asyncio
import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import func, select

from syncline.accounts.first_start import prepare
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Account, ApiKey, User
from syncline.store.sealing import SealingError


async def test_the_key_is_returned_and_written_for_its_owner_alone(settings: Settings) -> None:
    made = await prepare(settings)
    assert made is not None
    assert json.loads(made.path.read_text()) == {"key": made.key, "secret": made.secret}
    assert made.path == settings.home / "api-key.json"
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
    assert made.secret not in repr(made)


async def test_the_secret_is_not_in_the_database(settings: Settings) -> None:
    made = await prepare(settings)
    assert made is not None
    stored = b"".join(path.read_bytes() for path in settings.home.glob("syncline.db*"))
    assert made.key.encode() in stored
    assert made.secret.encode() not in stored


async def test_later_starts_make_nothing(settings: Settings) -> None:
    made = await prepare(settings)
    assert made is not None
    written = made.path.read_text()
    assert await prepare(settings) is None
    assert made.path.read_text() == written


async def test_starts_at_the_same_moment_make_one_account(store_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", database_url=store_url)  # type: ignore[arg-type]
    made = await asyncio.gather(*(prepare(settings) for _ in range(4)))
    assert len([key for key in made if key is not None]) == 1
    database = Database(store_url)
    async with database.session(read_only=True) as session:
        counts = [await session.scalar(select(func.count()).select_from(model)) for model in (Account, User, ApiKey)]
    await database.close()
    assert counts == [1, 1, 1]


async def test_a_lost_sealing_key_stops_the_start_and_says_what_to_do(settings: Settings) -> None:
    await prepare(settings)
    (settings.home / "sealing.key").unlink()
    with pytest.raises(SealingError, match="Put the file back"):
        await prepare(settings)
