"""The HTTP side of connector metadata."""

from fastapi import APIRouter

from syncline.api.dependencies import CurrentBaseUrl
from syncline.api.envelope import Envelope, Items, success
from syncline.api.errors import NotFound
from syncline.api.paging import RequestedPage, paginate_list
from syncline.connectors.registry import services
from syncline.metadata.schemas import ConnectorConfigurationResponse, ConnectorTypeResponse

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


@router.get("/public/connector-types")
async def list_public_connector_types(base_url: CurrentBaseUrl) -> Envelope[Items[ConnectorTypeResponse]]:
    """List the kinds of sources, all at once. Needs no API key."""
    declarations = sorted(services(), key=lambda declaration: declaration.service)
    items = [ConnectorTypeResponse.of(declaration, base_url) for declaration in declarations]
    return success(Items[ConnectorTypeResponse](items=items))
