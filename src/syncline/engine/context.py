"""From a stored connection to what its connector needs to know."""

from pathlib import Path
from typing import Any

from syncline.connectors.base import SourceContext
from syncline.connectors.registry import connector_for
from syncline.home import Home
from syncline.networking import HostPolicy
from syncline.settings import Settings
from syncline.store.database import store_file
from syncline.store.models import Connection
from syncline.store.sealing import Sealer
from syncline.warehouses.naming import Naming


def source_context(connection: Connection, sealer: Sealer, settings: Settings) -> SourceContext:
    """The connection's config and auth with their secrets opened and their defaults filled in.

    Raises:
        SealingError: The secrets cannot be opened with the present keys.
    """
    connector = connector_for(connection.service)
    declaration = connector.declaration
    secrets = open_secrets(sealer, connection.sealed_secrets)
    config = declaration.config.restore(connection.config, secrets.get("config", {}))
    auth = declaration.auth.restore({}, secrets.get("auth", {})) if declaration.auth is not None else None
    return SourceContext(
        connection_id=connection.id,
        schema=connection.schema,
        config=connector.default(config, connection.schema),
        auth=auth,
        setup_test_timeout=settings.setup_test_timeout,
        setup_tests_timeout=settings.setup_tests_timeout,
        hosts=HostPolicy.of(settings),
    )


def naming_of(connection: Connection) -> Naming:
    """How the names of the connection's tables and columns are made."""
    return Naming(connection.destination_schema_names or Naming.FIVETRAN_NAMING)


def open_secrets(sealer: Sealer, token: str | None) -> dict[str, Any]:
    """What a `sealed_secrets` column holds; nothing when it is empty.

    Raises:
        SealingError: The token cannot be opened with the present keys.
    """
    return dict(sealer.open(token)) if token is not None else {}


def home_of(settings: Settings) -> Home:
    """Where this installation keeps its files."""
    return Home(settings.home, store_file(settings.store_url))


def working_directory(home: Path, connection_id: str) -> Path:
    """The folder that a connection's syncs work in. Nothing in it outlives a sync; a killed one leaves it behind."""
    return home / "work" / connection_id
