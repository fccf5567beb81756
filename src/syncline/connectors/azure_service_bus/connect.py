"""Clients of the official SDK, built from a connection's settings."""

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.core.settings import settings as azure_settings
from azure.servicebus import ServiceBusClient, ServiceBusReceiver, ServiceBusSubQueue, TransportType
from azure.servicebus._base_handler import ServiceBusSASTokenCredential, ServiceBusSharedKeyCredential
from azure.servicebus._transport._pyamqp_transport import PyamqpTransport
from azure.servicebus.exceptions import ServiceBusError
from azure.servicebus.management import ServiceBusAdministrationClient

from syncline.connectors.azure_service_bus.config import AzureServiceBusAuth, AzureServiceBusConfig
from syncline.connectors.azure_service_bus.connection_string import ConnectionString
from syncline.connectors.azure_service_bus.entities import Entity
from syncline.connectors.azure_service_bus.entra import EntraCredential
from syncline.connectors.azure_service_bus.names import parse_endpoint
from syncline.connectors.azure_service_bus.tls import namespace_context
from syncline.connectors.base import SourceContext
from syncline.connectors.errors import SourceConfigurationError
from syncline.networking import HostPolicy, first_reachable
from syncline.networking.dialling import checked_adapter

AMQPS_PORT = 5671
AMQP_PORT = 5672
HTTPS_PORT = 443
EMULATOR_HTTP_PORT = 5300
"""Where Microsoft's emulator has its administration API, when its connection string names no port."""

_CONNECT_TIMEOUT = 10.0


def quieten_sdk() -> None:
    """Keep the SDK's own logs and traces off: what matters is raised, and told once by us."""
    for name in ("azure", "msal", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    azure_settings.tracing_enabled = False


class _SignatureCredential(ServiceBusSharedKeyCredential):
    """A ready-made shared access signature, where the administration client wants something that makes them."""

    def __init__(self, signature: str) -> None:
        super().__init__("", "")
        self._signature = signature

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self._signature, 0)


class _AdministrationTransport(RequestsTransport):  # type: ignore[misc]
    """Sends to where the namespace is dialled, and to an emulator over plain HTTP, where the SDK knows HTTPS alone."""

    def __init__(self, address: "Address", hosts: HostPolicy, **options: Any) -> None:
        super().__init__(**options)
        self._address = address
        self._hosts = hosts

    def open(self) -> None:
        is_new = self.session is None
        super().open()
        if is_new and self.session is not None:
            adapter = checked_adapter(self._hosts, self._address.host if self._address.is_detour else None)
            self.session.mount("https://", adapter)
            self.session.mount("http://", adapter)

    def send(self, request: Any, **options: Any) -> Any:
        address = self._address
        request.headers["Host"] = address.authority
        request.url = urlunsplit(
            urlsplit(request.url)._replace(
                scheme="https" if address.tls else "http",
                netloc=f"{_bracketed(address.dialled_host)}:{address.administration_port}",
            )
        )
        return super().send(request, **options)


