"""The link of a Connect Card: whoever has it may complete the setup of one connection, for a day."""

from datetime import datetime, timedelta
from urllib.parse import urlencode

import jwt

from syncline.connections.schemas import ConnectCard
from syncline.store.models import Connection
from syncline.store.sealing import Sealer

LIFETIME = timedelta(days=1)
AUDIENCE = "connect-card"
_ALGORITHM = "HS256"


def make_connect_card(connection: Connection, sealer: Sealer, base_url: str, now: datetime) -> ConnectCard | None:
    """The Connect Card of a connection; None when none was asked for.

    The token is a JSON Web Token (RFC 7519), signed with a key that serves this purpose alone.
    """
    if connection.connect_card_config is None:
        return None
    claims = {
        "sub": connection.id,
        "aud": AUDIENCE,
        "account_id": connection.account_id,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
    }
    token = jwt.encode(claims, sealer.derive_key(AUDIENCE), algorithm=_ALGORITHM)
    query = {
        "redirect_uri": connection.connect_card_config["redirect_uri"],
        "auth": token,
        "hide_setup_guide": str(connection.connect_card_config["hide_setup_guide"]).lower(),
    }
    return ConnectCard(token=token, uri=f"{base_url.rstrip('/')}/connect-card/setup?{urlencode(query)}")
