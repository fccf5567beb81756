"""Shared access signatures and JSON web tokens."""

import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from azure.servicebus._pyamqp.utils import generate_sas_token
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from syncline.emulator.descriptions import ALL_CLAIMS, AccessPolicy
from syncline.emulator.errors import UnauthorizedError
from syncline.emulator.tokens import JsonWebTokenVerifier, create_sas_token, verify_sas_token

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=20)
ROOT = AccessPolicy("RootManageSharedAccessKey", "SAS_KEY_VALUE")
READER = AccessPolicy("reader", "c2VjcmV0LWtleQ==", frozenset({"Listen"}))
POLICIES = [ROOT, READER]


def test_a_token_of_the_sdk_is_verified() -> None:
    token = generate_sas_token("sb://localhost:5672/orders", "reader", READER.key, int(LATER.timestamp()))
    authorization = verify_sas_token(token, "sb://localhost:5672/orders", POLICIES, NOW)
    assert authorization.claims == {"Listen"}
    assert authorization.expires_at == LATER
    assert authorization.policy_name == "reader"
    assert authorization.allows("Listen")
    assert not authorization.allows("Manage")


@pytest.mark.parametrize("name", ["with space", "per%cent", "plus+sign", "ünï", "a&b=c"])
def test_a_policy_may_have_any_name(name: str) -> None:
    policy = AccessPolicy(name, "key")
    expiry = int(LATER.timestamp())
    for token in (
        generate_sas_token("sb://host/", name, "key", expiry),
        create_sas_token("sb://host/", policy, LATER),
    ):
        assert verify_sas_token(token, "sb://host/x", [policy], NOW).policy_name == name


@pytest.mark.parametrize(
    ("resource", "audience"),
    [
        ("sb://host", "sb://host/orders"),
        ("sb://host/", "amqps://HOST:5671/Orders"),
        ("https://host:8443/", "http://host/orders?api-version=2021-05"),
        ("https://host/orders?api-version=2021-05", "https://host:443/orders?api-version=2021-05"),
        ("sb://host/orders", "sb://host/orders/Subscriptions/all/$management"),
        ("host/orders", "amqp://host/orders"),
        ("SB://HOST/ORDERS/", "sb://host/orders"),
        ("sb://host/with space", "https://host/with%20space"),
    ],
)
def test_a_token_covers_what_its_resource_holds(resource: str, audience: str) -> None:
    authorization = verify_sas_token(create_sas_token(resource, ROOT, LATER), audience, POLICIES, NOW)
    assert authorization.claims == ALL_CLAIMS
    assert authorization.covers(audience)
    assert not authorization.covers("sb://elsewhere/orders")


@pytest.mark.parametrize(
    ("resource", "audience"),
    [
        ("sb://host/orders", "sb://host/orders2"),
        ("sb://host/orders", "sb://host/"),
        ("sb://other/", "sb://host/orders"),
        ("sb://host/orders/subscriptions/a", "sb://host/orders"),
    ],
)
def test_a_token_for_something_else_is_refused(resource: str, audience: str) -> None:
    with pytest.raises(UnauthorizedError, match="does not hold"):
        verify_sas_token(create_sas_token(resource, ROOT, LATER), audience, POLICIES, NOW)


def test_an_expired_token_is_refused() -> None:
    token = create_sas_token("sb://host", ROOT, NOW)
    with pytest.raises(UnauthorizedError, match="expired at 2026-05-01T12:00:00"):
        verify_sas_token(token, "sb://host/orders", POLICIES, NOW)


def test_a_token_with_the_wrong_key_is_refused_and_not_repeated() -> None:
    token = create_sas_token("sb://host", AccessPolicy("reader", "wrong"), LATER)
    with pytest.raises(UnauthorizedError, match="does not fit the key of the policy 'reader'") as raised:
        verify_sas_token(token, "sb://host/orders", POLICIES, NOW)
    assert "sig" not in raised.value.message.replace("signature", "")
    assert READER.key not in raised.value.message


