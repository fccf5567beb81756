"""What kind of address an address is, and which address a text means however it is spelt.

Nothing here asks the network.
"""

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Finding:
    """Why an address is not one that just anybody may have the server connect to."""

    kind: str
    """What it is, as "a loopback address"."""
    is_private: bool
    """Whether it belongs to this machine or to its own network; otherwise no setting lets it through."""


# Nothing that a source or a destination could be answers at these.
_NEVER: tuple[tuple[str, str], ...] = (
    ("169.254.0.0/16", "a link-local address, where clouds answer with the machine's credentials"),
    ("fe80::/10", "a link-local address"),
    ("100.100.100.200/32", "the metadata service of Alibaba Cloud"),
    ("168.63.129.16/32", "the wire server of Azure"),
    ("192.0.0.192/32", "the metadata service of Oracle Cloud"),
    ("fd00:ec2::/32", "a metadata service of AWS"),
    ("fd20:ce::254/128", "the metadata service of Google Cloud"),
    ("fd00:c1::a9fe:a9fe/128", "the metadata service of Oracle Cloud"),
    ("fd00:42::42/128", "the metadata service of Scaleway"),
    ("0.0.0.0/8", "an address that means this machine, whichever it is"),
    ("::/128", "an address that means this machine, whichever it is"),
    ("224.0.0.0/4", "a multicast address"),
    ("ff00::/8", "a multicast address"),
    ("255.255.255.255/32", "the broadcast address"),
    ("240.0.0.0/4", "a reserved address"),
)
_PRIVATE: tuple[tuple[str, str], ...] = (
    ("127.0.0.0/8", "a loopback address"),
    ("::1/128", "a loopback address"),
    ("10.0.0.0/8", "a private address"),
    ("172.16.0.0/12", "a private address"),
    ("192.168.0.0/16", "a private address"),
    ("100.64.0.0/10", "an address of a carrier's or a cloud's own network"),
    ("fc00::/7", "a private address"),
    ("fec0::/10", "a private address"),
    ("198.18.0.0/15", "an address of a test network"),
    ("64:ff9b:1::/48", "a private address"),
)
_RANGES: tuple[tuple[Network, Finding], ...] = tuple(
    (ipaddress.ip_network(network), Finding(kind, is_private))
    for ranges, is_private in ((_NEVER, False), (_PRIVATE, True))
    for network, kind in ranges
)
_OTHER = Finding("an address that is not public", is_private=True)

_IN_LAST_BITS = tuple(
    ipaddress.IPv6Network(network)
    for network in ("::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
)
"""Networks whose addresses end with an IPv4 address: IPv4-mapped and IPv4-compatible (RFC 4291), IPv4-translated
(RFC 2765), and NAT64 (RFC 6052, RFC 8215)."""
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The third quarter of an address that ends with an IPv4 address (RFC 5214)."""
_LONE = (ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1"))

_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
_NUMBERS = re.compile(r"[0-9a-fx.]+", re.IGNORECASE)


def parse_address(text: str) -> Address:
    """An address as a resolver gives it. What only wraps an IPv4 address (``::ffff:127.0.0.1``) is that address.

    Raises:
        ValueError: It is none.
    """
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def literal_address(host: str) -> Address | None:
    """The address that a host means by itself, whatever resolvers say; None for a name.

    Understands all spellings that some client or resolver takes for an address: decimal, octal, hexadecimal and short
    forms of IPv4, brackets and zones of IPv6, a dot at the end, and digits and dots of other scripts.
    """
    text = unicodedata.normalize("NFKC", host).replace("。", ".").strip().strip("[]").rstrip(".")
    try:
        return parse_address(text)
    except ValueError:
        pass
    if not _NUMBERS.fullmatch(text):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text))
    except OSError:
        return None


def is_host(text: str) -> bool:
    """Whether a text is a host name, or an IP address as it is usually written."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return not re.fullmatch(r"[0-9.]+", text) and bool(_NAME.fullmatch(text))
    return True


def finding(address: Address) -> Finding | None:
    """What speaks against an address, or against an IPv4 address that it leads to; None for a public one."""
    found = [one for one in map(_of_itself, (address, *_embedded(address))) if one is not None]
    return min(found, key=lambda one: one.is_private, default=None)


def _of_itself(address: Address) -> Finding | None:
    for network, found in _RANGES:
        if address.version == network.version and address in network:
            return found
    return None if address.is_global else _OTHER


def _embedded(address: Address) -> Iterator[Address]:
    """The IPv4 addresses that packets to an IPv6 address may end at."""
    if isinstance(address, ipaddress.IPv4Address) or address in _LONE:
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    number = int(address)
    if any(address in network for network in _IN_LAST_BITS) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)
