"""Schemas of messages, from a registry that speaks Confluent's REST API, or from Azure's."""

from syncline.connectors.schema_registry.client import ATTEMPTS, SchemaRegistry
from syncline.connectors.schema_registry.schemas import (
    AzureSchemaId,
    RegisteredSchema,
    SchemaGuid,
    SchemaId,
    SchemaIdentifier,
    UnknownSchema,
    UnusableSchema,
)

__all__ = [
    "ATTEMPTS",
    "AzureSchemaId",
    "RegisteredSchema",
    "SchemaGuid",
    "SchemaId",
    "SchemaIdentifier",
    "SchemaRegistry",
    "UnknownSchema",
    "UnusableSchema",
]
