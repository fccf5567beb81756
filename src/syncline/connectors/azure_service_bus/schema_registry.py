"""The schema registry of a connection."""

from syncline.connectors.azure_service_bus.config import AzureServiceBusAuth, AzureServiceBusConfig
from syncline.connectors.azure_service_bus.entra import EVENT_HUBS, EntraCredential
from syncline.connectors.base import SourceContext
from syncline.connectors.schema_registry import ATTEMPTS, SchemaRegistry

REGISTRY_TYPES = ("Avro", "Protobuf")
"""The types of messages that name a schema."""
_LONGEST_REQUEST = 10.0


def schema_registry(
    context: SourceContext, *, timeout: float, attempts: int = ATTEMPTS, patience: float | None = None
) -> SchemaRegistry | None:
    """A client of the registry; None where the messages need none. It connects when it is first asked.

    Azure Schema Registry takes no key: it is asked with a token of Microsoft Entra, where the connection has that.

    Args:
        context: The connection.
        timeout: Seconds that one request may take; ten are the most.
        attempts: How often the servers are asked before the registry counts as unavailable.
        patience: Seconds in which servers that are busy are asked again; without it `attempts` alone counts.
    """
    config = context.config
    if not isinstance(config, AzureServiceBusConfig) or config.message_type not in REGISTRY_TYPES:
        return None
    seconds = min(timeout, _LONGEST_REQUEST)
    entra = None
    if config.auth_type == "AzureActiveDirectory" and isinstance(context.auth, AzureServiceBusAuth):
        entra = EntraCredential(context.auth, authority=context.entra_authority, timeout=seconds, scope=EVENT_HUBS)
    return SchemaRegistry(
        config.schema_registry_urls or [],
        config.schema_registry_key,
        config.schema_registry_secret,
        azure_token=None if entra is None else lambda: entra.get_token().token,
        hosts=context.hosts,
        timeout=seconds,
        attempts=attempts,
        patience=patience,
    )
