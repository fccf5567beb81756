"""Bodies as the official Go client and the Terraform provider send them, replayed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine

from syncline.engine.schedule import start_offset
from syncline.settings import Settings
from tests.connections.support import change_stored, create, stored

# The Go client leaves out what was not set, but for these two, which it always sends.
GO_CREATE = {"data_delay_sensitivity": None, "data_delay_threshold": None}
# What the Terraform provider sets on the client for a resource with no optional attribute.
TERRAFORM_CREATE = {
    **GO_CREATE,
    "trust_certificates": False,
    "trust_fingerprints": False,
    "run_setup_tests": False,
    "paused": True,
}
EVERYTHING_ELSE = (
    *("trust_certificates", "trust_fingerprints", "pause_after_trial", "sync_frequency", "daily_sync_time"),
    *("schedule_type", "local_processing_agent_id", "hybrid_deployment_agent_id", "connect_card_config"),
    *("proxy_agent_id", "private_link_id", "networking_method", "destination_schema_names", "auth"),
)


@pytest.mark.parametrize("sent", [GO_CREATE, TERRAFORM_CREATE, GO_CREATE | dict.fromkeys(EVERYTHING_ELSE)])
async def test_a_connection_is_created_with_null_for_what_was_not_set(
    client: httpx.AsyncClient, body: dict[str, Any], sent: dict[str, Any]
) -> None:
    body["config"] |= {"namespace": None, "topics": None, "schema_registry_urls": None}
    data = await create(client, body, **sent)
    assert (data["data_delay_sensitivity"], data["data_delay_threshold"]) == ("NORMAL", 0)
    assert (data["sync_frequency"], data["schedule_type"], data["networking_method"]) == (360, "auto", "Directly")


async def test_the_terraform_provider_takes_attributes_away_with_empty_text(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    data = await create(client, body, private_link_id="link", data_delay_sensitivity="LOW")
    change = {
        "run_setup_tests": False,
        "trust_certificates": False,
        "trust_fingerprints": False,
        "private_link_id": "",
        "hybrid_deployment_agent_id": "",
        "proxy_agent_id": "",
        "data_delay_sensitivity": "",
        "data_delay_threshold": 0,
    }
    response = await client.patch(f"/v1/connections/{data['id']}", json=change)
    assert response.status_code == 200, response.text
    after = response.json()["data"]
    assert (after["private_link_id"], after["data_delay_sensitivity"]) == (None, "NORMAL")


# The blocks `schedule` of the Terraform provider's own tests, and what they mean here.
INTERVAL = {"schedule_type": "INTERVAL", "interval": 60, "days_of_week": ["MONDAY", "WEDNESDAY", "FRIDAY"]}
TIME_OF_DAY = {"schedule_type": "TIME_OF_DAY", "time_of_day": "09:00"}
CRON = {"schedule_type": "CRON", "cron": "0 9 * * 1-5"}
MANUAL = {"schedule_type": "MANUAL"}


async def change(client: httpx.AsyncClient, connection_id: str, **changes: Any) -> dict[str, Any]:
    response = await client.patch(f"/v1/connections/{connection_id}", json={**changes, "run_setup_tests": False})
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (INTERVAL, "2026-03-06T12:00"),
        (TIME_OF_DAY, "2026-03-07T09:00"),
        (CRON, "2026-03-09T09:00"),
        ({**CRON, "cron": ["30 9 * * 7", "0 9 * * 1"]}, "2026-03-08T09:30"),
        (MANUAL, None),
    ],
)
async def test_a_schedule_is_in_force_and_answered_as_it_was_sent(
    client: httpx.AsyncClient,
    body: dict[str, Any],
    settings: Settings,
    destination: None,
    schedule: dict[str, Any],
    expected: str | None,
) -> None:
    data = await create(client, body, paused=True)
    await change_stored(settings, data["id"], was_connected=True, succeeded_at=datetime(2026, 3, 6, 11, tzinfo=UTC))
    with time_machine.travel(datetime(2026, 3, 6, 12, 0, tzinfo=UTC), tick=False):
        after = await change(client, data["id"], schedule=schedule, paused=False)
        next_sync = (await stored(settings, data["id"])).next_sync_at
    assert after["schedule"] == schedule
    assert after["schedule_type"] == ("manual" if schedule is MANUAL else "auto")
    offset = (start_offset(data["group_id"]) or timedelta(hours=1)) if schedule is INTERVAL else timedelta(0)
    assert next_sync == (expected and datetime.fromisoformat(expected).replace(tzinfo=UTC) + offset)


async def test_what_is_said_last_about_the_schedule_counts(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    data = await create(client, body, schedule=CRON, sync_frequency=60)
    assert (data["schedule"], data["sync_frequency"]) == (CRON, 60)  # `schedule` goes first in one request
    assert (await change(client, data["id"], paused=True))["schedule"] == CRON
    assert (await change(client, data["id"], schedule_type="manual"))["schedule"] == CRON
    assert (await change(client, data["id"], schedule_type="auto"))["schedule"] == CRON
    assert "schedule" not in await change(client, data["id"], sync_frequency=1440, daily_sync_time="03:00")
    assert (await change(client, data["id"], schedule=MANUAL))["schedule_type"] == "manual"
    assert "schedule" not in await change(client, data["id"], schedule_type="auto")
    await change(client, data["id"], schedule=INTERVAL)
    assert "schedule" not in await change(client, data["id"], schedule=None)


WRONG_SCHEDULES: list[tuple[dict[str, Any], str]] = [
    ({"schedule": "auto"}, "`schedule` must be an object"),
    ({"schedule": {}}, "schedule.schedule_type"),
    ({"schedule": {"schedule_type": "INTEGRATED"}}, "schedule.schedule_type"),
    ({"schedule": {"schedule_type": "INTERVAL"}}, "`schedule.interval` is needed"),
    ({"schedule": {"schedule_type": "INTERVAL", "interval": 0}}, "schedule.interval"),
    ({"schedule": {"schedule_type": "INTERVAL", "interval": 1441}}, "schedule.interval"),
    ({"schedule": {"schedule_type": "INTERVAL", "interval": "60"}}, "schedule.interval"),
    ({"schedule": {**INTERVAL, "days_of_week": ["MON"]}}, "schedule.days_of_week[0]"),
    ({"schedule": {**INTERVAL, "days_of_week": ["MONDAY", "MONDAY"]}}, "twice"),
    ({"schedule": {**INTERVAL, "cron": "* * * * *"}}, "`schedule.cron` does not belong"),
    ({"schedule": {"schedule_type": "TIME_OF_DAY"}}, "`schedule.time_of_day` is needed"),
    ({"schedule": {"schedule_type": "TIME_OF_DAY", "time_of_day": "24:00"}}, "schedule.time_of_day"),
    ({"schedule": {"schedule_type": "TIME_OF_DAY", "time_of_day": "9:00"}}, "schedule.time_of_day"),
    ({"schedule": {"schedule_type": "CRON"}}, "`schedule.cron` is needed"),
    ({"schedule": {"schedule_type": "CRON", "cron": ""}}, "schedule.cron"),
    ({"schedule": {"schedule_type": "CRON", "cron": []}}, "schedule.cron"),
    ({"schedule": {"schedule_type": "CRON", "cron": 5}}, "schedule.cron"),
    ({"schedule": {"schedule_type": "CRON", "cron": ["0 6 * * *", "61 * * * *"]}}, "schedule.cron"),
    ({"schedule": {"schedule_type": "CRON", "cron": "0 0 30 2 *"}}, "names a time"),
    ({"schedule": {"schedule_type": "CRON", "cron": "* * * * * *"}}, "five fields"),
    ({"schedule": {"schedule_type": "CRON", "cron": "@daily"}}, "five fields"),
    ({"schedule": {"schedule_type": "CRON", "cron": "R R * * *"}}, "five fields"),
    ({"schedule": {"schedule_type": "CRON", "cron": "0 9 * * 1-5", "time_of_day": "09:00"}}, "does not belong"),
    ({"schedule": CRON, "schedule_type": "manual"}, "exclude"),
    ({"schedule": MANUAL, "schedule_type": "auto"}, "exclude"),
]


async def test_a_wrong_schedule_is_refused_and_explained(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    data = await create(client, body)
    body["config"]["schema"] = "another"
    for wrong, named in WRONG_SCHEDULES:
        for response in (
            await client.post("/v1/connections", json={**body, **wrong}),
            await client.patch(f"/v1/connections/{data['id']}", json=wrong),
        ):
            assert (response.status_code, response.json()["code"]) == (400, "InvalidInput"), response.text
            assert named in response.json()["message"]
    assert (await client.get(f"/v1/connections/{data['id']}")).json()["data"] == data
