"""The HTTP side of destinations."""

from fastapi import APIRouter

from syncline.api.authentication import CurrentUser
from syncline.api.dependencies import CurrentDatabase, CurrentSealer, CurrentSettings
from syncline.api.envelope import Acknowledgement, Envelope, Items, acknowledge, success
from syncline.api.paging import RequestedPage
from syncline.destinations import changes, service
from syncline.destinations.schemas import (
    CreateDestination,
    DestinationResponse,
    ListedDestination,
    TestDestination,
    UpdateDestination,
)

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
    return success(service.present(destination), "Destination has been created.")


@router.get("", response_model_exclude_none=True)
async def list_destinations(
    page: RequestedPage, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[Items[ListedDestination]]:
    """List the destinations of the account, without their configs."""
    found, cursor = await service.list_destinations(database, caller, page)
    items = [service.present_in_list(destination) for destination in found]
    return success(Items[ListedDestination](items=items, next_cursor=cursor))


@router.get("/{destination_id}", response_model_exclude_none=True)
async def get_destination(
    destination_id: str, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[DestinationResponse]:
    """Retrieve a destination."""
    async with database.session(read_only=True) as session:
        return success(service.present(await service.get_destination(session, caller, destination_id)))


@router.patch("/{destination_id}", response_model_exclude_none=True)
async def update_destination(
    destination_id: str,
    body: UpdateDestination,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    settings: CurrentSettings,
) -> Envelope[DestinationResponse]:
    """Change what was sent of a destination, and run its setup tests when they are needed."""
    destination = await changes.update_destination(database, sealer, settings, caller, destination_id, body)
    return success(service.present(destination), "Destination has been updated")


@router.delete("/{destination_id}")
async def delete_destination(destination_id: str, caller: CurrentUser, database: CurrentDatabase) -> Acknowledgement:
    """Delete a destination that no connection uses. What was loaded into it stays there."""
    await changes.delete_destination(database, caller, destination_id)
    return acknowledge(f"Destination with id '{destination_id}' has been deleted")


@router.post("/{destination_id}/test", response_model_exclude_none=True)
async def run_setup_tests(
    destination_id: str,
    caller: CurrentUser,
    database: CurrentDatabase,
    sealer: CurrentSealer,
    settings: CurrentSettings,
    body: TestDestination | None = None,
) -> Envelope[DestinationResponse]:
    """Run the setup tests of a destination."""
    destination = await changes.test_destination(database, sealer, settings, caller, destination_id)
    return success(service.present(destination), "Setup tests have been completed")
