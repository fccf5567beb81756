"""What can be done with the account and its API keys."""

from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from syncline.api.errors import IllegalState, NotFound
from syncline.api.roles import ADMINISTRATOR
from syncline.store.database import Database
from syncline.store.models import Account, ApiKey, User, utc_now
from syncline.store.secrets import digest, new_api_key

OWNER_EMAIL = "owner@localhost"


@dataclass(frozen=True, slots=True)
class NewKey:
    """An API key that was just made. The secret cannot be had again."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return f"NewKey(key={self.key!r}, secret='******')"


async def ensure_account(session: AsyncSession) -> NewKey | None:
    """Make the account, its owner and the owner's first API key, when there is no account yet.

    Returns the key, or None when the account was there. Servers that start at the same moment make one account.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE"))
    if await session.scalar(select(Account.id).limit(1)) is not None:
        return None
    account = Account(name="Syncline")
    session.add(account)
    await session.flush()
    owner = User(account_id=account.id, email=OWNER_EMAIL, given_name="Account", family_name="Owner")
    session.add(owner)
    await session.flush()
    return await _add_key(session, owner.id, "Made at the first start")


async def create_api_key(database: Database, name: str = "", *, email: str | None = None) -> NewKey:
    """Make another API key for a user: the one with this address, else the first administrator.

    Raises:
        IllegalState: there is no account yet: the server has never been started.
        NotFound: no user has this address.
    """
    async with database.session() as session:
        users = select(User).where(User.deleted_at.is_(None)).order_by(User.created_at).limit(1)
        if email is not None:
            user = await session.scalar(users.where(func.lower(User.email) == email.lower()))
        else:
            user = await session.scalar(users.where(User.role == ADMINISTRATOR))
        if user is None and email is not None:
            raise NotFound("User", email, hint="Invite the user with POST /v1/users first.")
        if user is None:
            raise IllegalState("There is no account yet. Start the server once with `syncline up`; it makes one.")
        return await _add_key(session, user.id, name)


async def list_api_keys(database: Database) -> list[ApiKey]:
    """Every API key, the oldest first, revoked ones too."""
    async with database.session(read_only=True) as session:
        return list(await session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.key)))


async def rotate_api_key(database: Database, key: str) -> NewKey:
    """Give a key another secret. The old one is refused from now on.

    Raises:
        NotFound: there is no such key.
        IllegalState: the key is revoked.
    """
    _, secret = new_api_key()
    async with database.session() as session:
        found = await _find_key(session, key)
        if found.revoked_at is not None:
            raise IllegalState(f"API key '{key}' is revoked. Make another with `syncline api-key create`.")
        found.secret_digest = digest(secret)
        found.updated_at = utc_now()
    return NewKey(key, secret)


async def revoke_api_key(database: Database, key: str) -> ApiKey:
    """Refuse a key from now on. Revoking it again changes nothing.

    Raises:
        NotFound: there is no such key.
    """
    async with database.session() as session:
        found = await _find_key(session, key)
        found.revoked_at = found.revoked_at or utc_now()
        return found


async def _find_key(session: AsyncSession, key: str) -> ApiKey:
    found = await session.get(ApiKey, key)
    if found is None:
        raise NotFound("ApiKey", key, hint="List the keys with `syncline api-key list`.")
    return found


async def _add_key(session: AsyncSession, user_id: str, name: str) -> NewKey:
    key, secret = new_api_key()
    session.add(ApiKey(key=key, user_id=user_id, secret_digest=digest(secret), name=name))
    await session.flush()
    return NewKey(key, secret)
