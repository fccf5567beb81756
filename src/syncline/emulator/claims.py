"""Claims-based security: what the tokens that a connection has shown allow it to do."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from syncline.emulator.addresses import parse_address, strip_host
from syncline.emulator.descriptions import Claim
from syncline.emulator.errors import UnauthorizedError
from syncline.emulator.namespace import Namespace
from syncline.emulator.tokens import SAS_PREFIX, Authorization, JsonWebTokenVerifier, verify_sas_token

SAS_TOKEN = "servicebus.windows.net:sastoken"  # noqa: S105 - the name of a kind of token
JSON_WEB_TOKEN = "jwt"  # noqa: S105

_MOST_AUDIENCES = 1000
"""How many audiences one connection may be authorised for at a time."""


class TokenVerifier:
    """Turns a token into what it allows, by the policies of a namespace and perhaps an issuer."""

    def __init__(self, namespace: Namespace, json_web_tokens: JsonWebTokenVerifier | None = None) -> None:
        self._namespace = namespace
        self._json_web_tokens = json_web_tokens

    def verify(self, token: str, kind: str, audience: str) -> Authorization:
        """What `token` allows for `audience`.

        :raises UnauthorizedError: nothing, for the reason in the error.
        """
        now = datetime.now(UTC)
        # The Python SDK calls every token "jwt"; what it sends tells which it is.
        if kind == SAS_TOKEN or token.startswith(SAS_PREFIX):
            policies = self._namespace.policies_for(parse_address(audience))
            return verify_sas_token(token, audience, policies, now)
        if kind == JSON_WEB_TOKEN:
            if self._json_web_tokens is None:
                raise UnauthorizedError(
                    "No issuer of JSON web tokens is configured here. Use a shared access signature, "
                    "or start the emulator with an issuer."
                )
            return self._json_web_tokens.verify(token, now)
        raise UnauthorizedError(f"A token of the type '{kind}' is not known; use '{SAS_TOKEN}' or '{JSON_WEB_TOKEN}'.")


class Claims:
    """The authorisations of one connection, by the audience they were given for."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._granted: dict[str, Authorization] = {}

    def grant(self, audience: str, authorization: Authorization) -> None:
        """Keep an authorisation; it replaces an earlier one for the same audience."""
        key = strip_host(audience).lower()
        if key not in self._granted and len(self._granted) >= _MOST_AUDIENCES:
            raise UnauthorizedError(
                f"This connection is authorised for {_MOST_AUDIENCES} entities already. Open another connection."
            )
        self._granted[key] = authorization

    def allows(self, path: str, claim: Claim | None) -> bool:
        """Whether the claim (any claim when None) is granted for an entity's path, now."""
        now = self._clock()
        return any(
            (not audience or path == audience or path.startswith(audience + "/"))
            and authorization.expires_at > now
            and (authorization.claims if claim is None else claim in authorization.claims)
            for audience, authorization in self._granted.items()
        )

    def check(self, path: str, claim: Claim | None) -> None:
        """Raise UnauthorizedError unless the claim is granted for the path."""
        if not self.allows(path, claim):
            wanted = "a claim" if claim is None else f"the {claim} claim"
            raise UnauthorizedError(
                f"Unauthorized access: {wanted} is required to use '{path}'. Put a token for it to $cbs, "
                "and a new one before that expires."
            )

    @property
    def next_expiry(self) -> datetime | None:
        """When the next authorisation ends, None when there is none."""
        now = self._clock()
        pending = [item.expires_at for item in self._granted.values() if item.expires_at > now]
        return min(pending, default=None)

    def revoke_all(self) -> None:
        """Forget every authorisation."""
        self._granted.clear()


def put_token(
    claims: Claims, verifier: TokenVerifier, properties: Mapping[str, object], token: object
) -> tuple[int, str]:
    """Carry out a request to `$cbs`; returns the status code and description to answer with."""
    operation, kind, audience = (properties.get(name) for name in ("operation", "type", "name"))
    if operation != "put-token":
        return 400, f"The operation '{operation}' is not known; $cbs carries out 'put-token'."
    if not isinstance(kind, str) or not isinstance(audience, str) or not isinstance(token, str | bytes):
        return 400, "A put-token request needs the application properties 'type' and 'name', and a token as its body."
    try:
        text = token.decode("ascii") if isinstance(token, bytes) else token
        claims.grant(audience, verifier.verify(text, kind, audience))
    except UnauthorizedError as error:
        return 401, error.message
    except UnicodeDecodeError:
        return 401, "The token is not text."
    return 202, "Accepted"
