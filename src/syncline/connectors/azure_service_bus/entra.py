"""Tokens of Microsoft Entra, from the refresh token and the application that a connection was given."""

import threading
import time
from typing import Any

import msal
from azure.core.credentials import AccessToken

from syncline.connectors.azure_service_bus.config import AzureServiceBusAuth
from syncline.connectors.errors import SourceConfigurationError, SourceUnavailable

SERVICE_BUS = "https://servicebus.azure.net/.default"
EVENT_HUBS = "https://eventhubs.azure.net/.default"
"""What a token is for. Azure Schema Registry is a part of Event Hubs."""
_RENEW_BEFORE = 300.0
"""Seconds before a token ends at which a new one is asked for."""


class EntraCredential:
    """A credential of the Azure SDK: gives access tokens, and renews them with the refresh token.

    An issuer may answer with a newer refresh token; it is used from then on, as long as this credential lives.
    """

    def __init__(self, auth: AzureServiceBusAuth, *, authority: str, timeout: float, scope: str = SERVICE_BUS) -> None:
        access = auth.client_access
        if access is None or not access.client_id or not access.client_secret or not auth.refresh_token:
            raise SourceConfigurationError(
                "The credentials for Microsoft Entra are not complete.",
                "Give auth.refresh_token, auth.client_access.client_id and auth.client_access.client_secret.",
            )
        self._client_id = access.client_id
        self._client_secret = access.client_secret
        self._refresh_token = auth.refresh_token
        self._authority = authority
        self._timeout = timeout
        self._scope = scope
        self._lock = threading.Lock()
        self._application: msal.ConfidentialClientApplication | None = None
        self._token: AccessToken | None = None

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token that is good for minutes at least. The scopes that the SDK asks for are those that this
        credential was made for, so they are not looked at.

        Raises:
            SourceConfigurationError: The issuer refused.
            SourceUnavailable: The issuer cannot be reached.
        """
        with self._lock:
            if self._token is None or self._token.expires_on - time.time() < _RENEW_BEFORE:
                self._token = self._renewed()
            return self._token

    def _renewed(self) -> AccessToken:
        try:
            if self._application is None:
                self._application = msal.ConfidentialClientApplication(
                    self._client_id,
                    client_credential=self._client_secret,
                    authority=self._authority,
                    timeout=self._timeout,
                    instance_discovery=False,
                )
            answer = self._application.acquire_token_by_refresh_token(self._refresh_token, scopes=[self._scope])
        except Exception as error:  # msal lets whatever its HTTP client and its parser raise through
            raise SourceUnavailable(
                f"The issuer of tokens, {self._authority}, could not be asked ({type(error).__name__}).",
                "Check that this machine reaches it.",
            ) from error
        if "access_token" not in answer:
            reason = str(answer.get("error", "no reason given"))
            raise SourceConfigurationError(
                f"Microsoft Entra refused the refresh token or the application ({reason}).",
                "Sign in again for a new refresh token, and check the client ID and the client secret.",
            )
        self._refresh_token = answer.get("refresh_token", self._refresh_token)
        return AccessToken(answer["access_token"], int(time.time()) + int(answer.get("expires_in", 3600)))
