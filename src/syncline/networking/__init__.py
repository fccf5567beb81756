"""Hosts that users name: which of them may be connected to, and how to connect to exactly what was checked.

Nothing else in the code resolves or dials a host that came in a request or stands in a configuration. Clients of HTTP
are in :mod:`syncline.networking.dialling`.
"""

from syncline.networking.addresses import Address, is_host, literal_address
from syncline.networking.failures import chain, own_words
from syncline.networking.policy import HostPolicy, HostRefused, Resolver, first_reachable, system_resolver
from syncline.networking.requests import refuse_hosts

__all__ = [
    "Address",
    "HostPolicy",
    "HostRefused",
    "Resolver",
    "chain",
    "first_reachable",
    "is_host",
    "literal_address",
    "own_words",
    "refuse_hosts",
    "system_resolver",
]
