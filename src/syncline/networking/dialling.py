"""HTTP clients that connect only where the policy allows it, while TLS goes on expecting the host's own name."""

import ssl
from collections.abc import Iterable
from socket import gaierror, socket
from typing import Any

import httpcore
import httpx
from requests import Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import Timeout

from syncline.networking.policy import HostPolicy

_KEPT_SECONDS = 5.0
"""How long an idle connection is kept: httpx's own default."""


class CheckedBackend(httpcore.SyncBackend):
    """Makes the connections of an httpx client."""

    def __init__(self, policy: HostPolicy) -> None:
        self._policy = policy

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first of the host's addresses that takes one.

        Raises:
            HostRefused: The policy forbids the host.
        """
        try:
            addresses = self._policy.addresses(host, port)
        except gaierror as error:
            raise httpcore.ConnectError(f"{error.strerror or 'the name is not known'}") from error
        failure: Exception | None = None
        for address in addresses:
            try:
                return super().connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise httpcore.ConnectError("sockets of this machine are not connected to")


def checked_transport(policy: HostPolicy, context: ssl.SSLContext) -> httpx.HTTPTransport:
    """The transport of an httpx client. It knows no proxy.

    Args:
        policy: Says which hosts may be connected to.
        context: How certificates are verified, against the names in URLs.
    """
    transport = httpx.HTTPTransport(verify=context, trust_env=False)
    # httpx has no option for what httpcore has one for.
    transport._pool = httpcore.ConnectionPool(
        ssl_context=context, keepalive_expiry=_KEPT_SECONDS, network_backend=CheckedBackend(policy)
    )
    return transport


def checked_adapter(policy: HostPolicy, name: str | None = None) -> HTTPAdapter:
    """The adapter of a requests session. It uses no proxy.

    Args:
        policy: Says which hosts may be connected to.
        name: The name that certificates have to be for, where that is not the host's of the URL.
    """

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket:
            return _connected(self, policy)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket:
            return _connected(self, policy)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *positional: Any, **named: Any) -> None:
            if name is not None:
                named |= {"server_hostname": name, "assert_hostname": name}
            super().init_poolmanager(*positional, **named)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

        def send(self, *positional: Any, **named: Any) -> Response:
            """Straight to the host: a proxy from the environment would resolve it by itself."""
            return super().send(*positional, **{**named, "proxies": None})

    return Adapter()


def _connected(connection: HTTPConnection, policy: HostPolicy) -> socket:
    """What ``HTTPConnection._new_conn`` makes, with the errors that urllib3 expects of it."""
    timeout = Timeout.resolve_default_timeout(connection.timeout)
    try:
        made = policy.connect(connection._dns_host, connection.port, timeout)
    except gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"no connection within {timeout} seconds") from error
    except OSError as error:
        raise NewConnectionError(connection, error.strerror or str(error)) from error
    for option in connection.socket_options or ():
        made.setsockopt(*option)
    return made
