"""What Service Bus allows as names and addresses. Each check raises ValueError saying what to do."""

import ipaddress
import re
from urllib.parse import urlsplit

from syncline.networking import is_host

LONGEST_SUBSCRIPTION = 50
LONGEST_TOPIC = 260

_ENTITY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9_])?")
_SUBSCRIPTION = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@\\-]*\$?")
OUR_PREFIX = "_syncline_"
"""What schemas and tables begin with that are made and dropped while loading."""
LONGEST_SCHEMA = 63
"""PostgreSQL's limit for names, the least among the destinations."""


def check_topic(name: str) -> None:
    """A topic's name: letters, digits, ``.``, ``-``, ``_`` and ``/``, at most 260 characters."""
    _check_entity(name, "topic")


def check_queue(name: str) -> None:
    """A queue's name: the same as a topic's."""
    _check_entity(name, "queue")


def _check_entity(name: str, kind: str) -> None:
    if "," in name:
        raise ValueError(f"holds a comma: give each {kind} as an item of its own in the list")
    if len(name) > LONGEST_TOPIC:
        raise ValueError(f"is {len(name)} characters long: a {kind}'s name has at most {LONGEST_TOPIC}")
    if not _ENTITY.fullmatch(name):
        raise ValueError(
            f"is not a {kind}'s name: it may hold letters, digits, '.', '-', '_' and '/', and starts and ends "
            "with a letter or a digit"
        )


def check_subscription(name: str) -> None:
    """A subscription's name: letters, digits, ``.``, ``-`` and ``_``, at most 50 characters."""
    if len(name) > LONGEST_SUBSCRIPTION:
        raise ValueError(f"is {len(name)} characters long: a subscription's name has at most {LONGEST_SUBSCRIPTION}")
    if not _SUBSCRIPTION.fullmatch(name):
        raise ValueError(
            "is not a subscription's name: it may hold letters, digits, '.', '-' and '_', and does not start or end "
            "with '.' or '-'"
        )


def check_schema(name: str) -> None:
    """A destination schema's name: letters, digits and ``_``, not starting with a digit, at most 63 characters."""
    if len(name) > LONGEST_SCHEMA:
        raise ValueError(f"is {len(name)} characters long: a schema's name has at most {LONGEST_SCHEMA}")
    if not _SCHEMA.fullmatch(name):
        raise ValueError("is not a schema's name: it may hold letters, digits and '_', and does not start with a digit")
    if name.casefold().startswith(OUR_PREFIX):
        raise ValueError(f"begins with {OUR_PREFIX}, like what Syncline makes for itself in destinations: use another")


def check_namespace(name: str) -> None:
    """A namespace: its short name, or its host name."""
    if "//" in name or "/" in name or ":" in name:
        raise ValueError("is not a namespace: give its name or host name alone, such as my-namespace")
    _check_host(name, "a namespace: give its name or host name, such as my-namespace.servicebus.windows.net")


def check_host(host: str) -> None:
    """An IP address or a host name."""
    _check_host(host, "an IP address or a host name, such as 203.0.113.7 or bastion.example.com")


def check_user(name: str) -> None:
    """The name of a user of an SSH host."""
    if len(name) > 64 or not _USER.fullmatch(name):
        raise ValueError("is not a user's name: it may hold letters, digits, '.', '-', '_' and '@', at most 64")


def check_endpoint(address: str) -> None:
    """The address of a namespace: an IP address, a host name or a URL, each with or without a port."""
    parse_endpoint(address)


def parse_endpoint(address: str) -> tuple[str, int | None]:
    """Host and port of an address that :func:`check_endpoint` allows.

    Raises:
        ValueError: It is none.
    """
    advice = (
        "is not an IP address or a URL of a namespace, such as 203.0.113.7 or sb://my-namespace.servicebus.windows.net"
    )
    try:
        return str(ipaddress.IPv6Address(address)), None
    except ValueError:
        pass
    try:
        parsed = urlsplit(address if "//" in address else f"sb://{address}")
        host, port = parsed.hostname, parsed.port
    except ValueError:
        raise ValueError(advice) from None
    allowed = parsed.scheme.lower() in ("sb", "amqps", "https") and parsed.path in ("", "/")
    if not allowed or not host or parsed.username or parsed.query or parsed.fragment:
        raise ValueError(advice)
    _check_host(host, advice.removeprefix("is not "))
    return host, port


def check_registry(address: str) -> None:
    """A schema registry: ``server:port``, or an ``http`` or ``https`` URL."""
    advice = "is not a schema registry: it has the form server:port or is a URL, such as https://registry.example.com"
    try:
        parsed = urlsplit(address if "//" in address else f"https://{address}")
        host, port = parsed.hostname, parsed.port
    except ValueError:
        raise ValueError(advice) from None
    if parsed.scheme.lower() not in ("http", "https") or not host or parsed.username or parsed.query:
        raise ValueError(advice)
    if "//" not in address and (port is None or parsed.path):
        raise ValueError(advice)
    _check_host(host, advice.removeprefix("is not "))


def registry_host(address: str) -> str | None:
    """The host of an address that :func:`check_registry` allows."""
    return urlsplit(address if "//" in address else f"https://{address}").hostname


def _check_host(host: str, wanted: str) -> None:
    if not is_host(host):
        raise ValueError(f"is not {wanted}")
