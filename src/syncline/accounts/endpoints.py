"""The HTTP side of the account, its users and roles, and the users of groups."""

from typing import Annotated

from fastapi import APIRouter, Query

from syncline.accounts import group_users, users
from syncline.accounts.schemas import (
    AccountInfoResponse,
    AddGroupUser,
    AddMembership,
    InviteUser,
    MembershipResponse,
    RoleResponse,
    UpdateMembership,
    UpdateUser,
    UserResponse,
)
from syncline.api.authentication import CurrentUser
from syncline.api.dependencies import CurrentDatabase
from syncline.api.envelope import Acknowledgement, Envelope, Items, acknowledge, success
from syncline.api.paging import RequestedPage, paginate_list
from syncline.api.roles import ACCOUNT_ROLES, GROUP_ROLES
from syncline.store.models import Account

router = APIRouter(prefix="/v1")

ActiveFilter = Annotated[bool | None, Query(description="Only active users, or only others. All users are active.")]


@router.get("/account/info", tags=["Account"], response_model_exclude_none=True)
async def get_account_info(caller: CurrentUser, database: CurrentDatabase) -> Envelope[AccountInfoResponse]:
    """Tell whom the API key stands for."""
    async with database.session(read_only=True) as session:
        account = await session.get_one(Account, caller.account_id)
    is_user = caller.system_key_id is None
    info = AccountInfoResponse(
        account_id=account.id,
        account_name=account.name,
        user_id=caller.user_id if is_user else None,
        system_key_id=caller.system_key_id,
    )
    return success(info)


@router.get("/users", tags=["Users"])
async def list_users(
    page: RequestedPage, caller: CurrentUser, database: CurrentDatabase, active: ActiveFilter = None
) -> Envelope[Items[UserResponse]]:
    """List the users of the account."""
    async with database.session(read_only=True) as session:
        found, cursor = await users.list_users(session, caller, page, active)
    return success(Items[UserResponse](items=[UserResponse.of(user) for user in found], next_cursor=cursor))


@router.post("/users", status_code=201, tags=["Users"])
async def invite_user(body: InviteUser, caller: CurrentUser, database: CurrentDatabase) -> Envelope[UserResponse]:
    """Invite a user. No mail is sent: an administrator makes the user's API keys."""
    user = await users.invite_user(database, caller, body)
    return success(UserResponse.of(user), "User has been created")


@router.get("/users/{user_id}", tags=["Users"])
async def get_user(user_id: str, caller: CurrentUser, database: CurrentDatabase) -> Envelope[UserResponse]:
    """Retrieve a user."""
    async with database.session(read_only=True) as session:
        return success(UserResponse.of(await users.get_user(session, caller, user_id)))


@router.patch("/users/{user_id}", tags=["Users"])
async def update_user(
    user_id: str, body: UpdateUser, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[UserResponse]:
    """Change a user."""
    user = await users.update_user(database, caller, user_id, body)
    return success(UserResponse.of(user), "User has been updated")


@router.delete("/users/{user_id}", tags=["Users"])
async def delete_user(user_id: str, caller: CurrentUser, database: CurrentDatabase) -> Acknowledgement:
    """Delete a user and the user's API keys. What the user has made stays."""
    await users.delete_user(database, caller, user_id)
    return acknowledge(f"User with id '{user_id}' has been deleted")


@router.delete("/users/{user_id}/role", tags=["Users"])
async def delete_user_role(user_id: str, caller: CurrentUser, database: CurrentDatabase) -> Acknowledgement:
    """Take a user's role in the account away. The roles in groups stay."""
    await users.remove_role(database, caller, user_id)
    return acknowledge("User role in account has been removed")


@router.get("/users/{user_id}/groups", tags=["Users"])
async def list_user_groups(
    user_id: str, page: RequestedPage, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[Items[MembershipResponse]]:
    """List the groups that a user was added to."""
    found, cursor = await group_users.list_groups_of_user(database, caller, user_id, page)
    items = [MembershipResponse.of(member) for member in found]
    return success(Items[MembershipResponse](items=items, next_cursor=cursor))


@router.post("/users/{user_id}/groups", status_code=201, tags=["Users"])
async def add_user_group(
    user_id: str, body: AddMembership, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[MembershipResponse]:
    """Add a user to a group."""
    member = await group_users.add_user_to_group(database, caller, user_id, body.id, body.role)
    return success(MembershipResponse.of(member), "Group membership has been created")


@router.get("/users/{user_id}/groups/{group_id}", tags=["Users"])
async def get_user_group(
    user_id: str, group_id: str, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[MembershipResponse]:
    """Retrieve a user's role in a group."""
    async with database.session(read_only=True) as session:
        member = await group_users.get_member(session, caller, user_id, group_id)
    return success(MembershipResponse.of(member))


@router.patch("/users/{user_id}/groups/{group_id}", tags=["Users"])
async def update_user_group(
    user_id: str, group_id: str, body: UpdateMembership, caller: CurrentUser, database: CurrentDatabase
) -> Acknowledgement:
    """Change a user's role in a group."""
    await group_users.change_group_role(database, caller, user_id, group_id, body.role)
    return acknowledge("Group membership has been updated")


@router.delete("/users/{user_id}/groups/{group_id}", tags=["Users"])
async def remove_user_group(
    user_id: str, group_id: str, caller: CurrentUser, database: CurrentDatabase
) -> Acknowledgement:
    """Remove a user from a group."""
    await group_users.remove_group_user(database, caller, group_id, user_id)
    return acknowledge("Group membership has been deleted")


@router.get("/roles", tags=["Roles"])
async def list_roles(page: RequestedPage) -> Envelope[Items[RoleResponse]]:
    """List the roles that users can have, in the account and in groups."""
    known = {**ACCOUNT_ROLES, **GROUP_ROLES}
    names, cursor = paginate_list(sorted(known), page)
    return success(Items[RoleResponse](items=[RoleResponse.of(known[name]) for name in names], next_cursor=cursor))


@router.get("/groups/{group_id}/users", tags=["Groups"])
async def list_group_users(
    group_id: str, page: RequestedPage, caller: CurrentUser, database: CurrentDatabase, active: ActiveFilter = None
) -> Envelope[Items[UserResponse]]:
    """List the users that were added to a group, each with the role in it."""
    members, cursor = await group_users.list_group_users(database, caller, group_id, page)
    if active is False:
        members, cursor = [], None
    items = [UserResponse.of(user, role) for user, role in members]
    return success(Items[UserResponse](items=items, next_cursor=cursor))


@router.post("/groups/{group_id}/users", tags=["Groups"])
async def add_group_user(
    group_id: str, body: AddGroupUser, caller: CurrentUser, database: CurrentDatabase
) -> Acknowledgement:
    """Add a user of the account to a group."""
    await group_users.add_group_user(database, caller, group_id, body.email, body.role)
    return acknowledge("User has been added to the group")


@router.delete("/groups/{group_id}/users/{user_id}", tags=["Groups"])
async def remove_group_user(
    group_id: str, user_id: str, caller: CurrentUser, database: CurrentDatabase
) -> Acknowledgement:
    """Remove a user from a group."""
    await group_users.remove_group_user(database, caller, group_id, user_id)
    return acknowledge(f"User with id '{user_id}' has been removed from the group")
