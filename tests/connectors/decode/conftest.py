"""A schema registry for each test."""

from collections.abc import Iterator

import pytest

from syncline.connectors.schema_registry import SchemaRegistry
from tests.support.schema_registry import KEY, SECRET, SchemaRegistryServer


@pytest.fixture
def server() -> Iterator[SchemaRegistryServer]:
    with SchemaRegistryServer() as running:
        yield running


@pytest.fixture
def registry(server: SchemaRegistryServer) -> Iterator[SchemaRegistry]:
    client = SchemaRegistry([server.url], KEY, SECRET, timeout=5, first_pause=0.01)
    yield client
    client.close()
