"""Changing a connection."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from syncline.engine.context import open_secrets
from syncline.settings import Settings
from syncline.store.sealing import load_sealer
from tests.connections.conftest import CONNECTION_STRING, SECRET
from tests.connections.support import FAILED, PASSED, UseResults, begun, change_stored, create, stored, until

OTHER_SECRET = "b3RoZXItc2VjcmV0"
OTHER_STRING = CONNECTION_STRING.replace(SECRET, OTHER_SECRET)


async def patch(client: httpx.AsyncClient, connection_id: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.patch(f"/v1/connections/{connection_id}", json=body)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def secrets_of(settings: Settings, token: str | None) -> dict[str, Any]:
    return open_secrets(load_sealer(settings), token)


@pytest.mark.parametrize(
    "change",
    [
        {"paused": True},
        {"pause_after_trial": True},
        {"sync_frequency": 60},
        {"schedule_type": "manual"},
        {"data_delay_sensitivity": "CUSTOM", "data_delay_threshold": 90},
        {"sync_frequency": 1440, "daily_sync_time": "03:00"},
        {"private_link_id": "link", "run_setup_tests": False},
        {"networking_method": "PrivateLink", "run_setup_tests": False},
    ],
)
async def test_only_what_was_sent_changes(
    client: httpx.AsyncClient, body: dict[str, Any], change: dict[str, Any]
) -> None:
    before = await create(client, body, hybrid_deployment_agent_id="agent", data_delay_sensitivity="LOW")
    after = await patch(client, before["id"], change)
    change.pop("run_setup_tests", None)
    if "paused" in change:
        before["status"]["sync_state"] = "paused"
    assert after == before | change
    assert (await client.get(f"/v1/connections/{before['id']}")).json()["data"] == after


async def test_null_takes_away_what_may_be_absent_and_counts_as_absent_elsewhere(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    data = await create(client, body, sync_frequency=1440, daily_sync_time="03:00", proxy_agent_id="proxy")
    after = await patch(
        client, data["id"], {"daily_sync_time": None, "proxy_agent_id": None, "paused": None, "config": None}
    )
    assert "daily_sync_time" not in after
    assert after["proxy_agent_id"] is None
    assert (after["paused"], after["config"]) == (False, data["config"])


async def test_empty_text_takes_away_what_may_be_absent(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    identifiers = ("private_link_id", "proxy_agent_id", "hybrid_deployment_agent_id", "local_processing_agent_id")
    body["config"] |= {"subscriber_name": "reader", "namespace": "my-namespace"}
    kept = {"sync_frequency": 1440, "daily_sync_time": "03:00", "data_delay_sensitivity": "HIGH"}
    data = await create(client, body, **kept, **dict.fromkeys(identifiers, "one"))
    emptied = {**dict.fromkeys(identifiers, ""), "daily_sync_time": "", "data_delay_sensitivity": ""}
    config = {"subscriber_name": "", "namespace": ""}
    after = await patch(client, data["id"], {**emptied, "config": config, "run_setup_tests": False})
    assert "daily_sync_time" not in after
    assert after["data_delay_sensitivity"] == "NORMAL"
    assert [after[name] for name in identifiers] == [None] * len(identifiers)
    assert after["config"].keys().isdisjoint(config)


@pytest.mark.parametrize(
    "change",
    [
        *({}, {"paused": None}, {"config": {}}, {"run_setup_tests": False}, {"schema_status": "blocked_on_capture"}),
        {"destination_configuration": {"virtual_warehouse": ""}, "external_secrets_manager_id": ""},
    ],
)
async def test_a_request_that_names_no_change_changes_and_tests_nothing(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults, change: dict[str, Any]
) -> None:
    tested = use_results(PASSED)
    data = await create(client, body)
    assert await patch(client, data["id"], change) == data
    assert not tested


async def test_a_request_can_ask_for_setup_tests_alone(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults, destination: None
) -> None:
    tested = use_results(PASSED)
    data = await create(client, body, paused=True)
    after = await patch(client, data["id"], {"run_setup_tests": True})
    assert len(tested) == 1
    assert after["status"]["setup_state"] == "connected"
    assert [test["title"] for test in after["setup_tests"]] == ["Destination", PASSED.title]


async def test_the_config_merges_and_a_masked_or_absent_secret_stays(
    client: httpx.AsyncClient, body: dict[str, Any], settings: Settings
) -> None:
    data = await create(client, body)
    config = {"topics": ["orders"], "connection_string": "******"}
    after = await patch(client, data["id"], {"config": config, "run_setup_tests": False})
    assert after["config"] == data["config"] | {"topics": ["orders"]}
    after = await patch(client, data["id"], {"config": {"topics": None}, "run_setup_tests": False})
    assert after["config"] == data["config"]
    connection = await stored(settings, data["id"])
    assert secrets_of(settings, connection.sealed_secrets)["config"] == {"connection_string": CONNECTION_STRING}

    response = await client.patch(
        f"/v1/connections/{data['id']}", json={"config": {"connection_string": OTHER_STRING}, "run_setup_tests": False}
    )
    assert OTHER_SECRET not in response.text
    connection = await stored(settings, data["id"])
    assert secrets_of(settings, connection.sealed_secrets)["config"] == {"connection_string": OTHER_STRING}
    assert OTHER_SECRET not in str(connection.config)


async def test_nested_auth_merges_and_is_never_answered(
    client: httpx.AsyncClient, body: dict[str, Any], settings: Settings
) -> None:
    body["config"] |= {"auth_type": "AzureActiveDirectory", "namespace": "my-namespace", "connection_string": None}
    auth = {"refresh_token": "token", "client_access": {"client_id": "id", "client_secret": "secret"}}
    data = await create(client, body, auth=auth)
    change = {"auth": {"client_access": {"client_secret": "another"}, "refresh_token": "******"}}
    assert "auth" not in await patch(client, data["id"], {**change, "run_setup_tests": False})
    connection = await stored(settings, data["id"])
    assert secrets_of(settings, connection.sealed_secrets)["auth"] == {
        "refresh_token": "token",
        "client_access": {"client_id": "id", "client_secret": "another"},
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"paused": "yes"}, "paused"),
        ({"sync_frequency": 7}, "sync_frequency"),
        ({"sync_frequency": True}, "sync_frequency"),
        ({"daily_sync_time": "14:30"}, "daily_sync_time"),
        ({"data_delay_sensitivity": "normal"}, "data_delay_sensitivity"),
        ({"group_id": "other"}, "group_id"),
        ({"service": "kafka"}, "service"),
        ({"schedule": "auto"}, "schedule"),
        ({"schema_status": "ready"}, "POST /v1/connections/"),
        ({"schema_status": "done"}, "ready, blocked_on_capture"),
        ({"destination_configuration": {"virtual_warehouse": "large"}}, "destination_configuration.virtual_warehouse"),
        ({"external_secrets_manager_id": "vault"}, "no external secrets managers"),
        ({"external_secrets_keys_config": {"connection_string": "key"}}, "no external secrets managers"),
        ({"config": {"schema": "other"}}, "permanent"),
        ({"config": {"schema": None}}, "config.schema"),
        ({"config": {"schema": ""}}, "config.schema"),
        ({"config": {"connection_string": ""}}, "`auth_type` is ConnectionString"),
        ({"networking_method": ""}, "networking_method"),
        ({"config": {"topic": "orders"}}, "did you mean `topics`"),
        ({"config": {"message_type": "CSV"}}, "config.message_type"),
        ({"config": {"schema_registry_secret": "******"}}, "none is stored"),
        ({"config": []}, "config"),
        ({"auth": {"token": "x"}}, "auth.token"),
    ],
)
async def test_what_cannot_be_changed_is_refused_and_nothing_changes(
    client: httpx.AsyncClient, body: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    data = await create(client, body)
    response = await client.patch(f"/v1/connections/{data['id']}", json=change)
    assert response.status_code == 400, response.text
    assert response.json()["code"] == "InvalidInput"
    assert words in response.json()["message"]
    assert (await client.get(f"/v1/connections/{data['id']}")).json()["data"] == data


async def test_sending_the_same_schema_again_is_no_change(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    data = await create(client, body)
    assert await patch(client, data["id"], {"config": body["config"]}) == data


async def test_a_connection_that_is_not_there_cannot_be_changed(client: httpx.AsyncClient) -> None:
    response = await client.patch("/v1/connections/nowhere", json={"paused": True})
    assert (response.status_code, response.json()["code"]) == (404, "NotFound_Connection")


@pytest.mark.usefixtures("destination")
async def test_a_change_of_the_setup_is_tested_and_the_status_follows(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults
) -> None:
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, schedule_type="manual")
    assert data["status"]["setup_state"] == "connected"

    tested = use_results(FAILED)
    broken = await patch(client, data["id"], {"config": {"connection_string": OTHER_STRING}})
    assert broken["status"]["setup_state"] == "broken"
    assert "Credentials" in [test["title"] for test in broken["setup_tests"]]
    assert tested[0].config.effective()["connection_string"] == OTHER_STRING

    tested = use_results(PASSED)
    repaired = await patch(client, data["id"], {"config": {"connection_string": CONNECTION_STRING}})
    assert repaired["status"]["setup_state"] == "connected"
    assert len(tested) == 1

    await patch(client, data["id"], {"sync_frequency": 5})
    await patch(client, data["id"], {"config": {"connection_string": CONNECTION_STRING}})
    assert len(tested) == 1, "the setup is the same, so there is nothing to test"
    await patch(client, data["id"], {"sync_frequency": 15, "run_setup_tests": True})
    assert len(tested) == 2

    untested = await patch(client, data["id"], {"config": {"topics": ["orders"]}, "run_setup_tests": False})
    assert (untested["status"]["setup_state"], untested["setup_tests"]) == ("incomplete", [])
    assert len(tested) == 2


@pytest.mark.usefixtures("destination")
async def test_pausing_resuming_and_rescheduling_move_the_next_start(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults, settings: Settings
) -> None:
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, paused=True)
    connection_id = data["id"]
    await change_stored(settings, connection_id, succeeded_at=datetime.now(UTC))
    assert (await patch(client, connection_id, {"sync_frequency": 60}))["status"]["sync_state"] == "paused"
    assert (await stored(settings, connection_id)).next_sync_at is None

    resumed = await patch(client, connection_id, {"paused": False})
    assert resumed["status"]["sync_state"] == "scheduled"
    hourly = (await stored(settings, connection_id)).next_sync_at
    assert hourly is not None
    assert datetime.now(UTC) < hourly <= datetime.now(UTC) + timedelta(hours=1)

    await patch(client, connection_id, {"sync_frequency": 5})
    sooner = (await stored(settings, connection_id)).next_sync_at
    assert sooner is not None
    assert sooner <= datetime.now(UTC) + timedelta(minutes=5)
    await patch(client, connection_id, {"schedule_type": "manual"})
    assert (await stored(settings, connection_id)).next_sync_at is None
    await patch(client, connection_id, {"schedule_type": "auto"})
    assert (await stored(settings, connection_id)).next_sync_at is not None

    later = datetime.now(UTC) + timedelta(hours=2)
    await change_stored(settings, connection_id, rescheduled_for=later, next_sync_at=later)
    await patch(client, connection_id, {"sync_frequency": 15})
    assert (await stored(settings, connection_id)).next_sync_at == later, "the source wants to be left alone"


@pytest.mark.usefixtures("destination")
async def test_an_update_that_a_client_does_not_wait_for_is_whole(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults
) -> None:
    data = await create(client, body, schedule_type="manual")
    go_on = asyncio.Event()
    tested = use_results(PASSED, wait=go_on.wait)
    url = f"/v1/connections/{data['id']}"
    request = asyncio.create_task(client.patch(url, json={"config": {"topics": ["orders"]}}))
    await begun(tested)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert (await client.get(url)).json()["data"] == data, "nothing of it is there while it is tested"
    go_on.set()

    async def has_changed() -> bool:
        return bool((await client.get(url)).json()["data"] != data)

    await until(has_changed)
    after = (await client.get(url)).json()["data"]
    assert (after["config"]["topics"], after["status"]["setup_state"]) == (["orders"], "connected")
