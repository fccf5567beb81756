"""Hosts in a request: what can be said of them before anything is stored or connected to."""

from collections.abc import Collection

from syncline.declarations import Configuration, InvalidField
from syncline.networking.policy import HostPolicy, HostRefused


def refuse_hosts(policy: HostPolicy, config: Configuration, sent: Collection[str] | None = None) -> None:
    """Refuse addresses that the policy forbids. What a name leads to shows when it is connected to.

    Args:
        policy: Says which hosts may be connected to.
        config: What was sent, or what was stored with that laid over it.
        sent: The fields that were sent; all when None.

    Raises:
        InvalidField: One of them names such an address.
    """
    for name, field, host in config.hosts():
        if sent is not None and name not in sent:
            continue
        try:
            policy.check_literal(host)
        except HostRefused as error:
            raise InvalidField(field, f"names a host that {_lowered(error.message, host)} {error.remedy}") from None


def _lowered(message: str, host: str) -> str:
    return message.removeprefix(f"{host} ")
