"""What can be done with the users of the account."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.accounts.schemas import InviteUser, UpdateUser
from syncline.api.authentication import Caller
from syncline.api.errors import Conflict, IllegalState, InvalidInput, NotFound
from syncline.api.paging import Page, paginate
from syncline.api.permissions import ensure_may_grant, ensure_may_grant_in_group
from syncline.api.roles import ACCOUNT_ROLES, ADMINISTRATOR, GROUP_ROLES
from syncline.store.database import Database
from syncline.store.models import Account, ApiKey, GroupUser, User, new_id, utc_now


async def list_users(
    session: AsyncSession, caller: Caller, page: Page, active: bool | None
) -> tuple[list[User], str | None]:
    """One page of the account's users, and the cursor of the next. All users are active."""
    if active is False:
        return [], None
    statement = select(User).where(User.account_id == caller.account_id, User.deleted_at.is_(None))
    return await paginate(session, statement, User.id, page)


async def get_user(session: AsyncSession, caller: Caller, identifier: str) -> User:
    """One user of the account.

    Raises:
        NotFound: there is none with this identifier.
    """
    user = await session.get(User, identifier)
    if user is None or user.account_id != caller.account_id or user.deleted_at is not None:
        raise NotFound("User", identifier)
    return user


async def find_user(session: AsyncSession, caller: Caller, email: str) -> User | None:
    """The user with an e-mail address, however its letters are written."""
    statement = select(User).where(User.account_id == caller.account_id, func.lower(User.email) == email.lower())
    return (await session.scalars(statement)).first()


async def invite_user(database: Database, caller: Caller, request: InviteUser) -> User:
    """Make a user. No mail is sent: an administrator makes the user's API keys.

    Raises:
        Conflict: the account has a user with this address.
        Forbidden: the role allows more than the caller may do.
    """
    if request.role is not None:
        ensure_may_grant(caller, ACCOUNT_ROLES[request.role].levels)
    async with database.session() as session:
        await _lock_account(session, caller)
        if await find_user(session, caller, request.email) is not None:
            raise Conflict(f"A user with the address '{request.email}' exists already. Change that one instead.")
        user = User(
            id=new_id(),
            account_id=caller.account_id,
            email=request.email,
            given_name=request.given_name,
            family_name=request.family_name,
            phone=request.phone,
            picture=request.picture,
            role=request.role or "",
            invited=True,
        )
        session.add(user)
    return user


async def update_user(database: Database, caller: Caller, identifier: str, request: UpdateUser) -> User:
    """Change the fields of a user that were sent.

    Raises:
        NotFound: there is no such user.
        InvalidInput: callers cannot change their own role.
        IllegalState: the account would be left without an administrator.
        Forbidden: the role, old or new, allows more than the caller may do.
    """
    return await _change_user(database, caller, identifier, request.model_dump(exclude_unset=True))


async def _change_user(database: Database, caller: Caller, identifier: str, changes: Mapping[str, Any]) -> User:
    async with database.session() as session:
        await _lock_account(session, caller)
        user = await get_user(session, caller, identifier)
        role = changes.get("role", user.role)
        if role != user.role:
            if identifier == caller.user_id:
                raise InvalidInput("`role` cannot be changed by the user who has it. Ask another administrator.")
            _check_grant(caller, role)
            _check_grant(caller, user.role)
            await _keep_an_administrator(session, user)
        for name, value in changes.items():
            setattr(user, name, value)
    return user


async def remove_role(database: Database, caller: Caller, identifier: str) -> None:
    """Take a user's role in the account away; roles in groups stay.

    Raises:
        NotFound, InvalidInput, IllegalState, Forbidden: as :func:`update_user` does.
    """
    await _change_user(database, caller, identifier, {"role": ""})


async def delete_user(database: Database, caller: Caller, identifier: str) -> None:
    """Delete a user with the user's API keys and roles. The identifier stays known to what the user has made, and
    system keys stay: they belong to the account.

    Raises:
        NotFound: there is no such user.
        IllegalState: the account would be left without an administrator.
        Forbidden: a role of the user, in the account or in a group, allows more than the caller may do.
    """
    async with database.session() as session:
        await _lock_account(session, caller)
        user = await get_user(session, caller, identifier)
        _check_grant(caller, user.role)
        for member in await session.scalars(select(GroupUser).where(GroupUser.user_id == identifier)):
            levels = GROUP_ROLES[member.role].levels if member.role in GROUP_ROLES else {}
            await ensure_may_grant_in_group(database, caller, levels, member.group_id)
        await _keep_an_administrator(session, user)
        now = utc_now()
        own_keys = update(ApiKey).where(
            ApiKey.user_id == identifier, ApiKey.system_key_id.is_(None), ApiKey.revoked_at.is_(None)
        )
        await session.execute(own_keys.values(revoked_at=now))
        await session.execute(delete(GroupUser).where(GroupUser.user_id == identifier))
        user.email = f"deleted-{identifier}"
        user.given_name = user.family_name = user.role = ""
        user.phone = user.picture = None
        user.deleted_at = now


def _check_grant(caller: Caller, role: str) -> None:
    if role in ACCOUNT_ROLES:
        ensure_may_grant(caller, ACCOUNT_ROLES[role].levels)


async def _lock_account(session: AsyncSession, caller: Caller) -> None:
    """Let one request at a time look at all users and then change one."""
    await session.get(Account, caller.account_id, with_for_update=True)


async def _keep_an_administrator(session: AsyncSession, leaving: User) -> None:
    if leaving.role != ADMINISTRATOR:
        return
    others = select(User.id).where(
        User.account_id == leaving.account_id, User.role == ADMINISTRATOR, User.id != leaving.id
    )
    if await session.scalar(others.limit(1)) is None:
        raise IllegalState(
            f"User '{leaving.id}' is the only {ADMINISTRATOR} of the account. Give another user that role first."
        )
