"""Fixtures of the engine's tests."""

from collections.abc import Iterator

import pytest

from syncline.settings import Settings
from syncline.store.database import Database
from tests.engine.support import closing, new_store


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A store of its own for the test."""
    with closing(new_store(settings)) as database:
        yield database
