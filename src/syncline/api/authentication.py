"""Who is calling: HTTP Basic with an API key and its secret."""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import select

from syncline.api.errors import Unauthorized
from syncline.store.database import Database
from syncline.store.models import ApiKey, User
from syncline.store.secrets import digest

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_DIGEST = "0" * 64
"""What an unknown key is compared with, so that it takes as long as a wrong secret."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The user whose API key a request carries."""

    account_id: str
    user_id: str
    role: str


async def authenticate(database: Database, authorization: str) -> Caller:
    """The caller behind an Authorization header.

    Raises:
        Unauthorized: the header is missing or malformed, the key unknown or revoked, or the secret wrong. Which of
            the last three it was is not told.
    """
    key, secret = _read_header(authorization)
    presented = digest(secret)
    row = None
    if _KEY.fullmatch(key):
        async with database.session(read_only=True) as session:
            columns = select(
                ApiKey.secret_digest, ApiKey.revoked_at, User.account_id, User.id.label("user_id"), User.role
            )
            row = (
                await session.execute(columns.join(User, User.id == ApiKey.user_id).where(ApiKey.key == key))
            ).first()
    fits = hmac.compare_digest(presented, row.secret_digest if row is not None else _NO_DIGEST)
    if row is None or not fits or row.revoked_at is not None:
        raise Unauthorized("The API key or its secret is wrong, or the key was revoked.")
    return Caller(row.account_id, row.user_id, row.role)


def current_user(request: Request) -> Caller:
    """The caller, whom the gate has already authenticated."""
    caller: Caller = request.state.caller
    return caller


CurrentUser = Annotated[Caller, Depends(current_user)]
"""The type of an endpoint's parameter that receives the caller."""


def _read_header(authorization: str) -> tuple[str, str]:
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() != "basic" or not credentials:
        raise Unauthorized("Send your API key and secret with HTTP Basic authentication.")
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    key, separator, secret = decoded.partition(":")
    if not separator:
        raise Unauthorized("The Authorization header is malformed: it must be `Basic` and the Base64 of `key:secret`.")
    return key, secret
