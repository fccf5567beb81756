"""The HTTP side of connections."""

from typing import Annotated

from fastapi import APIRouter, Query

from syncline.api.authentication import CurrentUser
from syncline.api.dependencies import CurrentBaseUrl, CurrentDatabase, CurrentExecutor, CurrentSealer, CurrentSettings
from syncline.api.envelope import Acknowledgement, Envelope, Items, acknowledge, success
from syncline.api.paging import RequestedPage
from syncline.connections import service, state, syncs
from syncline.connections.answers import answer, answers
from syncline.connections.changes import changed_meanwhile, update_connection
from syncline.connections.connect_card import make_connect_card
from syncline.connections.schemas import (
    ConnectCardConfigResponse,
    ConnectCardRequest,
    ConnectCardResponse,
    ConnectionResponse,
    CreateConnectionRequest,
    ResyncRequest,
    StateRequest,
    StateResponse,
    SyncRequest,
    TestRequest,
    UpdateConnectionRequest,
)
from syncline.connections.setup_tests import test_connection
from syncline.store.models import utc_now

router = APIRouter(prefix="/v1", tags=["Connections"])


SchemaFilter = Annotated[str | None, Query(description="Only the connection that loads into this schema.")]
GroupFilter = Annotated[str | None, Query(description="Only connections of this group.")]


@router.post("/connections", status_code=201)
async def create_connection(
    body: CreateConnectionRequest,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    settings: CurrentSettings,
    base_url: CurrentBaseUrl,
) -> Envelope[ConnectionResponse]:
    """Create a connection and run its setup tests."""
    connection = await service.create_connection(database, sealer, settings, caller, body)
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
    base_url: CurrentBaseUrl,
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
    base_url: CurrentBaseUrl,
    schema: SchemaFilter = None,
) -> Envelope[Items[ConnectionResponse]]:
    """List the connections of a group."""
    async with database.session(read_only=True) as session:
        found, cursor = await service.list_group_connections(session, caller, page, group_id, schema=schema)
        items = await answers(session, sealer, base_url, found)
    return success(Items[ConnectionResponse](items=items, next_cursor=cursor))


@router.get("/connections/{connection_id}")
async def get_connection(
    connection_id: str, caller: CurrentUser, database: CurrentDatabase, sealer: CurrentSealer, base_url: CurrentBaseUrl
) -> Envelope[ConnectionResponse]:
    """Retrieve a connection."""
    async with database.session(read_only=True) as session:
        connection = await service.get_connection(session, caller, connection_id)
        return success(await answer(session, sealer, base_url, connection))


@router.patch("/connections/{connection_id}")
async def modify_connection(
    connection_id: str,
    body: UpdateConnectionRequest,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    settings: CurrentSettings,
    executor: CurrentExecutor,
    base_url: CurrentBaseUrl,
) -> Envelope[ConnectionResponse]:
    """Change a connection. Only what is sent changes; a change of the setup is tested."""
    await update_connection(database, sealer, settings, executor, caller, connection_id, body)
    async with database.session(read_only=True) as session:
        connection = await service.get_connection(session, caller, connection_id)
        return success(await answer(session, sealer, base_url, connection), "Connection has been updated")


@router.post("/connections/{connection_id}/sync")
async def sync_connection(
    connection_id: str,
    caller: CurrentUser,
    database: CurrentDatabase,
    executor: CurrentExecutor,
    settings: CurrentSettings,
    body: SyncRequest | None = None,
) -> Acknowledgement:
    """Start a sync now."""
    force = body is not None and body.force
    await syncs.sync_connection(database, executor, settings, caller, connection_id, force=force)
    return acknowledge(f"Sync has been successfully triggered for connection with id '{connection_id}'")


@router.post("/connections/{connection_id}/resync")
async def resync_connection(
    connection_id: str,
    caller: CurrentUser,
    database: CurrentDatabase,
    executor: CurrentExecutor,
    body: ResyncRequest | None = None,
) -> Acknowledgement:
    """Read everything, or the tables of a scope, again from the beginning."""
    scope = body.scope if body is not None else None
    await syncs.resync_connection(database, executor, caller, connection_id, scope)
    return acknowledge(f"Sync has been successfully triggered for connection with id '{connection_id}'")


@router.post("/connections/{connection_id}/schemas/tables/resync")
async def resync_tables(
    connection_id: str,
    body: dict[str, list[str]],
    caller: CurrentUser,
    database: CurrentDatabase,
    executor: CurrentExecutor,
) -> Acknowledgement:
    """Read tables again from the beginning. The body names them by the schema that they are in."""
    await syncs.resync_connection(database, executor, caller, connection_id, body)
    return acknowledge("Re-sync has been triggered successfully")


@router.post("/connections/{connection_id}/schemas/{schema}/tables/{table:path}/resync")
async def resync_table(
    connection_id: str,
    schema: str,
    table: str,
    caller: CurrentUser,
    database: CurrentDatabase,
    executor: CurrentExecutor,
) -> Acknowledgement:
    """Read one table again from the beginning."""
    await syncs.resync_connection(database, executor, caller, connection_id, {schema: [table]})
    return acknowledge("Re-sync has been triggered successfully")


@router.get("/connections/{connection_id}/state")
async def get_state(connection_id: str, caller: CurrentUser, database: CurrentDatabase) -> Envelope[StateResponse]:
    """Retrieve how far each stream has been read."""
    async with database.session(read_only=True) as session:
        return success(StateResponse(state=await state.get_state(session, caller, connection_id)))


@router.patch("/connections/{connection_id}/state")
async def update_state(
    connection_id: str, body: StateRequest, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[StateResponse]:
    """Move streams of a paused connection."""
    return success(StateResponse(state=await state.update_state(database, caller, connection_id, body.state)))


@router.post("/connections/{connection_id}/connect-card")
async def create_connect_card(
    connection_id: str,
    body: ConnectCardRequest,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    base_url: CurrentBaseUrl,
) -> Envelope[ConnectCardResponse]:
    """Make a link that lets another person complete the setup, for one day."""
    async with database.session(read_only=True) as session:
        connection = await service.get_connection(session, caller, connection_id)
    config = body.connect_card_config.model_dump(exclude_none=True)
    return success(
        ConnectCardResponse(
            connector_id=connection.id,
            connect_card=make_connect_card(connection, config, sealer, base_url, utc_now()),
            connect_card_config=ConnectCardConfigResponse(**config),
        )
    )


@router.post("/connections/{connection_id}/test")
async def run_setup_tests(
    connection_id: str,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    settings: CurrentSettings,
    base_url: CurrentBaseUrl,
    body: TestRequest | None = None,
) -> Envelope[ConnectionResponse]:
    """Run the setup tests again."""
    async with database.session(read_only=True) as session:
        await service.get_connection(session, caller, connection_id)
    if not await test_connection(database, sealer, settings, connection_id):
        raise changed_meanwhile(connection_id)
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
    await service.delete_connection(database, executor, settings, caller, connection_id)
    return acknowledge(f"Connection with id '{connection_id}' has been deleted")
