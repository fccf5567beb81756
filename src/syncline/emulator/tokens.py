"""Proof of who is asking: shared access signatures and JSON web tokens, really verified.

A shared access signature names the resource it is for (`sr`), when it expires (`se`, Unix seconds)
and the policy whose key signed it (`skn`); its signature is HMAC-SHA256 over the resource exactly as
it stands in the token, a line feed and the expiry, in base64.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, unquote, unquote_plus, urlsplit

import jwt

from syncline.emulator.descriptions import ALL_CLAIMS, AccessPolicy, Claim
from syncline.emulator.errors import UnauthorizedError

SAS_PREFIX = "SharedAccessSignature "

_LATEST_EXPIRY = datetime.max.replace(tzinfo=UTC)
_ROLES: Mapping[str, frozenset[Claim]] = {
    "Azure Service Bus Data Owner": ALL_CLAIMS,
    "Azure Service Bus Data Sender": frozenset({"Send"}),
    "Azure Service Bus Data Receiver": frozenset({"Listen"}),
}


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a verified token allows.

    `resource` is what the token was made for, without scheme and port, in lower case; empty means
    the whole namespace. `policy_name` is None for a JSON web token.
    """

    claims: frozenset[Claim]
    expires_at: datetime
    policy_name: str | None = None
    resource: str = ""

    def covers(self, audience: str) -> bool:
        """Whether the token was made for this entity, or for something that holds it."""
        return _is_within(_normalized(audience), self.resource)

    def allows(self, claim: Claim) -> bool:
        """Whether the token carries the claim."""
        return claim in self.claims


def verify_sas_token(token: str, audience: str, policies: Iterable[AccessPolicy], now: datetime) -> Authorization:
    """Verify a shared access signature for an audience such as `sb://host/topic`.

    The scheme and the port of an address do not count, nor does case. Raises `UnauthorizedError`
    that says what is wrong with the token, and never repeats its signature.
    """
    fields = _sas_fields(token)
    expires_at = _expiry(fields["se"])
    candidates = [policy for policy in policies if policy.key_name in _policy_names(fields["skn"])]
    if not candidates:
        raise UnauthorizedError(f"The token names the shared access policy {fields['skn']!r}, which is not here.")
    signed = f"{fields['sr']}\n{fields['se']}".encode()
    policy = next((policy for policy in candidates if _is_signed(signed, fields["sig"], policy)), None)
    if policy is None:
        raise UnauthorizedError(f"The token's signature does not fit the key of the policy {candidates[0].key_name!r}.")
    if expires_at <= now:
        raise UnauthorizedError(f"The token expired at {expires_at.isoformat()}; send a new one.")
    resource = _normalized(unquote_plus(fields["sr"]))
    if not _is_within(_normalized(audience), resource):
        raise UnauthorizedError(f"The token is for {resource!r}, which does not hold {_normalized(audience)!r}.")
    return Authorization(policy.claims, expires_at, policy.key_name, resource)


def create_sas_token(resource: str, policy: AccessPolicy, expires_at: datetime) -> str:
    """A shared access signature as a client would make it."""
    encoded = quote_plus(resource)
    expiry = int(expires_at.timestamp())
    signature = base64.b64encode(_signature(f"{encoded}\n{expiry}".encode(), policy)).decode()
    return f"{SAS_PREFIX}sr={encoded}&sig={quote_plus(signature)}&se={expiry}&skn={quote_plus(policy.key_name)}"


def _sas_fields(token: str) -> dict[str, str]:
    if not token.startswith(SAS_PREFIX):
        raise UnauthorizedError("The token is not a shared access signature; it must start with its name.")
    # The fields stay encoded: the signature covers the resource as it was written.
    pairs = (part.partition("=") for part in token[len(SAS_PREFIX) :].strip().split("&"))
    fields = {name: value for name, _, value in pairs}
    missing = [name for name in ("sr", "sig", "se", "skn") if not fields.get(name)]
    if missing:
        raise UnauthorizedError(f"The shared access signature lacks {', '.join(missing)}.")
    return fields


def _expiry(text: str) -> datetime:
    # Bounded before it is read: a long run of digits is slow to turn into a number.
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise UnauthorizedError("The token's expiry (se) is not a number of seconds since 1970.")
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (OverflowError, ValueError, OSError):
        return _LATEST_EXPIRY


