"""The HTTP side of connector metadata."""

from fastapi import APIRouter

from syncline.api.authentication import CurrentUser
from syncline.api.dependencies import CurrentBaseUrl, CurrentDatabase
from syncline.api.envelope import Envelope, Items, success
from syncline.api.errors import NotFound
from syncline.api.paging import RequestedPage, paginate_list
from syncline.connectors.registry import services
from syncline.metadata import tables
from syncline.metadata.schemas import (
    ColumnMetadata,
    ConnectorConfigurationResponse,
    ConnectorTypeResponse,
    SchemaMetadata,
    TableMetadata,
)

router = APIRouter(tags=["Metadata"])


@router.get("/v1/metadata/connector-types")
async def list_connector_types(page: RequestedPage, base_url: CurrentBaseUrl) -> Envelope[Items[ConnectorTypeResponse]]:
    """List the kinds of sources."""
    known = {declaration.service: declaration for declaration in services()}
    names, cursor = paginate_list(sorted(known), page)
    items = [ConnectorTypeResponse.of(known[name], base_url) for name in names]
    return success(Items[ConnectorTypeResponse](items=items, next_cursor=cursor))


@router.get("/v1/metadata/connector-types/{service}", response_model_exclude_none=True)
async def get_connector_type(service: str, base_url: CurrentBaseUrl) -> Envelope[ConnectorConfigurationResponse]:
    """Retrieve what the settings of a kind of source are."""
    known = {declaration.service: declaration for declaration in services()}
    if service not in known:
        raise NotFound("Integration", service, hint=f"There are {', '.join(sorted(known))}.")
    return success(ConnectorConfigurationResponse.of(known[service], base_url))


@router.get("/v1/metadata/connectors/{connection_id}/schemas")
async def list_schemas(
    connection_id: str, _page: RequestedPage, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[Items[SchemaMetadata]]:
    """List the schema that a connection loads into."""
    async with database.session(read_only=True) as session:
        items = await tables.list_schemas(session, caller, connection_id)
    return success(Items[SchemaMetadata](items=items))


@router.get("/v1/metadata/connectors/{connection_id}/tables")
async def list_tables(
    connection_id: str, page: RequestedPage, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[Items[TableMetadata]]:
    """List the tables that a connection has loaded."""
    async with database.session(read_only=True) as session:
        items, cursor = await tables.list_tables(session, caller, connection_id, page)
    return success(Items[TableMetadata](items=items, next_cursor=cursor))


@router.get("/v1/metadata/connectors/{connection_id}/columns")
async def list_columns(
    connection_id: str, page: RequestedPage, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[Items[ColumnMetadata]]:
    """List the columns of the tables that a connection has loaded, with their types."""
    async with database.session(read_only=True) as session:
        items, cursor = await tables.list_columns(session, caller, connection_id, page)
    return success(Items[ColumnMetadata](items=items, next_cursor=cursor))


@router.get("/public/connector-types")
async def list_public_connector_types(base_url: CurrentBaseUrl) -> Envelope[Items[ConnectorTypeResponse]]:
    """List the kinds of sources, all at once. Needs no API key."""
    declarations = sorted(services(), key=lambda declaration: declaration.service)
    items = [ConnectorTypeResponse.of(declaration, base_url) for declaration in declarations]
    return success(Items[ConnectorTypeResponse](items=items))
