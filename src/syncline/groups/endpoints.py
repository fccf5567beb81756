"""The HTTP side of groups."""

from fastapi import APIRouter

from syncline.api.authentication import CurrentUser
from syncline.api.dependencies import CurrentDatabase, CurrentSealer
from syncline.api.envelope import Acknowledgement, Envelope, Items, acknowledge, success
from syncline.api.paging import RequestedPage
from syncline.groups import service
from syncline.groups.schemas import (
    CreateGroup,
    GroupResponse,
    PublicKeyResponse,
    ServiceAccountResponse,
    UpdateGroup,
)

router = APIRouter(prefix="/v1/groups", tags=["Groups"])


@router.post("", status_code=201)
async def create_group(
    body: CreateGroup, caller: CurrentUser, database: CurrentDatabase, sealer: CurrentSealer
) -> Envelope[GroupResponse]:
    """Create a group."""
    group = await service.create_group(database, sealer, caller, body.name)
    return success(GroupResponse.of(group), "Group has been created")


@router.get("")
async def list_groups(
    page: RequestedPage, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[Items[GroupResponse]]:
    """List the groups of the account."""
    groups, cursor = await service.list_groups(database, caller, page)
    return success(Items[GroupResponse](items=[GroupResponse.of(group) for group in groups], next_cursor=cursor))


@router.get("/{group_id}")
async def get_group(group_id: str, caller: CurrentUser, database: CurrentDatabase) -> Envelope[GroupResponse]:
    """Retrieve a group."""
    async with database.session(read_only=True) as session:
        return success(GroupResponse.of(await service.get_group(session, caller, group_id)))


@router.patch("/{group_id}")
async def update_group(
    group_id: str, body: UpdateGroup, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[GroupResponse]:
    """Rename a group."""
    group = await service.rename_group(database, caller, group_id, body.name)
    return success(GroupResponse.of(group), "Group has been updated")


@router.delete("/{group_id}")
async def delete_group(group_id: str, caller: CurrentUser, database: CurrentDatabase) -> Acknowledgement:
    """Delete a group without connections, and its destination with it. What was loaded stays in the warehouse."""
    await service.delete_group(database, caller, group_id)
    return acknowledge(f"Group with id '{group_id}' has been deleted")


@router.get("/{group_id}/public-key")
async def get_public_key(group_id: str, caller: CurrentUser, database: CurrentDatabase) -> Envelope[PublicKeyResponse]:
    """Retrieve a group's SSH public key."""
    async with database.session(read_only=True) as session:
        group = await service.get_group(session, caller, group_id)
        return success(PublicKeyResponse(public_key=group.public_key))


@router.get("/{group_id}/service-account")
async def get_service_account(
    group_id: str, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[ServiceAccountResponse]:
    """Retrieve the cloud service account of a group. There is none: this server acts with the credentials that
    connections and destinations are given, and the answer is null."""
    async with database.session(read_only=True) as session:
        await service.get_group(session, caller, group_id)
    return success(
        ServiceAccountResponse(service_account=None),
        "A server of your own has no service account. Give destinations credentials of their own.",
    )
