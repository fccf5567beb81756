"""An emulator whose administration API is spoken to over HTTP, in the clear and over TLS."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from syncline.emulator.descriptions import AccessPolicy
from syncline.emulator.emulator import EmulatorThread
from syncline.emulator.tokens import JsonWebTokenVerifier
from syncline.emulator.topology import Topology

ROOT = AccessPolicy("RootManageSharedAccessKey", "SAS_KEY_VALUE")
READER = AccessPolicy("reader", "reader-key", frozenset({"Listen"}))


@dataclass(frozen=True)
class AdministrationServer:
    """A running emulator, and the file with the authority that signed its certificate."""

    emulator: EmulatorThread
    authority_file: Path

    @property
    def plain_port(self) -> int:
        return self.emulator.port

    @property
    def tls_port(self) -> int:
        return self.emulator.tls_port

    @property
    def plain_address(self) -> str:
        return f"http://127.0.0.1:{self.plain_port}"

    def connection_string(self, policy: AccessPolicy = ROOT) -> str:
        """For the administration clients, which speak HTTPS whatever else it says."""
        return self.emulator.connection_string(policy.key_name, tls=True)


def tls_context(authority_file: Path) -> ssl.SSLContext:
    """A server's context for 127.0.0.1 whose authority is written to the file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(authority_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@contextmanager
def serve_administration(
    folder: Path, json_web_tokens: JsonWebTokenVerifier | None = None
) -> Iterator[AdministrationServer]:
    """Serve an empty namespace with the policies ROOT and READER."""
    authority_file = folder / "authority.pem"
    topology = Topology(namespace_name="test-namespace", policies=[ROOT, READER])
    with EmulatorThread(topology, tls=tls_context(authority_file), json_web_tokens=json_web_tokens) as emulator:
        yield AdministrationServer(emulator, authority_file)
