"""API keys: made, listed, revoked."""

from collections.abc import AsyncIterator

import pytest

from syncline.accounts.first_start import FirstKey
from syncline.accounts.service import create_api_key, list_api_keys, revoke_api_key
from syncline.api.errors import IllegalState, NotFound
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.migrate import migrate


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    migrate(settings.store_url)
    database = Database(settings.store_url)
    yield database
    await database.close()


async def test_keys_are_listed_in_the_order_in_which_they_were_made(database: Database, first_key: FirstKey) -> None:
    made = await create_api_key(database, "for Terraform")
    assert made.secret not in repr(made)
    keys = await list_api_keys(database)
    assert [(key.key, key.name) for key in keys] == [
        (first_key.key, "Made at the first start"),
        (made.key, "for Terraform"),
    ]


async def test_revoking_twice_keeps_the_first_time(database: Database, first_key: FirstKey) -> None:
    once = (await revoke_api_key(database, first_key.key)).revoked_at
    assert once is not None
    assert (await revoke_api_key(database, first_key.key)).revoked_at == once


async def test_an_unknown_key_cannot_be_revoked(database: Database, first_key: FirstKey) -> None:
    with pytest.raises(NotFound, match="was not found"):
        await revoke_api_key(database, "unknown")


async def test_without_an_account_there_is_no_key_to_make(database: Database) -> None:
    with pytest.raises(IllegalState, match="syncline up"):
        await create_api_key(database)
