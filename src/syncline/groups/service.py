"""What can be done with groups."""

import asyncio

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.api.authentication import Caller
from syncline.api.errors import Conflict, NotFound
from syncline.api.paging import Page, paginate
from syncline.api.roles import CREATOR
from syncline.groups.keys import new_key_pair
from syncline.store.database import Database
from syncline.store.models import Connection, Destination, Group, GroupUser, new_id
from syncline.store.sealing import Sealer


async def create_group(database: Database, sealer: Sealer, caller: Caller, name: str) -> Group:
    """Make a group with a key pair of its own. The caller becomes a user of it, unless it is a system key, which is
    nobody's.

    Raises:
        Conflict: the account has a group of this name.
    """
    identifier = new_id()
    public_key, private_key = await asyncio.to_thread(new_key_pair, f"syncline-{identifier}")
    group = Group(
        id=identifier,
        account_id=caller.account_id,
        name=name,
        public_key=public_key,
        sealed_private_key=sealer.seal(private_key),
    )
    try:
        async with database.session() as session:
            session.add(group)
            await session.flush()
            if caller.permissions is None:
                session.add(GroupUser(group_id=identifier, user_id=caller.user_id, role=CREATOR))
    except IntegrityError:
        raise _name_is_taken(name) from None
    return group


async def rename_group(database: Database, caller: Caller, identifier: str, name: str | None) -> Group:
    """Give a group another name; without one nothing changes.

    Raises:
        NotFound: there is no such group.
        Conflict: another group of the account has this name.
    """
    try:
        async with database.session() as session:
            group = await get_group(session, caller, identifier)
            if name is not None:
                group.name = name
            await session.flush()
    except IntegrityError:
        raise _name_is_taken(name or "") from None
    return group


async def delete_group(database: Database, caller: Caller, identifier: str) -> None:
    """Delete a group that has no connections, with its destination, its users and its key pair. What was loaded
    into the destination stays there.

    Raises:
        NotFound: there is no such group.
        Conflict: the group has connections.
    """
    async with database.session() as session:
        # Locked, as it is for a new connection: one of the two wins, and the other is told.
        await session.get(Group, identifier, with_for_update=True)
        group = await get_group(session, caller, identifier)
        connection_id = await session.scalar(select(Connection.id).where(Connection.group_id == identifier).limit(1))
        if connection_id is not None:
            raise Conflict(
                f"The group '{identifier}' has connections, '{connection_id}' for one. Delete them first: "
                f"GET /v1/groups/{identifier}/connections lists them."
            )
        await session.execute(delete(Destination).where(Destination.id == identifier))
        await session.delete(group)


async def list_groups(database: Database, caller: Caller, page: Page) -> tuple[list[Group], str | None]:
    """One page of the account's groups, and the cursor of the next."""
    async with database.session(read_only=True) as session:
        return await paginate(session, select(Group).where(Group.account_id == caller.account_id), Group.id, page)


async def get_group(session: AsyncSession, caller: Caller, identifier: str) -> Group:
    """One group of the account.

    Raises:
        NotFound: there is none with this identifier.
    """
    group = await session.get(Group, identifier)
    if group is None or group.account_id != caller.account_id:
        raise NotFound("Group", identifier)
    return group


def _name_is_taken(name: str) -> Conflict:
    return Conflict(f"A group with the name '{name}' exists already. Choose another `name`.")
