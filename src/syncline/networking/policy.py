"""Which hosts may be connected to.

A host is resolved once, all its addresses are looked at, and those are what the caller connects to: a name that leads
elsewhere a moment later gains nothing by it.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from syncline.networking.addresses import Address, Finding, Network, finding, literal_address, parse_address
from syncline.settings import Settings

Resolver = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host for a connection to a port, those to try first in front.

Raises socket.gaierror when the host is not known."""


class HostRefused(Exception):  # noqa: N818 - says it all without a suffix
    """This server does not connect to a host. `message` says why, `remedy` what to do about it."""

    def __init__(self, host: str, address: Address | None, reason: str, remedy: str) -> None:
        """
        Args:
            host: As it was named.
            address: The address of it that is refused; None when it was refused by its name.
            reason: Goes after "not connected to", as "it is a loopback address".
            remedy: What to do about it.
        """
        self.host = host
        self.address = address
        self.reason = reason
        self.message = f"{host} is not connected to: {reason}."
        self.remedy = remedy
        super().__init__(self.message, remedy)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that this machine's resolver gives."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that is empty or too long
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from error
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """Which hosts may be connected to. The default is that of the settings: everything but what is never allowed."""

    allowed: tuple[str | Network, ...] = ()
    """Names, names after ``*.``, and networks. When there are any, nothing else may be connected to."""
    allows_private: bool = True
    """Whether this machine and its private networks may be connected to without being listed in `allowed`."""
    resolver: Resolver = system_resolver

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The policy that the settings ask for."""
        return cls(tuple(map(_entry, settings.listed_hosts)), settings.private_hosts)

    def addresses(self, host: str, port: int) -> list[Address]:
        """The addresses to connect to, all of them checked, those to try first in front. Blocking.

        Raises:
            HostRefused: The policy forbids the host, or one of its addresses.
            socket.gaierror: The host is not known.
        """
        literal = literal_address(host)
        found = [literal] if literal is not None else [parse_address(text) for text in self.resolver(host, port)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        for address in found:
            self._check(host, address)
        return list(dict.fromkeys(found))

    async def addresses_async(self, host: str, port: int) -> list[Address]:
        """The same, without blocking the event loop."""
        if literal_address(host) is not None:  # needs no resolver
            return self.addresses(host, port)
        return await asyncio.to_thread(self.addresses, host, port)

    def connect(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """A TCP connection to the first of the host's addresses that takes one. `timeout` is for each, in seconds.

        Raises:
            HostRefused: The policy forbids the host.
            OSError: The host is not known, or none of its addresses takes a connection.
        """
        failure: OSError | None = None
        for address in self.addresses(host, port):
            try:
                return socket.create_connection((str(address), port), timeout)
            except OSError as error:
                failure = error
        raise failure or OSError("no address")

    def check_literal(self, host: str) -> None:
        """Look at a host that is an address itself, in whichever spelling. What a name leads to shows when it is
        connected to.

        Raises:
            HostRefused: It is an address that the policy forbids.
        """
        address = literal_address(host)
        if address is not None:
            self._check(host, address)

    def _check(self, host: str, address: Address) -> None:
        found = finding(address)
        if found is not None and not found.is_private:
            raise HostRefused(
                host,
                address,
                _reason(host, address, found),
                "Name another host: such addresses are never connected to.",
            )
        is_listed = any(_matches(entry, host, address) for entry in self.allowed)
        if self.allowed and not is_listed:
            raise HostRefused(
                host,
                address,
                f"{_address(host, address)} not among the hosts that this server may connect to",
                "Name one of those, or have the operator add it to SYNCLINE_ALLOWED_HOSTS.",
            )
        if found is not None and not is_listed and not self.allows_private:
            raise HostRefused(
                host,
                address,
                _reason(host, address, found),
                "Name a host with public addresses, or have the operator allow it: SYNCLINE_ALLOWED_HOSTS lists single "
                "hosts and networks, SYNCLINE_PRIVATE_HOSTS=true allows all private ones.",
            )


def first_reachable(addresses: Sequence[Address], port: int, timeout: float | None) -> Address:
    """The first of several addresses that takes a connection, for clients that dial only one. One alone is not tried.

    Raises:
        OSError: None takes one.
    """
    if len(addresses) == 1:
        return addresses[0]
    failure: OSError | None = None
    for address in addresses:
        try:
            socket.create_connection((str(address), port), timeout).close()
        except OSError as error:
            failure = error
        else:
            return address
    raise failure or OSError("no address")


def _reason(host: str, address: Address, found: Finding) -> str:
    return f"{_address(host, address)} {found.kind}"


def _address(host: str, address: Address) -> str:
    return "it is" if host == str(address) else f"it leads to {address}, which is"


def _entry(text: str) -> str | Network:
    with suppress(ValueError):
        return ipaddress.ip_network(text)
    return text.rstrip(".").casefold()


def _matches(entry: str | Network, host: str, address: Address) -> bool:
    if not isinstance(entry, str):
        return address.version == entry.version and address in entry
    name = host.rstrip(".").casefold()
    return name.endswith(entry[1:]) and name != entry[1:] if entry.startswith("*.") else name == entry
