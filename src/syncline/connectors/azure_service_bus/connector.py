"""The Azure Service Bus connector."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from syncline.connectors.azure_service_bus.config import DECLARATION, AzureServiceBusConfig
from syncline.connectors.azure_service_bus.position import Position
from syncline.connectors.azure_service_bus.setup_tests import run_setup_tests
from syncline.connectors.azure_service_bus.source import open_source
from syncline.connectors.base import Connector, SetupTestResult, Source, SourceContext
from syncline.declarations import Configuration


class AzureServiceBusConnector(Connector):
    """Reads the topics of a namespace through a subscription of each."""

    declaration = DECLARATION

    def default(self, config: Configuration, schema: str) -> Configuration:
        """The config with the subscription's name filled in, where it may be left out.

        Raises:
            InvalidField: The default name is too long for Service Bus.
        """
        return config.with_defaults(schema) if isinstance(config, AzureServiceBusConfig) else config

    def check_position(self, position: Mapping[str, Any]) -> None:
        """Look at a position that somebody wrote by hand.

        Raises:
            ValueError: It is not one of this connector.
        """
        Position.check(position)

    async def run_setup_tests(self, context: SourceContext) -> list[SetupTestResult]:
        """Test the setup step by step. Never raises."""
        return await run_setup_tests(context)

    def open_source(self, context: SourceContext) -> AbstractContextManager[Source]:
        """The namespace, ready to be read."""
        return open_source(context)
