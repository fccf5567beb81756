"""The HTTP side of connections."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from syncline.api.authentication import CurrentUser
from syncline.api.dependencies import CurrentDatabase, CurrentExecutor, CurrentSealer, CurrentSettings
from syncline.api.envelope import Acknowledgement, Envelope, Items, acknowledge, success
from syncline.api.paging import RequestedPage
from syncline.connections import service
from syncline.connections.answers import answer, answers
from syncline.connections.schemas import ConnectionResponse, CreateConnectionRequest, SyncRequest, TestRequest
from syncline.connections.setup_tests import test_connection

router = APIRouter(prefix="/v1", tags=["Connections"])


def _base_url(request: Request, settings: CurrentSettings) -> str:
    """Where people reach this server: as the settings say, else as the client did."""
    return settings.public_url or str(request.base_url)


BaseUrl = Annotated[str, Depends(_base_url)]
SchemaFilter = Annotated[str | None, Query(description="Only the connection that loads into this schema.")]
GroupFilter = Annotated[str | None, Query(description="Only connections of this group.")]


@router.post("/connections", status_code=201)
async def create_connection(
    body: CreateConnectionRequest,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    settings: CurrentSettings,
    base_url: BaseUrl,
) -> Envelope[ConnectionResponse]:
    """Create a connection and run its setup tests."""
    connection = await service.create_connection(database, sealer, caller, body)
    if body.run_setup_tests:
        await test_connection(database, sealer, settings, connection.id)
    async with database.session(read_only=True) as session:
        connection = await service.get_connection(session, caller, connection.id)
        return success(await answer(session, sealer, base_url, connection))


@router.get("/connections")
async def list_connections(
    page: RequestedPage,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    base_url: BaseUrl,
    group_id: GroupFilter = None,
    schema: SchemaFilter = None,
) -> Envelope[Items[ConnectionResponse]]:
    """List the connections of the account."""
    async with database.session(read_only=True) as session:
        found, cursor = await service.list_connections(session, caller, page, group_id=group_id, schema=schema)
        items = await answers(session, sealer, base_url, found)
    return success(Items[ConnectionResponse](items=items, next_cursor=cursor))


@router.get("/groups/{group_id}/connections")
async def list_group_connections(
    group_id: str,
    page: RequestedPage,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    base_url: BaseUrl,
    schema: SchemaFilter = None,
) -> Envelope[Items[ConnectionResponse]]:
    """List the connections of a group."""
    async with database.session(read_only=True) as session:
        found, cursor = await service.list_group_connections(session, caller, page, group_id, schema=schema)
        items = await answers(session, sealer, base_url, found)
    return success(Items[ConnectionResponse](items=items, next_cursor=cursor))


@router.get("/connections/{connection_id}")
async def get_connection(
    connection_id: str, caller: CurrentUser, database: CurrentDatabase, sealer: CurrentSealer, base_url: BaseUrl
) -> Envelope[ConnectionResponse]:
    """Retrieve a connection."""
    async with database.session(read_only=True) as session:
        connection = await service.get_connection(session, caller, connection_id)
        return success(await answer(session, sealer, base_url, connection))


@router.post("/connections/{connection_id}/sync")
async def sync_connection(
    connection_id: str,
    caller: CurrentUser,
    database: CurrentDatabase,
    executor: CurrentExecutor,
    body: SyncRequest | None = None,
) -> Acknowledgement:
    """Start a sync now."""
    force = body is not None and body.force
    await service.sync_connection(database, executor, caller, connection_id, force=force)
    return acknowledge(f"Sync has been successfully triggered for connection with id '{connection_id}'")


@router.post("/connections/{connection_id}/test")
async def run_setup_tests(
    connection_id: str,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    settings: CurrentSettings,
    base_url: BaseUrl,
    body: TestRequest | None = None,
) -> Envelope[ConnectionResponse]:
    """Run the setup tests again."""
    async with database.session(read_only=True) as session:
        await service.get_connection(session, caller, connection_id)
    await test_connection(database, sealer, settings, connection_id)
    async with database.session(read_only=True) as session:
        connection = await service.get_connection(session, caller, connection_id)
        return success(await answer(session, sealer, base_url, connection), "Setup tests have been completed")


@router.delete("/connections/{connection_id}")
async def delete_connection(
    connection_id: str,
    caller: CurrentUser,
    database: CurrentDatabase,
    executor: CurrentExecutor,
    settings: CurrentSettings,
) -> Acknowledgement:
    """Delete a connection. What it has loaded stays in the destination."""
    await service.delete_connection(database, executor, settings.home, caller, connection_id)
    return acknowledge(f"Connection with id '{connection_id}' has been deleted")
