"""What those who run the server ask it: does it live, is it ready, how is it doing."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from syncline.api.dependencies import CurrentDatabase
from syncline.api.models import ResponseModel
from syncline.store.readiness import what_is_wrong

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
async def ready(response: Response, database: CurrentDatabase) -> ReadyResponse:
    """Say whether the store can be reached and has the tables of this version. Needs no API key."""
    reason = await what_is_wrong(database)
    if reason is None:
        return ReadyResponse(status="ready")
    response.status_code = 503
    return ReadyResponse(status="not ready", reason=reason)


@router.get("/metrics", responses=_TEXT, response_class=Response)
async def metrics(request: Request, database: CurrentDatabase) -> Response:
    """Answer numbers for Prometheus: requests, their durations, connections and syncs. Needs no API key."""
    return Response(await request.app.state.metrics.render(database), media_type=CONTENT_TYPE_LATEST)
