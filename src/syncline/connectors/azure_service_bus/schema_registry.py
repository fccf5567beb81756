"""The schema registry of a connection."""

from syncline.connectors.azure_service_bus.config import AzureServiceBusConfig
from syncline.connectors.schema_registry import ATTEMPTS, SchemaRegistry

REGISTRY_TYPES = ("Avro", "Protobuf")
"""The types of messages that name a schema."""
_LONGEST_REQUEST = 10.0


def schema_registry(
    config: AzureServiceBusConfig, *, timeout: float, attempts: int = ATTEMPTS
) -> SchemaRegistry | None:
    """A client of the registry; None where the messages need none. It connects when it is first asked.

    Args:
        config: The settings.
        timeout: Seconds that one request may take; ten are the most.
        attempts: How often the servers are asked before the registry counts as unavailable.
    """
    if config.message_type not in REGISTRY_TYPES:
        return None
    return SchemaRegistry(
        config.schema_registry_urls or [],
        config.schema_registry_key,
        config.schema_registry_secret,
        timeout=min(timeout, _LONGEST_REQUEST),
        attempts=attempts,
    )
