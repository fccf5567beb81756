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


def _described(declaration: ServiceDeclaration, base_url: str) -> dict[str, Any]:
    return {
        "id": declaration.service,
        "name": declaration.name,
        "type": declaration.type,
        "description": declaration.description,
        "link_to_docs": f"{base_url}/docs#{declaration.service}",
        "supported_features": [FeatureResponse(id=name, notes=notes) for name, notes in declaration.features.items()],
    }
