"""Bodies as the official Go client and the Terraform provider send them, replayed."""

from typing import Any

import httpx
import pytest

from tests.connections.support import create

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
