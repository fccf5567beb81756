"""The HTTP side of destinations."""

from fastapi import APIRouter

from syncline.api.authentication import CurrentUser
from syncline.api.dependencies import CurrentDatabase, CurrentSealer, CurrentSettings
from syncline.api.envelope import Envelope, success
from syncline.destinations import service
from syncline.destinations.schemas import CreateDestination, DestinationResponse

router = APIRouter(prefix="/v1/destinations", tags=["Destinations"])


@router.post("", status_code=201, response_model_exclude_none=True)
async def create_destination(
    body: CreateDestination,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    settings: CurrentSettings,
) -> Envelope[DestinationResponse]:
    """Create the destination of a group and run its setup tests."""
    destination = await service.create_destination(database, sealer, settings, caller, body)
    return success(service.present(destination, sealer), "Destination has been created.")


@router.get("/{destination_id}", response_model_exclude_none=True)
async def get_destination(
    destination_id: str, caller: CurrentUser, database: CurrentDatabase, sealer: CurrentSealer
) -> Envelope[DestinationResponse]:
    """Retrieve a destination."""
    async with database.session(read_only=True) as session:
        return success(service.present(await service.get_destination(session, caller, destination_id), sealer))
