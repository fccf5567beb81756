"""Fixtures of the connections' tests."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from syncline.connectors.azure_service_bus.connector import AzureServiceBusConnector
from syncline.connectors.base import SetupTestResult, SourceContext
from tests.connections.support import UseResults

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


@pytest.fixture
def use_results(monkeypatch: pytest.MonkeyPatch) -> UseResults:
    """Replaces what the connector's setup tests find; returns what they were asked to test."""

    def use(
        *results: SetupTestResult, pause: float = 0.0, wait: Callable[[], Awaitable[object]] | None = None
    ) -> list[SourceContext]:
        tested: list[SourceContext] = []

        async def run(_self: object, context: SourceContext) -> list[SetupTestResult]:
            tested.append(context)
            await asyncio.sleep(pause)
            if wait is not None:
                await wait()
            return list(results)

        monkeypatch.setattr(AzureServiceBusConnector, "run_setup_tests", run)
        return tested

    return use


@pytest.fixture
async def destination(client: httpx.AsyncClient, group_id: str, tmp_path: Path) -> None:
    """The group's destination."""
    body = {
        "group_id": group_id,
        "service": "duckdb",
        "region": "LOCAL",
        "time_zone_offset": "0",
        "run_setup_tests": False,
        "config": {"path": str(tmp_path / "warehouse.duckdb")},
    }
    response = await client.post("/v1/destinations", json=body)
    assert response.status_code == 201, response.text
