"""Fixtures of the engine's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline.settings import Settings
from syncline.store.database import Database
from tests.engine.support import closing, new_store


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A store of its own for the test."""
    with closing(new_store(settings.store_url, settings.home)) as database:
        yield database


@pytest.fixture
def any_database(store_url: str, tmp_path: Path) -> Iterator[Database]:
    """The same on each kind of database."""
    with closing(new_store(store_url, tmp_path / "home")) as database:
        yield database
