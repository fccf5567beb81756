"""Response models of connector metadata."""

from typing import Any, Literal

from syncline.api.models import ResponseModel
from syncline.declarations.json_schema import json_schema
from syncline.declarations.service import Feature, ServiceDeclaration, ServiceType


class FeatureResponse(ResponseModel):
    """A feature that a source supports."""

    id: Feature
    notes: str


class ConnectorTypeResponse(ResponseModel):
    """A kind of source."""

    id: str
    name: str
    type: ServiceType
    description: str
    link_to_docs: str
    connector_class: Literal["standard"] = "standard"
    supported_features: list[FeatureResponse]
    service_status: Literal["general_availability"] = "general_availability"

    @classmethod
    def of(cls, declaration: ServiceDeclaration, base_url: str) -> "ConnectorTypeResponse":
        """Answer what a connector declares. The documentation is this server's own."""
        return cls(**_described(declaration, base_url))


class ConnectorConfigurationResponse(ConnectorTypeResponse):
    """A kind of source with its settings, described in JSON Schema."""

    config: dict[str, Any]
    auth: dict[str, Any] | None = None

    @classmethod
    def of(cls, declaration: ServiceDeclaration, base_url: str) -> "ConnectorConfigurationResponse":
        """Answer what a connector declares, fields of `config` and `auth` included."""
        auth = json_schema(declaration.auth) if declaration.auth is not None else None
        return cls(**_described(declaration, base_url), config=json_schema(declaration.config), auth=auth)


class SchemaMetadata(ResponseModel):
    """A schema that a connection loads into."""

    id: str
    name_in_source: str
    name_in_destination: str


class TableMetadata(SchemaMetadata):
    """A table that a connection has loaded; `parent_id` is that of its schema."""

    parent_id: str


class ColumnMetadata(SchemaMetadata):
    """A column of such a table; `parent_id` is that of its table."""

    parent_id: str
    type_in_source: str | None
    """The narrowest type that holds all values that were seen."""
    type_in_destination: str | None
    """The type that it was loaded with, by the name that all destinations share."""
    is_primary_key: bool
    is_foreign_key: Literal[False] = False


def _described(declaration: ServiceDeclaration, base_url: str) -> dict[str, Any]:
    return {
        "id": declaration.service,
        "name": declaration.name,
        "type": declaration.type,
        "description": declaration.description,
        "link_to_docs": f"{base_url}/docs#{declaration.service}",
        "supported_features": [FeatureResponse(id=name, notes=notes) for name, notes in declaration.features.items()],
    }
