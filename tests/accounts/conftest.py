"""A whole app on either store, and clients with keys of other users."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from syncline.accounts.service import create_api_key
from syncline.settings import Settings
from syncline.store.database import Database

ClientFor = Callable[[str, str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a home of their own. Nothing is synced, so one worker is enough."""
    return Settings(home=tmp_path / "home", port=0, concurrent_syncs=1)


@pytest.fixture
def either_settings(tmp_path: Path, store_url: str) -> Settings:
    """Settings of an installation on either store."""
    return Settings(home=tmp_path / "home", port=0, database_url=store_url, concurrent_syncs=1)


@pytest.fixture
async def client_with(client: httpx.AsyncClient) -> AsyncIterator[Callable[[str, str], httpx.AsyncClient]]:
    """Makes clients with a key and secret, on the app of `client`."""
    async with AsyncExitStack() as stack:

        def make(key: str, secret: str) -> httpx.AsyncClient:
            made = httpx.AsyncClient(transport=client._transport, base_url=client.base_url, auth=(key, secret))
            stack.push_async_callback(made.__aexit__)
            return made

        yield make


@pytest.fixture
async def client_for(
    client: httpx.AsyncClient, client_with: Callable[[str, str], httpx.AsyncClient], settings: Settings
) -> AsyncIterator[ClientFor]:
    """Invites a user with a role in the account ("" for none) and makes a client with a key of that user."""
    database = Database(settings.store_url)

    async def make(email: str, role: str) -> httpx.AsyncClient:
        body = {"email": email, "given_name": "Ana", "family_name": "Diaz"} | ({"role": role} if role else {})
        assert (await client.post("/v1/users", json=body)).status_code == 201
        made = await create_api_key(database, email=email)
        return client_with(made.key, made.secret)

    yield make
    await database.close()
