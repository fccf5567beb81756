"""The registry that the formats with schemas need."""

from syncline.connectors.errors import SourceConfigurationError
from syncline.connectors.schema_registry import SchemaRegistry


def required(schemas: SchemaRegistry | None) -> SchemaRegistry:
    """The registry.

    Raises:
        SourceConfigurationError: None is configured.
    """
    if schemas is None:
        raise SourceConfigurationError(
            "These messages name schemas, but no schema registry is configured.",
            "Set config.schema_registry_urls, config.schema_registry_key and config.schema_registry_secret.",
        )
    return schemas