def test_a_policy_does_not_show_its_key() -> None:
    assert READER.key not in repr(READER)


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "must start with"),
        ("Bearer abc", "must start with"),
        ("SharedAccessSignature ", "lacks sr, sig, se, skn"),
        ("SharedAccessSignature sr=a&sig=b&se=1", "lacks skn"),
        ("SharedAccessSignature sr=a&sig=b&se=soon&skn=reader", "not a number"),
        ("SharedAccessSignature sr=a&sig=b&se=-5&skn=reader", "not a number"),
        ("SharedAccessSignature sr=a&sig=b&se=" + "9" * 5000 + "&skn=reader", "not a number"),
        ("SharedAccessSignature sr=a&sig=b&se=1&skn=nobody", "'nobody', which is not here"),
        ("SharedAccessSignature sr=a&sig=%&se=1&skn=reader", "does not fit"),
    ],
)
def test_a_malformed_token_is_refused(token: str, said: str) -> None:
    with pytest.raises(UnauthorizedError, match=said):
        verify_sas_token(token, "sb://host", POLICIES, NOW)


@given(st.text(), st.text())
def test_no_text_passes_or_breaks_the_check(token: str, audience: str) -> None:
    for text in (token, f"SharedAccessSignature sr={token}&sig={token}&se=9&skn=reader"):
        with pytest.raises(UnauthorizedError):
            verify_sas_token(text, audience, POLICIES, NOW)


@given(st.text(), st.text(min_size=1))
def test_no_audience_breaks_the_check(audience: str, resource: str) -> None:
    token = create_sas_token(resource.encode("utf-8", "replace").decode(), ROOT, LATER)
    try:
        verify_sas_token(token, audience, POLICIES, NOW)
    except UnauthorizedError:
        return


ISSUER = "https://issuer.test/tenant/"
AUDIENCE = "https://servicebus.azure.net"
SECRET = "a secret of more than thirty-two bytes"


def token_of(
    key: object = SECRET, algorithm: str = "HS256", headers: dict[str, str] | None = None, **changes: object
) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(LATER.timestamp()), **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)  # type: ignore[arg-type]


def test_a_json_web_token_is_verified() -> None:
    authorization = JsonWebTokenVerifier(ISSUER, AUDIENCE, SECRET).verify(f"Bearer {token_of()}", NOW)
    assert authorization.claims == ALL_CLAIMS
    assert authorization.expires_at == LATER
    assert authorization.policy_name is None
    assert authorization.covers("sb://anything/at/all")


def test_roles_limit_a_json_web_token() -> None:
    verifier = JsonWebTokenVerifier(ISSUER, AUDIENCE, SECRET)
    assert verifier.verify(token_of(roles=["Azure Service Bus Data Receiver"]), NOW).claims == {"Listen"}
    assert verifier.verify(token_of(roles=["Reader"]), NOW).claims == frozenset()


def test_a_key_set_finds_the_key_by_its_identifier() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key()))
    verifier = JsonWebTokenVerifier(ISSUER, AUDIENCE, {"keys": [{**public, "kid": "one", "use": "sig"}]})
    assert verifier.verify(token_of(private, "RS256", {"kid": "one"}), NOW).claims == ALL_CLAIMS
    with pytest.raises(UnauthorizedError, match="'two'"):
        verifier.verify(token_of(private, "RS256", {"kid": "two"}), NOW)
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert JsonWebTokenVerifier(ISSUER, AUDIENCE, pem).verify(token_of(private, "RS256"), NOW).claims == ALL_CLAIMS


@pytest.mark.parametrize(
    "token",
    [
        token_of(iss="https://other.test/"),
        token_of(aud="https://storage.azure.com"),
        token_of(exp=int(NOW.timestamp())),
        token_of(exp=None),
        token_of(nbf=int(LATER.timestamp())),
        token_of(exp=10**300),
        token_of("another secret of more than thirty-two bytes"),
        token_of(None, "none"),
        "",
        "a.b.c",
        "not a token",
    ],
)
def test_a_json_web_token_that_does_not_fit_is_refused(token: str) -> None:
    with pytest.raises(UnauthorizedError):
        JsonWebTokenVerifier(ISSUER, AUDIENCE, SECRET).verify(token, NOW)
