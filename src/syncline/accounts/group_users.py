"""Which users a group has, and their roles in it."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from syncline.accounts.users import find_user
from syncline.api.authentication import Caller
from syncline.api.errors import Conflict, NotFound
from syncline.api.paging import Page, paginate
from syncline.groups.service import get_group
from syncline.store.database import Database
from syncline.store.models import GroupUser, User


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


async def add_group_user(database: Database, caller: Caller, group_id: str, email: str, role: str) -> None:
    """Give a user of the account a role in a group.

    Raises:
        NotFound: there is no such group or user.
        Conflict: the user is in the group.
    """
    try:
        async with database.session() as session:
            await get_group(session, caller, group_id)
            user = await find_user(session, caller, email)
            if user is None:
                raise NotFound("User", email, hint="Invite the user with POST /v1/users first.")
            session.add(GroupUser(group_id=group_id, user_id=user.id, role=role))
    except IntegrityError:
        raise Conflict(
            f"The user '{email}' is in the group '{group_id}' already. To change the role, remove the user first."
        ) from None


async def remove_group_user(database: Database, caller: Caller, group_id: str, user_id: str) -> None:
    """Take a user's role in a group away.

    Raises:
        NotFound: there is no such group, or the user is not in it.
    """
    async with database.session() as session:
        await get_group(session, caller, group_id)
        member = await session.get(GroupUser, (group_id, user_id))
        if member is None:
            raise NotFound("User", user_id, hint=f"GET /v1/groups/{group_id}/users lists the users of the group.")
        await session.delete(member)
