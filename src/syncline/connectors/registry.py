"""Which connectors there are."""

from functools import cache

from syncline.connectors.azure_service_bus.connector import AzureServiceBusConnector
from syncline.connectors.base import Connector
from syncline.declarations import ServiceDeclaration


class UnknownService(LookupError):  # noqa: N818 - reads as what it says
    """No connector has this service identifier."""

    def __init__(self, service: str) -> None:
        self.service = service
        super().__init__(f"no connector is called {service!r}: there are {', '.join(sorted(_connectors()))}")


@cache
def _connectors() -> dict[str, Connector]:
    return {connector.declaration.service: connector for connector in (AzureServiceBusConnector(),)}


def connector_for(service: str) -> Connector:
    """The connector of a service.

    Raises:
        UnknownService: There is none.
    """
    connector = _connectors().get(service)
    if connector is None:
        raise UnknownService(service)
    return connector


def services() -> list[ServiceDeclaration]:
    """The declarations of all connectors."""
    return [connector.declaration for connector in _connectors().values()]
