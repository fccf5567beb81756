"""What the tests of destinations share: the app on both kinds of store, and a group to put a destination into."""

from pathlib import Path

import httpx
import pytest

from syncline.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Settings on the store of the parameter `store_url` where a test asks for it, else on SQLite."""
    url = request.getfixturevalue("store_url") if "store_url" in request.fixturenames else None
    return Settings(home=tmp_path / "home", port=0, **({"database_url": url} if url else {}))


@pytest.fixture
async def group_id(client: httpx.AsyncClient) -> str:
    return str((await client.post("/v1/groups", json={"name": "group"})).json()["data"]["id"])
