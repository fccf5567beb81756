"""A small app behind the shared parts of the API, so that they are tested without the rest of the product."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from syncline.accounts.first_start import FirstKey
from syncline.api.authentication import CurrentUser
from syncline.api.envelope import Acknowledgement, Envelope, acknowledge, success
from syncline.api.errors import IllegalState, TooManyRequests
from syncline.api.middleware import install
from syncline.api.models import RequestModel, ResponseModel, Timestamp
from syncline.groups.endpoints import router as groups
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.sealing import load_sealer

router = APIRouter()


class Thing(RequestModel):
    """A body with fields of several types."""

    name: str
    count: int = 0
    ratio: float = 0
    active: bool = False
    color: Literal["red", "green"] = "red"
    config: dict[str, Any] = {}  # noqa: RUF012
    tags: list[str] = []  # noqa: RUF012


class ThingResponse(ResponseModel):
    """What was understood."""

    values: dict[str, Any]
    user_id: str
    at: Timestamp


@router.post("/v1/connections", status_code=201)
async def create(body: Thing, caller: CurrentUser) -> Envelope[ThingResponse]:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return success(ThingResponse(values=body.model_dump(), user_id=caller.user_id, at=at), "Made.")


@router.get("/v1/connections/{connection_id}")
@router.get("/v1/groups/{connection_id}/connections")
@router.get("/v1/metadata/connector-types/{connection_id}")
async def read(connection_id: str) -> Acknowledgement:
    return acknowledge(connection_id)


@router.get("/v1/metadata/connector-types")
async def read_types() -> Acknowledgement:
    return acknowledge("all types")


@router.post("/v1/connections/{connection_id}/sync")
async def start(connection_id: str, body: Thing | None = None) -> Acknowledgement:
    return acknowledge("no body" if body is None else body.name)


@router.get("/v1/fail/{way}")
async def fail(way: str) -> Acknowledgement:
    if way == "slow-down":
        raise TooManyRequests("Wait.", retry_after=7)
    if way == "state":
        raise IllegalState("Not now.")
    raise RuntimeError("SharedAccessKey=do-not-show and more")


@router.get("/outside")
async def outside() -> Acknowledgement:
    return acknowledge("no key needed")


@dataclass(frozen=True)
class Api:
    """The app's client, with the key that it uses."""

    client: httpx.AsyncClient
    key: FirstKey
    database: Database


@pytest.fixture
async def api(settings: Settings, first_key: FirstKey) -> AsyncIterator[Api]:
    app = FastAPI(redirect_slashes=False)
    app.include_router(router)
    app.include_router(groups)
    install(app, settings)
    database = Database(settings.store_url)
    app.state.database = database
    app.state.sealer = load_sealer(settings)
    app.state.settings = settings
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    auth = (first_key.key, first_key.secret)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", auth=auth) as client:
        yield Api(client, first_key, database)
    await database.close()
