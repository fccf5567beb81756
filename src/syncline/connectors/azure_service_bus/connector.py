"""The Azure Service Bus connector."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from syncline.connectors.azure_service_bus.config import DECLARATION, AzureServiceBusConfig
from syncline.connectors.azure_service_bus.setup_tests import run_setup_tests
from syncline.connectors.azure_service_bus.source import open_source
from syncline.connectors.base import Connector, SetupTestResult, Source, SourceContext
from syncline.declarations import Configuration

_MOST_SEQUENCE_NUMBER = 2**63 - 1


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
        """A position is the sequence number of the last message that was read, and perhaps when it was enqueued.

        Raises:
            ValueError: It is something else.
        """
        if unknown := sorted(position.keys() - {"sequence_number", "enqueued_time"}):
            raise ValueError(f"has the unknown field '{unknown[0]}': it has sequence_number and enqueued_time")
        number, enqueued = position.get("sequence_number"), position.get("enqueued_time")
        if type(number) is not int or not 0 <= number <= _MOST_SEQUENCE_NUMBER:
            raise ValueError("needs a `sequence_number`, the whole number of the last message that was read")
        if enqueued is not None and not _is_time(enqueued):
            raise ValueError(
                "has an `enqueued_time` that is no ISO 8601 time with a zone, such as 2024-12-01T15:43:29Z"
            )

    async def run_setup_tests(self, context: SourceContext) -> list[SetupTestResult]:
        """Test the setup step by step. Never raises."""
        return await run_setup_tests(context)

    def open_source(self, context: SourceContext) -> AbstractContextManager[Source]:
        """The namespace, ready to be read."""
        return open_source(context)


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
