"""A server whose keys do not open what is stored says so, and answers all that needs no secret. On either store."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import update

from syncline.accounts.first_start import prepare
from syncline.engine.runs import queue_run
from syncline.engine.worker import execute_run
from syncline.server import create_app
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Destination, Notice, RunState
from syncline.store.sealing import load_sealer

KEY, OTHER_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
STRING = "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=k;SharedAccessKey=aHVudGVyMg==;UseDevelopmentEmulator=true"
Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> Settings:
    keys = SecretStr(KEY)
    return Settings(home=tmp_path / "home", port=0, database_url=SecretStr(store_url), sealing_keys=keys)


@pytest.fixture
async def serve(settings: Settings) -> Serve:
    """Serves the store with some keys."""
    first = await prepare(settings)
    assert first is not None

    @asynccontextmanager
    async def with_keys(*keys: str) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(_with_keys(settings, *keys))
        transport = httpx.ASGITransport(app=app)
        auth = (first.key, first.secret)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", auth=auth) as client,
        ):
            yield client

    return with_keys


def _with_keys(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"sealing_keys": SecretStr(",".join(keys))})


async def _make(client: httpx.AsyncClient) -> tuple[str, str]:
    """A destination and a connection with secrets; their addresses."""
    group_id = (await client.post("/v1/groups", json={"name": "one"})).json()["data"]["id"]
    warehouse = {"host": "127.0.0.1", "port": 9, "database": "d", "user": "u", "password": "hidden-password"}
    common = {"group_id": group_id, "run_setup_tests": False}
    destination = {**common, "service": "postgres_warehouse", "time_zone_offset": "0", "config": warehouse}
    assert (await client.post("/v1/destinations", json=destination)).status_code == 201
    config = {"schema": "bus", "connection_string": STRING, "has_manage_permissions": True, "message_type": "Json"}
    connection = {**common, "service": "azure_service_bus", "config": config, "paused": True}
    connection["auth"] = {"refresh_token": "hidden-token", "client_access": {"client_secret": "hidden-secret"}}
    answer = await client.post("/v1/connections", json=connection)
    assert answer.status_code == 201, answer.text
    return f"/v1/destinations/{group_id}", f"/v1/connections/{answer.json()['data']['id']}"


async def _shown(client: httpx.AsyncClient, *urls: str) -> list[Any]:
    answers = [await client.get(url) for url in (*urls, "/v1/connections", "/v1/destinations", "/v1/groups")]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json()["data"] for answer in answers]


async def test_with_the_wrong_key_answers_are_the_same_and_the_rest_says_what_is_wrong(serve: Serve) -> None:
    async with serve(KEY) as client:
        destination, connection = await _make(client)
        before = await _shown(client, destination, connection)
        assert before[0]["config"]["password"] == before[1]["config"]["connection_string"] == "******"
        assert (await client.get("/ready")).status_code == 200

    async with serve(OTHER_KEY) as client:
        assert await _shown(client, destination, connection) == before
        ready = await client.get("/ready")
        assert ready.status_code == 503
        assert "SYNCLINE_SEALING_KEYS" in ready.json()["reason"]
        assert (await client.get("/health")).status_code == 200

        unaffected = [
            await client.patch(connection, json={"sync_frequency": 60}),
            await client.patch(destination, json={"region": "AWS_EU_WEST_1"}),
            await client.patch(connection, json={"private_link_id": "link", "run_setup_tests": False}),
        ]
        assert [answer.status_code for answer in unaffected] == [200, 200, 200]

        refused = [
            await client.post(f"{connection}/test"),
            await client.post(f"{destination}/test"),
            await client.patch(connection, json={"config": {"topics": ["orders"]}}),
            await client.patch(destination, json={"config": {"user": "another"}}),
        ]
        for answer in refused:
            assert (answer.status_code, answer.json()["code"]) == (503, "SecretsUnavailable"), answer.text
            assert "SYNCLINE_SEALING_KEYS" in answer.json()["message"]
        again = "config.connection_string, auth.client_access.client_secret, auth.refresh_token"
        assert again in refused[2].json()["message"]
        assert "config.password" in refused[3].json()["message"]

    async with serve(OTHER_KEY, KEY) as client:
        assert (await client.get("/ready")).status_code == 200
        change = {"config": {"topics": ["orders"]}, "run_setup_tests": False}
        assert (await client.patch(connection, json=change)).status_code == 200


async def test_secrets_that_are_lost_can_be_sent_again(serve: Serve) -> None:
    async with serve(KEY) as client:
        destination, connection = await _make(client)
    async with serve(OTHER_KEY) as client:
        auth = {"refresh_token": "new", "client_access": {"client_secret": "******"}}
        change: dict[str, Any] = {"config": {"connection_string": STRING}, "auth": auth, "run_setup_tests": False}
        assert (await client.patch(connection, json=change)).status_code == 503
        auth["client_access"] = {"client_secret": "new"}
        assert (await client.patch(connection, json=change)).status_code == 200
        change = {"config": {"password": "new"}, "run_setup_tests": False}
        assert (await client.patch(destination, json=change)).status_code == 200
        change = {"config": {"user": "another"}, "run_setup_tests": False}
        assert (await client.patch(destination, json=change)).status_code == 200, "the new ones can be opened"


async def test_a_sync_with_the_wrong_key_leaves_a_task_that_says_what_to_do(serve: Serve, settings: Settings) -> None:
    async with serve(KEY) as client:
        _, connection = await _make(client)
    identifier = connection.rpartition("/")[2]
    wrong = _with_keys(settings, OTHER_KEY)
    database = Database(settings.store_url)
    with database.sync_session() as session:
        run = queue_run(session, identifier, "api")
        assert run is not None
    ending = execute_run(database, load_sealer(wrong), wrong, run.id)
    assert ending is not None
    assert ending.state is RunState.FAILED
    with database.sync_session(read_only=True) as session:
        (task,) = session.query(Notice).filter_by(connection_id=identifier, kind="task")
    assert "SYNCLINE_SEALING_KEYS" in task.details
    database.close_sync()


async def test_what_an_older_version_stored_is_noted_at_the_start(serve: Serve, settings: Settings) -> None:
    async with serve(KEY) as client:
        urls = await _make(client)
        before = await _shown(client, *urls)
    database = Database(settings.store_url)
    for model in (Connection, Destination):
        with database.sync_session() as session:
            session.execute(update(model).values(secret_fields=None))
    database.close_sync()
    async with serve(OTHER_KEY) as client:
        assert [answer["id"] for answer in (await _shown(client, *urls))[:2]] == [answer["id"] for answer in before[:2]]
    async with serve(KEY) as client:
        assert await _shown(client, *urls) == before
