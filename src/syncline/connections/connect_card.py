"""The link of a Connect Card: whoever has it may complete the setup of one connection, for a day.

The token is a JSON Web Token (RFC 7519), signed with a key that serves this purpose alone. Besides the connection it
says where the person is sent afterwards: the page believes the token and not the query beside it, so that nobody can
lead people elsewhere with a link of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt

from syncline.connections.schemas import ConnectCard
from syncline.store.models import Connection
from syncline.store.sealing import Sealer

LIFETIME = timedelta(days=1)
AUDIENCE = "connect-card"
_ALGORITHM = "HS256"


class ConnectCardTokenError(Exception):
    """A token of a Connect Card is not one of this server, or its day is over. The text is for whoever has the link."""


@dataclass(frozen=True, slots=True)
class ConnectCardGrant:
    """What a token allows."""

    connection_id: str
    account_id: str
    redirect_uri: str
    hide_setup_guide: bool
    all_fields: bool
    expires_at: datetime


def make_connect_card(
    connection: Connection, config: Mapping[str, Any], sealer: Sealer, base_url: str, now: datetime
) -> ConnectCard:
    """The Connect Card of a connection.

    Args:
        config: A `connect_card_config` as it was sent.
        base_url: Where people reach this server.
    """
    claims = {
        "sub": connection.id,
        "aud": AUDIENCE,
        "account_id": connection.account_id,
        "redirect_uri": config["redirect_uri"],
        "hide_setup_guide": config["hide_setup_guide"],
        "all_fields": config.get("all_fields", False),
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
    }
    token = jwt.encode(claims, sealer.derive_key(AUDIENCE), algorithm=_ALGORITHM)
    query = {
        "redirect_uri": config["redirect_uri"],
        "auth": token,
        "hide_setup_guide": str(config["hide_setup_guide"]).lower(),
    }
    return ConnectCard(token=token, uri=f"{base_url.rstrip('/')}/connect-card/setup?{urlencode(query)}")


def verify_connect_card_token(token: str, sealer: Sealer) -> ConnectCardGrant:
    """What a token allows. That its connection is still there is for the caller to see.

    Raises:
        ConnectCardTokenError: it was not made by this server, was changed, or its day is over.
    """
    required = ["sub", "exp", "iat", "account_id", "redirect_uri", "hide_setup_guide", "all_fields"]
    try:
        claims = jwt.decode(
            token,
            sealer.derive_key(AUDIENCE),
            algorithms=[_ALGORITHM],
            audience=AUDIENCE,
            options={"require": required},
        )
    except jwt.ExpiredSignatureError:
        raise ConnectCardTokenError("This link has expired. Ask for a new one.") from None
    except jwt.InvalidTokenError:
        raise ConnectCardTokenError("This link is not valid. Open it exactly as you received it.") from None
    return ConnectCardGrant(
        connection_id=claims["sub"],
        account_id=claims["account_id"],
        redirect_uri=claims["redirect_uri"],
        hide_setup_guide=claims["hide_setup_guide"],
        all_fields=claims["all_fields"],
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )
