"""Which users a group has, and their roles in it."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.accounts.users import find_user, get_user
from syncline.api.authentication import Caller
from syncline.api.errors import Conflict, NotFound
from syncline.api.paging import Page, paginate
from syncline.api.permissions import ensure_may_grant_in_group
from syncline.api.roles import GROUP_ROLES
from syncline.groups.service import get_group
from syncline.store.database import Database
from syncline.store.models import GroupUser, User, utc_now


async def list_group_users(
    database: Database, caller: Caller, group_id: str, page: Page
) -> tuple[list[tuple[User, str]], str | None]:
    """One page of the users that were added to a group, each with the role there, and the cursor of the next page.

    Raises:
        NotFound: there is no such group.
    """
    async with database.session(read_only=True) as session:
        await get_group(session, caller, group_id)
        statement = select(GroupUser).where(GroupUser.group_id == group_id)
        members, cursor = await paginate(session, statement, GroupUser.user_id, page)
        wanted = select(User).where(User.id.in_([member.user_id for member in members]))
        users = {user.id: user for user in await session.scalars(wanted)}
    return [(users[member.user_id], member.role) for member in members], cursor


async def list_groups_of_user(
    database: Database, caller: Caller, user_id: str, page: Page
) -> tuple[list[GroupUser], str | None]:
    """One page of the groups that a user was added to, and the cursor of the next.

    Raises:
        NotFound: there is no such user.
    """
    async with database.session(read_only=True) as session:
        await get_user(session, caller, user_id)
        statement = select(GroupUser).where(GroupUser.user_id == user_id)
        return await paginate(session, statement, GroupUser.group_id, page)


async def add_group_user(database: Database, caller: Caller, group_id: str, email: str, role: str) -> None:
    """Give the user with an e-mail address a role in a group.

    Raises:
        NotFound: there is no such group or user.
        Conflict: the user is in the group.
        Forbidden: the role allows more than the caller may do in the group.
    """
    async with database.session(read_only=True) as session:
        await get_group(session, caller, group_id)
        user = await find_user(session, caller, email)
    if user is None:
        raise NotFound("User", email, hint="Invite the user with POST /v1/users first.")
    await _check_grant(database, caller, group_id, role)
    await _add(database, caller, group_id, user.id, role)


async def add_user_to_group(database: Database, caller: Caller, user_id: str, group_id: str, role: str) -> GroupUser:
    """Give a user a role in a group.

    Raises:
        NotFound: there is no such group or user.
        Conflict: the user is in the group.
        Forbidden: the role allows more than the caller may do in the group.
    """
    await _check_grant(database, caller, group_id, role)
    return await _add(database, caller, group_id, user_id, role)


async def get_member(session: AsyncSession, caller: Caller, user_id: str, group_id: str) -> GroupUser:
    """The membership of a user in a group.

    Raises:
        NotFound: there is no such user, or it is not in the group.
    """
    await get_user(session, caller, user_id)
    member = await session.get(GroupUser, (group_id, user_id))
    if member is None:
        hint = f"GET /v1/users/{user_id}/groups lists the groups that the user was added to."
        raise NotFound("Group", group_id, hint=hint)
    return member


async def change_group_role(database: Database, caller: Caller, user_id: str, group_id: str, role: str | None) -> None:
    """Give a member of a group another role; without one nothing changes.

    Raises:
        NotFound: there is no such user, or it is not in the group.
        Forbidden: the role, old or new, allows more than the caller may do in the group.
    """
    async with database.session() as session:
        member = await get_member(session, caller, user_id, group_id)
        if role is not None and role != member.role:
            for either in (member.role, role):
                await _check_grant(database, caller, group_id, either)
            member.role = role


async def remove_group_user(database: Database, caller: Caller, group_id: str, user_id: str) -> None:
    """Take a user's role in a group away.

    Raises:
        NotFound: there is no such group, or the user is not in it.
        Forbidden: the role allows more than the caller may do in the group.
    """
    async with database.session() as session:
        await get_group(session, caller, group_id)
        member = await session.get(GroupUser, (group_id, user_id))
        if member is None:
            raise NotFound("User", user_id, hint=f"GET /v1/groups/{group_id}/users lists the users of the group.")
        await _check_grant(database, caller, group_id, member.role)
        await session.delete(member)


async def _check_grant(database: Database, caller: Caller, group_id: str, role: str) -> None:
    if role in GROUP_ROLES:
        await ensure_may_grant_in_group(database, caller, GROUP_ROLES[role].levels, group_id)


async def _add(database: Database, caller: Caller, group_id: str, user_id: str, role: str) -> GroupUser:
    member = GroupUser(group_id=group_id, user_id=user_id, role=role, created_at=utc_now())
    try:
        async with database.session() as session:
            await get_group(session, caller, group_id)
            await get_user(session, caller, user_id)
            session.add(member)
    except IntegrityError:
        raise Conflict(
            f"The user '{user_id}' is in the group '{group_id}' already. Change the role with "
            f"PATCH /v1/users/{user_id}/groups/{group_id}."
        ) from None
    return member