class _AmqpTransport(PyamqpTransport):
    """Tells refused credentials from a failed connection. The SDK does not, once it is told an address to dial."""

    @staticmethod
    def create_servicebus_exception(logger: logging.Logger, exception: Exception, **_: Any) -> ServiceBusError:
        return PyamqpTransport.create_servicebus_exception(logger, exception)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a namespace answers."""

    host: str
    """What TLS expects its certificate to name, and tokens are made for."""
    dialled_host: str
    amqp_port: int
    administration_port: int
    tls: bool

    @property
    def is_detour(self) -> bool:
        """Whether it is dialled under another name than its own."""
        return self.dialled_host != self.host

    @property
    def authority(self) -> str:
        """Host and port by which the namespace knows itself: what HTTP asks for and tokens are made for."""
        port = self.administration_port
        return _bracketed(self.host) if self.is_detour or port == HTTPS_PORT else f"{_bracketed(self.host)}:{port}"

    def __str__(self) -> str:
        return f"{_bracketed(self.dialled_host)}:{self.amqp_port}"


class Namespace:
    """One connection's namespace: its address, and clients for it."""

    def __init__(self, context: SourceContext) -> None:
        """Raises SourceConfigurationError when what is needed to connect is missing."""
        if not isinstance(context.config, AzureServiceBusConfig):
            raise TypeError("the config of another connector")
        self.config = context.config
        self.timeout = context.request_timeout
        self._context = context
        self._string = self.config.parsed_connection_string
        self.address = _address(self.config, self._string)
        self._entra = self._entra_credential()
        quieten_sdk()

    @property
    def entity_path(self) -> str | None:
        """The one entity that the credentials are limited to."""
        return self._string.entity_path if self._string else None

    def client(self, *, timeout: float | None = None) -> ServiceBusClient:
        """A client for AMQP, not connected yet. It never retries by itself: our own retries say when it is enough.

        The address that it dials is found and checked here, so a client is for one connection and those that follow
        upon it at once.

        Raises:
            HostRefused: The namespace's host is not to be connected to.
            SourceConfigurationError: It has IPv6 addresses alone.
            OSError: It is not known, or none of its addresses takes a connection.
        """
        seconds = timeout or self.timeout
        options: dict[str, Any] = {
            "retry_total": 0,
            "try_timeout": seconds,
            "auth_timeout": seconds,
            "use_tls": self.address.tls,
            "transport_type": TransportType.Amqp,
            "custom_endpoint_address": f"sb://{self._dialled(min(seconds, _CONNECT_TIMEOUT))}:{self.address.amqp_port}",
        }
        if self.address.tls:
            options["ssl_context"] = namespace_context(self.address.host)
        host = _bracketed(self.address.host)
        if not self.address.tls:
            host = f"{host}:{self.address.amqp_port}"
        client = ServiceBusClient(host, cast(TokenCredential, self._amqp_credential()), **options)
        client._amqp_transport = _AmqpTransport
        return client

    def browser(self, client: ServiceBusClient, entity: Entity) -> ServiceBusReceiver:
        """A receiver to browse with."""
        receiver = self.receiver(client, entity)
        # The receiver grants one credit more than it prefetches as soon as it opens. The service answers a credit by
        # locking a message, which counts as a delivery: after enough syncs it would be dead-lettered. Browsing leaves
        # messages alone, so it must grant none, for which the SDK has no option.
        receiver._prefetch_count = -1
        # Nor has it one against the thread that listens on the connection beside us, and holds up closing it for up to
        # a second. A connection that idled away is opened again when it is needed.
        receiver._config.keep_alive = 0
        return receiver

    def receiver(self, client: ServiceBusClient, entity: Entity, **options: Any) -> ServiceBusReceiver:
        """A receiver of the SDK, not connected yet; it locks messages once it is told to receive."""
        if entity.is_dead_letter:
            options["sub_queue"] = ServiceBusSubQueue.DEAD_LETTER
        if entity.subscription is None:
            return client.get_queue_receiver(entity.name, **options)
        return client.get_subscription_receiver(entity.name, entity.subscription, **options)

    def administration(self, *, timeout: float | None = None) -> AbstractContextManager[ServiceBusAdministrationClient]:
        """A client for the administration API, not connected yet."""
        seconds = timeout or self.timeout
        transport = _AdministrationTransport(
            self.address, self._context.hosts, connection_timeout=min(seconds, _CONNECT_TIMEOUT), read_timeout=seconds
        )
        credential = cast(TokenCredential, self._administration_credential())
        return ServiceBusAdministrationClient(self.address.authority, credential, transport=transport, retry_total=1)

    def _dialled(self, seconds: float) -> str:
        """The address to dial for AMQP. The SDK takes the colons of IPv6 for those before a port."""
        host, port = self.address.dialled_host, self.address.amqp_port
        addresses = [address for address in self._context.hosts.addresses(host, port) if address.version == 4]
        if not addresses:
            raise SourceConfigurationError(
                f"{host} has IPv6 addresses alone, and messages can only be read over IPv4.",
                "Name a host that has an IPv4 address, in config.asb_ip if need be.",
            )
        return str(first_reachable(addresses, port, seconds))

    def scrub(self, text: str) -> str:
        """A text from outside (an error of the service or of the SDK) without any secret of ours."""
        parts = [self._string.key, self._string.signature] if self._string else []
        auth = self._context.auth
        if isinstance(auth, AzureServiceBusAuth):
            access = auth.client_access
            parts += [auth.refresh_token, access.client_secret if access else None]
        for secret in parts:
            if secret:
                text = text.replace(secret, "******")
        return text

    def _entra_credential(self) -> EntraCredential | None:
        if self.config.auth_type != "AzureActiveDirectory":
            return None
        auth = self._context.auth
        return EntraCredential(
            auth if isinstance(auth, AzureServiceBusAuth) else AzureServiceBusAuth(),
            authority=self._context.entra_authority,
            timeout=min(self.timeout, _CONNECT_TIMEOUT),
        )

    def _amqp_credential(self) -> object:
        if self._string is None:
            return self._entra
        if self._string.signature:
            expires_at = self._string.signature_expires_at
            return ServiceBusSASTokenCredential(
                self._string.signature, int(expires_at.timestamp()) if expires_at else 0
            )
        return ServiceBusSharedKeyCredential(self._string.key_name or "", self._string.key or "")

    def _administration_credential(self) -> object:
        if self._string is not None and self._string.signature:
            return _SignatureCredential(self._string.signature)
        return self._amqp_credential()


def _address(config: AzureServiceBusConfig, string: ConnectionString | None) -> Address:
    if config.auth_type == "ConnectionString" and string is None:
        raise SourceConfigurationError("There is no connection string.", "Give config.connection_string.")
    if not config.host:
        raise SourceConfigurationError("There is no namespace.", "Give config.namespace.")
    plain = string is not None and string.development_emulator
    host, port = config.host, string.port if string else None
    dialled_host, dialled_port = parse_endpoint(config.asb_ip) if config.asb_ip else (host, None)
    dialled_port = dialled_port or port
    default_administration = EMULATOR_HTTP_PORT if plain else HTTPS_PORT
    return Address(
        host=host,
        dialled_host=dialled_host,
        amqp_port=dialled_port or (AMQP_PORT if plain else AMQPS_PORT),
        administration_port=dialled_port or default_administration,
        tls=not plain,
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
