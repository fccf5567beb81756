"""What those who run the server ask it: does it live, is it ready, how is it doing."""

import asyncio
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from syncline.api.dependencies import CurrentDatabase
from syncline.api.models import ResponseModel
from syncline.store.database import Database
from syncline.store.readiness import SEALED_SHUT, what_is_wrong
from syncline.store.sealing import Sealer
from syncline.store.stored_secrets import all_can_be_opened

router = APIRouter(tags=["Operations"])


class HealthResponse(ResponseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadyResponse(ResponseModel):
    """Whether the server can do its work."""

    status: Literal["ready", "not ready"]
    reason: str | None = None
    """Why it cannot."""


_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The numbers.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}
_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": ReadyResponse, "description": "It cannot."}}


@router.get("/health")
async def health() -> HealthResponse:
    """Say that the process answers; it looks at nothing else. Needs no API key."""
    return HealthResponse()


@router.get("/ready", responses=_NOT_READY, response_model_exclude_none=True)
async def ready(request: Request, response: Response, database: CurrentDatabase) -> ReadyResponse:
    """Say whether the store can be reached, has the tables of this version, and holds no secret that cannot be opened.
    Needs no API key."""
    reason = await what_is_wrong(database) or await _sealed_shut(request.app, database)
    if reason is None:
        return ReadyResponse(status="ready")
    response.status_code = 503
    return ReadyResponse(status="not ready", reason=reason)


async def _sealed_shut(app: FastAPI, database: Database) -> str | None:
    """Why secrets cannot be opened; None when they can. Once they all could, they are not looked at again: what is
    stored from then on is sealed with the same keys."""
    sealer: Sealer = app.state.sealer
    if getattr(app.state, "opens_all_secrets", None) is sealer:
        return None
    if not await asyncio.to_thread(all_can_be_opened, database, sealer):
        return SEALED_SHUT
    app.state.opens_all_secrets = sealer
    return None


@router.get("/metrics", responses=_TEXT, response_class=Response)
async def metrics(request: Request, database: CurrentDatabase) -> Response:
    """Answer numbers for Prometheus: requests, their durations, connections and syncs. Needs no API key."""
    return Response(await request.app.state.metrics.render(database), media_type=CONTENT_TYPE_LATEST)