def _policy_names(encoded: str) -> tuple[str, ...]:
    # The Python SDK encodes the name twice, others once or not at all.
    once = unquote_plus(encoded)
    return encoded, once, unquote_plus(once)


def _is_signed(signed: bytes, encoded_signature: str, policy: AccessPolicy) -> bool:
    # Not unquote_plus: a plus sign that was left as it is belongs to the base64.
    try:
        signature = base64.b64decode(unquote(encoded_signature), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(signature, _signature(signed, policy))


def _signature(signed: bytes, policy: AccessPolicy) -> bytes:
    return hmac.new(policy.key.encode(), signed, hashlib.sha256).digest()


def _normalized(address: str) -> str:
    _, separator, rest = address.partition("://")
    try:
        parts = urlsplit("//" + (rest if separator else address))
        host = parts.hostname or ""
    except ValueError as error:
        raise UnauthorizedError(f"The address {address!r} cannot be read: {error}.") from error
    query = f"?{parts.query}" if parts.query else ""
    return unquote(f"{host}{parts.path.rstrip('/')}{query}").lower()


def _is_within(audience: str, resource: str) -> bool:
    return not resource or audience == resource or audience.startswith((f"{resource}/", f"{resource}?"))


class JsonWebTokenVerifier:
    """Verifies JSON web tokens of one issuer, as a namespace does for Microsoft Entra ID.

    `keys` is a JSON Web Key Set, a PEM public key, or a secret of at least 32 bytes for HS256.
    A token may limit itself with `roles`, named like the service's own data roles; without them
    it carries every claim.
    """

    def __init__(self, issuer: str, audience: str, keys: Mapping[str, Any] | str | bytes) -> None:
        self.issuer = issuer
        self.audience = audience
        self._key_set: jwt.PyJWKSet | None = None
        self._key: str | bytes = b""
        if isinstance(keys, Mapping):
            self._key_set = jwt.PyJWKSet.from_dict(dict(keys))
            self._algorithms = ["RS256", "ES256"]
        else:
            self._key = keys
            text = keys if isinstance(keys, str) else keys.decode("latin-1")
            # One family of algorithms for one kind of key, or a public key would pass as a secret.
            self._algorithms = ["RS256", "ES256"] if "PUBLIC KEY" in text else ["HS256"]

    def verify(self, token: str, now: datetime) -> Authorization:
        """What the token allows; `Bearer ` in front of it is dropped. Raises `UnauthorizedError`."""
        token = token.removeprefix("Bearer ").strip()
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key_for(token),
                algorithms=self._algorithms,
                audience=[self.audience, self.audience.rstrip("/") + "/"],
                issuer=self.issuer,
                # The clock is the caller's, so that tests can move it; see below.
                options={"require": ["exp"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            expires_at = _numeric_date(claims["exp"])
            starts_at = _numeric_date(claims["nbf"]) if "nbf" in claims else None
        except jwt.PyJWTError as error:
            raise UnauthorizedError(f"The JSON web token is not accepted: {error}.") from error
        if expires_at <= now:
            raise UnauthorizedError(f"The JSON web token expired at {expires_at.isoformat()}; send a new one.")
        if starts_at is not None and starts_at > now:
            raise UnauthorizedError(f"The JSON web token is not valid before {starts_at.isoformat()}.")
        return Authorization(_claims_of(claims.get("roles")), expires_at)

    def _key_for(self, token: str) -> Any:
        if self._key_set is None:
            return self._key
        identifier = jwt.get_unverified_header(token).get("kid")
        keys = [key for key in self._key_set.keys if identifier is None or key.key_id == identifier]
        if not keys:
            raise jwt.InvalidKeyError(f"no key of the issuer has the identifier {identifier!r}")
        return keys[0]


def _numeric_date(value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise jwt.DecodeError("its times must be numbers of seconds since 1970")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise jwt.DecodeError("its times are out of range") from error


def _claims_of(roles: object) -> frozenset[Claim]:
    if roles is None:
        return ALL_CLAIMS
    names = roles if isinstance(roles, list) else [roles]
    return frozenset(claim for name in names for claim in _ROLES.get(str(name), frozenset()))
