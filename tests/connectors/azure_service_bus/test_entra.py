"""Microsoft Entra: tokens from a refresh token, renewed in time, and used against a namespace that verifies them."""

import ssl
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import trustme

from syncline.connectors.azure_service_bus.config import AzureServiceBusAuth
from syncline.connectors.azure_service_bus.entra import EntraCredential
from syncline.connectors.azure_service_bus.schema_registry import schema_registry
from syncline.connectors.base import SourceConfigurationError, SourceContext, SourceUnavailable
from syncline.connectors.registry import connector_for
from syncline.connectors.schema_registry import AzureSchemaId
from syncline.emulator.descriptions import SubscriptionDescription, TopicDescription
from syncline.emulator.emulator import EmulatorThread
from syncline.emulator.tokens import JsonWebTokenVerifier
from tests.connectors.azure_service_bus.conftest import SUBSCRIPTION, context_for, read_all
from tests.support.schema_registry import SchemaRegistryServer

AUTH = {"refresh_token": "refresh-1", "client_access": {"client_id": "app", "client_secret": "app-secret"}}
ISSUER, AUDIENCE, KEY = "https://issuer.example.com", "https://servicebus.azure.net", "k" * 32


class Issuer:
    """Stands for the application of msal: what it was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.scopes: list[str] = []
        self.settings: dict[str, Any] = {}
        self.answer: dict[str, Any] | Exception | None = None
        self.seconds = 3600

    def __call__(self, client_id: str, **settings: Any) -> "Issuer":
        self.settings = {"client_id": client_id, **settings}
        return self

    def acquire_token_by_refresh_token(self, refresh_token: str, scopes: list[str]) -> dict[str, Any]:
        self.asked.append(refresh_token)
        self.scopes = scopes
        if isinstance(self.answer, Exception):
            raise self.answer
        claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + self.seconds}
        token = jwt.encode(claims, KEY, algorithm="HS256")
        return self.answer or {
            "access_token": token,
            "expires_in": self.seconds,
            "refresh_token": f"refresh-{len(self.asked) + 1}",
        }


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Issuer:
    made = Issuer()
    monkeypatch.setattr("msal.ConfidentialClientApplication", made)
    return made


def credential() -> EntraCredential:
    auth = AzureServiceBusAuth.parse(AUTH, path="auth")
    return EntraCredential(auth, authority="https://login.example.com/tenant", timeout=5)


def test_a_token_is_asked_for_once_while_it_lasts(issuer: Issuer) -> None:
    made = credential()
    first = made.get_token("any")
    assert made.get_token("any") == first
    assert issuer.asked == ["refresh-1"]
    assert issuer.scopes == ["https://servicebus.azure.net/.default"]
    assert issuer.settings["client_id"] == "app"
    assert issuer.settings["authority"] == "https://login.example.com/tenant"


def test_a_token_that_ends_soon_is_renewed_with_the_newest_refresh_token(issuer: Issuer) -> None:
    issuer.seconds = 60
    made = credential()
    made.get_token("any")
    made.get_token("any")
    assert issuer.asked == ["refresh-1", "refresh-2"]


def test_azures_schema_registry_is_asked_with_a_token_of_its_own(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.answer = {"access_token": "the-token", "expires_in": 3600}
    monkeypatch.setattr("syncline.connectors.schema_registry.client._is_azure", lambda url: True)
    with SchemaRegistryServer(authorization="Bearer the-token") as server:
        server.azure["a" * 32] = '"long"'
        settings = {"auth_type": "AzureActiveDirectory", "namespace": "n", "message_type": "Avro"}
        context = context_for(None, auth=AUTH, **settings, schema_registry_urls=[server.url])
        registry = schema_registry(context, timeout=5)
        assert registry is not None
        assert registry.check() == ["AVRO"]
        assert registry.schema(AzureSchemaId("a" * 32)).text == '"long"'
        registry.close()
    assert issuer.scopes == ["https://eventhubs.azure.net/.default"]
    assert issuer.asked == ["refresh-1"]


def test_a_refusal_says_what_to_do(issuer: Issuer) -> None:
    issuer.answer = {"error": "invalid_grant", "error_description": "AADSTS70008: refresh-1 expired"}
    with pytest.raises(SourceConfigurationError, match="invalid_grant") as caught:
        credential().get_token("any")
    assert "Sign in again" in caught.value.remedy
    assert "refresh-1" not in str(caught.value)


def test_an_issuer_that_cannot_be_reached_is_told(issuer: Issuer) -> None:
    issuer.answer = OSError("refresh-1")
    with pytest.raises(SourceUnavailable, match=r"login\.example\.com") as caught:
        credential().get_token("any")
    assert "refresh-1" not in str(caught.value)


def test_credentials_must_be_complete() -> None:
    with pytest.raises(SourceConfigurationError, match="not complete"):
        EntraCredential(AzureServiceBusAuth(), authority="https://x", timeout=5)


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Iterator[SourceContext]:
    """A connection to a namespace over TLS that takes the issuer's tokens."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("contoso.servicebus.windows.net").configure_cert(tls)
    verifier = JsonWebTokenVerifier(ISSUER, AUDIENCE, KEY)
    with authority.cert_pem.tempfile() as path, EmulatorThread(tls=tls, json_web_tokens=verifier) as running:
        monkeypatch.setattr("certifi.where", lambda: path)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", path)
        running.call(lambda namespace: namespace.create_topic(TopicDescription("orders")))
        running.call(lambda namespace: namespace.create_subscription(SubscriptionDescription("orders", SUBSCRIPTION)))
        yield context_for(
            None,
            auth=AUTH,
            auth_type="AzureActiveDirectory",
            namespace="contoso",
            asb_ip=f"127.0.0.1:{running.tls_port}",
            has_manage_permissions=True,
            subscriber_name=SUBSCRIPTION,
        )


async def test_a_namespace_takes_the_tokens(issuer: Issuer, context: SourceContext) -> None:
    results = await connector_for("azure_service_bus").run_setup_tests(context)
    assert {result.status for result in results} == {"PASSED"}, results
    assert read_all(context) == []


async def test_a_refused_refresh_token_fails_the_credentials_test(issuer: Issuer, context: SourceContext) -> None:
    issuer.answer = {"error": "invalid_grant"}
    results = {result.title: result for result in await connector_for("azure_service_bus").run_setup_tests(context)}
    assert results["Namespace"].status == "PASSED"
    assert results["Credentials"].status == "FAILED"
    assert "invalid_grant" in results["Credentials"].message


def test_a_sync_with_a_refused_refresh_token_says_so(issuer: Issuer, context: SourceContext) -> None:
    issuer.answer = {"error": "invalid_grant"}
    with pytest.raises(SourceConfigurationError, match="invalid_grant"):
        read_all(context)
