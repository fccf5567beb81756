"""System keys: API keys of the account, with permissions of their own and an end.

What a system key makes is said to be made by the user who made the key.
"""

import calendar
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.accounts.schemas import CreateSystemKey, ExpirationPeriod, Permission, UpdateSystemKey
from syncline.api.authentication import Caller
from syncline.api.errors import NotFound
from syncline.api.paging import Page, paginate
from syncline.api.permissions import ensure_may_grant
from syncline.store.database import Database
from syncline.store.models import ApiKey, User, new_id, utc_now
from syncline.store.secrets import digest, new_api_key

_MONTHS = {"ONE_MONTH": 1, "THREE_MONTHS": 3, "SIX_MONTHS": 6}


async def list_system_keys(session: AsyncSession, caller: Caller, page: Page) -> tuple[list[ApiKey], str | None]:
    """One page of the account's system keys, and the cursor of the next."""
    return await paginate(session, _keys_of(caller), ApiKey.key, page)


async def get_system_key(session: AsyncSession, caller: Caller, identifier: str) -> ApiKey:
    """One system key of the account.

    Raises:
        NotFound: there is none with this identifier.
    """
    key = (await session.scalars(_keys_of(caller).where(ApiKey.system_key_id == identifier))).first()
    if key is None:
        raise NotFound("SystemKey", identifier)
    return key


async def create_system_key(database: Database, caller: Caller, request: CreateSystemKey) -> tuple[ApiKey, str]:
    """Make a system key. Returns it with its secret, which cannot be had again.

    Raises:
        Forbidden: a permission allows more than the caller may do.
    """
    _check_grants(caller, request.permissions)
    key, secret = new_api_key()
    now = utc_now()
    stored = ApiKey(
        key=key,
        user_id=caller.user_id,
        secret_digest=digest(secret),
        name=request.name,
        created_at=now,
        system_key_id=new_id(),
        permissions=_stored(request.permissions),
        expires_at=end_of(request.expiration_period, now),
    )
    async with database.session() as session:
        session.add(stored)
    return stored, secret


async def update_system_key(database: Database, caller: Caller, identifier: str, request: UpdateSystemKey) -> ApiKey:
    """Change the name or the permissions of a system key; both stay when absent.

    Raises:
        NotFound: there is no such key.
        Forbidden: a permission, old or new, allows more than the caller may do.
    """
    _check_grants(caller, request.permissions or [])
    async with database.session() as session:
        key = await _get_own(session, caller, identifier)
        if request.name is not None:
            key.name = request.name
        if request.permissions is not None:
            key.permissions = _stored(request.permissions)
        key.updated_at = utc_now()
    return key


async def rotate_system_key(
    database: Database, caller: Caller, identifier: str, period: ExpirationPeriod | None
) -> tuple[ApiKey, str]:
    """Give a system key another secret and another end. The old secret is refused from now on.

    Raises:
        NotFound: there is no such key.
        Forbidden: the key allows more than the caller may do, who would have its secret.
    """
    _, secret = new_api_key()
    async with database.session() as session:
        key = await _get_own(session, caller, identifier)
        now = utc_now()
        if period is None:
            period = "INFINITE" if key.expires_at is None else "SIX_MONTHS"
        key.secret_digest = digest(secret)
        key.updated_at = now
        key.expires_at = end_of(period, now)
    return key, secret


async def delete_system_key(database: Database, caller: Caller, identifier: str) -> None:
    """Delete a system key; it is refused from now on.

    Raises:
        NotFound: there is no such key.
        Forbidden: the key allows more than the caller may do.
    """
    async with database.session() as session:
        await session.delete(await _get_own(session, caller, identifier))


async def _get_own(session: AsyncSession, caller: Caller, identifier: str) -> ApiKey:
    """A system key that allows no more than the caller may do, or is the caller's own.

    Raises:
        NotFound: there is none with this identifier.
        Forbidden: it allows more.
    """
    key = await get_system_key(session, caller, identifier)
    if identifier != caller.system_key_id:
        _check_grants(caller, [Permission(**permission) for permission in key.permissions or []])
    return key


def end_of(period: ExpirationPeriod, start: datetime) -> datetime | None:
    """When a period that begins at `start` ends, by the calendar; None for one that does not."""
    if period == "INFINITE":
        return None
    if period == "ONE_WEEK":
        return start + timedelta(weeks=1)
    months = start.month - 1 + _MONTHS[period]
    year, month = start.year + months // 12, months % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))


def _keys_of(caller: Caller) -> Select[ApiKey]:
    """The account's system keys. One that was revoked on the command line is gone for the API."""
    return (
        select(ApiKey)
        .join(User, User.id == ApiKey.user_id)
        .where(User.account_id == caller.account_id, ApiKey.system_key_id.is_not(None), ApiKey.revoked_at.is_(None))
    )


def _check_grants(caller: Caller, permissions: list[Permission]) -> None:
    for permission in permissions:
        ensure_may_grant(caller, permission.levels())


def _stored(permissions: list[Permission]) -> list[dict[str, object]]:
    return [permission.model_dump(exclude_none=True) for permission in permissions]
