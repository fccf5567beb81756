"""dlt's PostgreSQL destination, with a URL that PostgreSQL's own client reads as it is meant.

dlt writes a space as a plus sign or not escaped at all, and the client takes a plus sign literally. Passwords, user
names and session options may hold any character.
"""

from typing import Any
from urllib.parse import quote

from dlt.common.configuration import configspec
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.schema import Schema
from dlt.destinations import postgres as postgres_destination
from dlt.destinations.impl.postgres.configuration import PostgresClientConfiguration, PostgresCredentials
from dlt.destinations.impl.postgres.postgres import PostgresClient


class Database(postgres_destination):
    """A PostgreSQL database.

    Args:
        credentials: `host`, `port`, `database`, `username`, `password`, and in `query` the client's other parameters.
        settings: More settings of dlt's destination.
    """

    def __init__(self, credentials: dict[str, Any], **settings: Any) -> None:
        super().__init__(credentials=credentials, destination_name="postgres", create_indexes=False, **settings)

    @property
    def client_class(self) -> type[PostgresClient]:
        return _Client


@configspec(init=False)
class _Credentials(PostgresCredentials):
    def to_native_representation(self) -> str:
        parameters: dict[str, Any] = {**(self.query or {}), "connect_timeout": self.connect_timeout}
        query = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in parameters.items())
        access = f"{_escaped(self.username)}:{_escaped(self.password)}"
        return f"postgresql://{access}@{_escaped(self.host)}:{self.port}/{_escaped(self.database)}?{query}"


class _Client(PostgresClient):
    def __init__(
        self, schema: Schema, config: PostgresClientConfiguration, capabilities: DestinationCapabilitiesContext
    ) -> None:
        credentials = _Credentials()
        credentials.update(dict(config.credentials))
        config.credentials = credentials
        super().__init__(schema, config, capabilities)


def _escaped(value: object) -> str:
    return quote(str(value), safe="")
