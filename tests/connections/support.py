"""What the connections' tests share."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from sqlalchemy import select

from syncline.connectors.base import SetupTestResult, SourceContext
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, Cursor, Run, RunState, utc_now

PASSED = SetupTestResult("Everything", "PASSED", "It works.")
FAILED = SetupTestResult("Credentials", "FAILED", "The key is refused. Send another.", "401")

UseResults = Callable[..., list[SourceContext]]


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 30.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.01)


async def begun(tested: list[SourceContext]) -> None:
    """Wait until setup tests are under way."""

    async def any_tested() -> bool:
        return bool(tested)

    await until(any_tested)


async def create(client: httpx.AsyncClient, body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    response = await client.post("/v1/connections", json={**body, **changes})
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def stored(settings: Settings, connection_id: str) -> Connection:
    database = Database(settings.store_url)
    async with database.session(read_only=True) as session:
        connection = await session.get_one(Connection, connection_id)
    await database.close()
    return connection


async def change_stored(settings: Settings, connection_id: str, **columns: Any) -> None:
    """Change columns behind the API's back."""
    database = Database(settings.store_url)
    async with database.session() as session:
        connection = await session.get_one(Connection, connection_id)
        for name, value in columns.items():
            setattr(connection, name, value)
    await database.close()


async def store_cursors(settings: Settings, connection_id: str, **sequence_numbers: int) -> None:
    """Positions, as syncs would have left them."""
    database = Database(settings.store_url)
    async with database.session() as session:
        for stream, number in sequence_numbers.items():
            position = {"sequence_number": number, "enqueued_time": "2026-01-01T00:00:00+00:00"}
            session.add(Cursor(connection_id=connection_id, stream=stream, position=position))
    await database.close()


async def pretend_to_run_elsewhere(settings: Settings, connection_id: str, owner: str = "elsewhere/1") -> str:
    """A run that a process of another server carries out."""
    database = Database(settings.store_url)
    async with database.session() as session:
        run = Run(
            connection_id=connection_id,
            active_connection_id=connection_id,
            trigger="api",
            state=RunState.RUNNING,
            owner=owner,
            started_at=utc_now(),
            heartbeat_at=utc_now(),
        )
        session.add(run)
    await database.close()
    return run.id


async def all_runs(settings: Settings, connection_id: str) -> list[Run]:
    database = Database(settings.store_url)
    async with database.session(read_only=True) as session:
        found = list(
            await session.scalars(select(Run).where(Run.connection_id == connection_id).order_by(Run.queued_at))
        )
    await database.close()
    return found
