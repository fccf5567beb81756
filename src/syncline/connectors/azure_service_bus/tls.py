"""TLS to a namespace."""

import ssl
from socket import socket
from typing import Any

import certifi

_HANDSHAKE_SECONDS = 15.0


class NamespaceContext(ssl.SSLContext):
    """Expects the certificate of one host, whatever address is dialled, and does not wait for it without a limit.

    The SDK would expect that of the address, and has no limit of its own for a server that keeps silent.
    """

    host: str

    def wrap_socket(self, sock: socket, **options: Any) -> ssl.SSLSocket:  # type: ignore[override]
        sock.settimeout(_HANDSHAKE_SECONDS)
        return super().wrap_socket(sock, **{**options, "server_hostname": self.host})


def namespace_context(host: str) -> NamespaceContext:
    """A context that verifies certificates for `host` against the usual authorities."""
    context = NamespaceContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(certifi.where())
    context.host = host
    return context
