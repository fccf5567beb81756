"""Fixtures of the connections' tests."""

from typing import Any

import httpx
import pytest

CONNECTION_STRING = (
    "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=k;SharedAccessKey=aHVudGVyMg==;UseDevelopmentEmulator=true"
)
SECRET = "aHVudGVyMg=="


@pytest.fixture
async def group_id(client: httpx.AsyncClient) -> str:
    """A group without a destination."""
    response = await client.post("/v1/groups", json={"name": "tests"})
    assert response.status_code == 201, response.text
    identifier: str = response.json()["data"]["id"]
    return identifier


@pytest.fixture
def body(group_id: str) -> dict[str, Any]:
    """A request for a connection whose setup tests do not run."""
    return {
        "group_id": group_id,
        "service": "azure_service_bus",
        "run_setup_tests": False,
        "config": {
            "schema": "bus",
            "auth_type": "ConnectionString",
            "connection_string": CONNECTION_STRING,
            "connection_method": "DIRECT",
            "has_manage_permissions": True,
            "message_type": "Json",
            "sync_type": "Unpacked",
        },
    }
