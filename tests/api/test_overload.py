"""More to do than the server can do: nobody gets a 500, and what was refused succeeds when it is tried again."""

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from syncline.accounts.first_start import FirstKey
from syncline.api.middleware import install
from syncline.groups.endpoints import router as groups
from syncline.settings import Settings
from syncline.store import inline_sqlite
from syncline.store.database import Database

CLIENTS, REQUESTS = 60, 2


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> Settings:
    return Settings(home=tmp_path / "home", port=0, database_url=SecretStr(store_url))


def connection_in(group_id: str, number: int) -> dict[str, object]:
    config = {"schema": f"bus_{number}", "auth_type": "ConnectionString", "message_type": "Json"}
    return {
        "group_id": group_id,
        "service": "azure_service_bus",
        "run_setup_tests": False,
        "paused": True,
        "config": config,
    }


async def test_many_clients_at_once_are_all_served(client: httpx.AsyncClient) -> None:
    group = (await client.post("/v1/groups", json={"name": "one"})).json()["data"]["id"]
    statuses: Counter[int] = Counter()

    async def caller(number: int) -> list[str]:
        created = []
        for turn in range(REQUESTS):
            if (number + turn) % 3:
                answer = await client.get("/v1/connections?limit=5")
            else:
                body = connection_in(group, number * REQUESTS + turn)
                answer = await client.post("/v1/connections", json=body)
                created.append(answer.json()["data"]["id"])
            statuses[answer.status_code] += 1
        return created

    created = [each for found in await asyncio.gather(*map(caller, range(CLIENTS))) for each in found]
    assert statuses == {200: CLIENTS * REQUESTS * 2 // 3, 201: CLIENTS * REQUESTS // 3}
    stored = (await client.get("/v1/connections?limit=1000")).json()["data"]["items"]
    assert sorted(created) == sorted(connection["id"] for connection in stored)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_a_store_that_others_write_to_is_busy_for_writers_alone(
    client: httpx.AsyncClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(settings.home / "syncline.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(inline_sqlite, "LONGEST_WAIT", 0.0)
    refused = await client.post("/v1/groups", json={"name": "one"})
    assert (refused.status_code, refused.json()["code"]) == (503, "ServiceUnavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await client.get("/v1/groups")).status_code == 200, "who reads waits for nobody"
    other.execute("COMMIT")
    other.close()
    monkeypatch.undo()
    assert (await client.post("/v1/groups", json={"name": "one"})).status_code == 201


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_a_store_that_is_gone_is_no_fault_of_the_request(settings: Settings, first_key: FirstKey) -> None:
    app = FastAPI()
    app.include_router(groups)
    install(app, settings)
    app.state.database = Database("postgresql://someone:hidden@127.0.0.1:1/store")
    transport = httpx.ASGITransport(app=app)
    auth = (first_key.key, first_key.secret)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", auth=auth) as client:
        answer = await client.get("/v1/groups")
    assert (answer.status_code, answer.json()["code"]) == (503, "ServiceUnavailable")
    assert "Retry-After" in answer.headers
    assert "someone" not in answer.text
    await app.state.database.close()
