"""API keys: made, listed, revoked."""

import base64
from collections.abc import AsyncIterator

import pytest

from syncline.accounts.first_start import FirstKey
from syncline.accounts.service import create_api_key, list_api_keys, revoke_api_key, rotate_api_key
from syncline.api.authentication import authenticate
from syncline.api.errors import IllegalState, NotFound, Unauthorized
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


async def test_a_rotated_key_has_another_secret(database: Database, first_key: FirstKey) -> None:
    rotated = await rotate_api_key(database, first_key.key)
    assert rotated.key == first_key.key
    assert rotated.secret != first_key.secret
    credentials = [base64.b64encode(f"{key.key}:{key.secret}".encode()).decode() for key in (first_key, rotated)]
    with pytest.raises(Unauthorized):
        await authenticate(database, f"Basic {credentials[0]}")
    assert (await authenticate(database, f"Basic {credentials[1]}")).role == "Account Administrator"


async def test_a_revoked_or_unknown_key_cannot_be_rotated(database: Database, first_key: FirstKey) -> None:
    await revoke_api_key(database, first_key.key)
    with pytest.raises(IllegalState, match="is revoked"):
        await rotate_api_key(database, first_key.key)
    with pytest.raises(NotFound):
        await rotate_api_key(database, "unknown")


async def test_a_key_is_made_for_the_user_with_an_address(database: Database, first_key: FirstKey) -> None:
    assert (await create_api_key(database, email="OWNER@localhost")).key
    with pytest.raises(NotFound, match="Invite the user"):
        await create_api_key(database, email="stranger@example.com")
