"""Health, readiness and metrics."""

import re
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from syncline.server import create_app
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.readiness import what_is_wrong


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> Settings:
    return Settings(home=tmp_path / "home", port=0, database_url=store_url, concurrent_syncs=1)  # type: ignore[arg-type]


async def test_a_server_that_can_work_is_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health", auth=None)).json() == {"status": "ok"}
    answer = await client.get("/ready", auth=None)
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_a_store_of_another_version_is_not_ready(client: httpx.AsyncClient, settings: Settings) -> None:
    database = Database(settings.store_url)
    async with database.session() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    await database.close()
    answer = await client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert "restart the server" in answer.json()["reason"]
    assert (await client.get("/health")).status_code == 200


async def test_a_store_that_is_gone_is_not_ready_and_metrics_go_on(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path / "home"))
    app.state.database = Database("postgresql://someone:hidden@127.0.0.1:1/store")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get("/ready")
        assert answer.status_code == 503
        assert "cannot be reached" in answer.json()["reason"]
        assert "hidden" not in answer.text
        assert "syncline_store_up 0.0" in (await client.get("/metrics")).text
    await app.state.database.close()


async def test_an_empty_store_is_not_ready(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    database = Database(store_url)
    assert await what_is_wrong(database) is not None
    await database.close()


async def test_requests_are_counted_by_route(client: httpx.AsyncClient) -> None:
    group_id = (await client.post("/v1/groups", json={"name": "one"})).json()["data"]["id"]
    await client.get(f"/v1/groups/{group_id}/")
    await client.get("/v1/groups/unknown")
    await client.get("/v1/groups", auth=("wrong", "wrong"))
    await client.get("/v1/nowhere/at/all")
    await client.request("BREW", "/v1/groups")
    body = {"group_id": group_id, "service": "azure_service_bus", "config": {"schema": "bus"}, "run_setup_tests": False}
    await client.post("/v1/connections", json={**body, "paused": True})
    answer = await client.get("/metrics", auth=None)
    assert answer.headers["content-type"].startswith("text/plain")
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    counted = 'syncline_http_requests_total{method="%s",route="%s",status="%s"}'
    assert lines[counted % ("POST", "/v1/groups", 201)] == "1.0"
    assert lines[counted % ("GET", "/v1/groups/{group_id}", 200)] == "1.0"
    assert lines[counted % ("GET", "/v1/groups/{group_id}", 404)] == "1.0"
    assert lines[counted % ("GET", "none", 401)] == "1.0"
    assert lines[counted % ("GET", "none", 404)] == "1.0"
    assert lines[counted % ("other", "/v1/groups", 405)] == "1.0"
    assert lines['syncline_http_request_duration_seconds_count{method="POST",route="/v1/groups"}'] == "1.0"
    assert lines['syncline_connections{paused="true"}'] == "1.0"
    assert lines['syncline_connections{paused="false"}'] == "0.0"
    assert lines['syncline_runs{state="running"}'] == "0.0"
    assert lines["syncline_store_up"] == "1.0"
    assert not re.search(group_id, answer.text)
