"""Settings that several cloud warehouses share."""

from typing import Any, Literal

from syncline.declarations import Configuration, setting
from syncline.networking import is_host

ConnectionType = Literal["Directly", "PrivateLink", "SshTunnel", "ProxyAgent"]
TUNNEL_ADDRESS = ("connection_type", "tunnel_host", "tunnel_port")
"""The fields of :class:`Tunnel` that say where a secret is sent."""


def bare_host(value: str) -> str:
    """The host of a value that may have been copied from a browser."""
    return value.removeprefix("https://").rstrip("/")


def check_host(value: str) -> None:
    """A host name or an IP address. Drivers take other things for several hosts, or for more than a host."""
    if not is_host(bare_host(value)):
        raise ValueError("is not a host: send one name or IP address, such as warehouse.example.com, without a port")


class Network(Configuration):
    """How a server is reached."""

    connection_type: ConnectionType = setting(
        title="Connection type",
        description="How the server is reached. Only Directly is available yet.",
        default="Directly",
    )


class Tunnel(Network):
    """How a server is reached, perhaps through an SSH server."""

    tunnel_host: str | None = setting(
        title="SSH host",
        description="The name of the SSH server.",
        required_when={"connection_type": "SshTunnel"},
        example="ssh.example.com",
        check=check_host,
        host=str,
    )
    tunnel_port: int | None = setting(
        title="SSH port",
        description="The port of the SSH server.",
        required_when={"connection_type": "SshTunnel"},
        minimum=1,
        maximum=65535,
        as_text=True,
        example=22,
    )
    tunnel_user: str | None = setting(
        title="SSH user",
        description="The user on the SSH server.",
        required_when={"connection_type": "SshTunnel"},
        example="syncline",
    )


def host(example: str, description: str = "The server's name or address.", title: str = "Host") -> Any:
    """The setting for a server's name."""
    return setting(
        title=title, description=description, required=True, example=example, check=check_host, host=bare_host
    )


def port(default: int, description: str = "The server's port.", title: str = "Port") -> Any:
    """The setting for a server's port."""
    return setting(
        title=title,
        description=description,
        default=default,
        minimum=1,
        maximum=65535,
        as_text=True,
        example=default,
    )


def unused(title: str, *, secret: bool = False) -> Any:
    """A setting that clients of the hosted API send and that has no effect here."""
    description = "Taken for compatibility and stored; it has no effect here."
    stays = "It has no effect, so it is sent nowhere." if secret else ""
    return setting(title=title, description=description, secret=secret, stays=stays)


TO_GOOGLE = "It is used with Google's own servers alone, whatever else is set."
