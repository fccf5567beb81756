"""dlt's DuckDB destination, with every table named in full.

dlt names a table by schema and name alone. DuckDB finds that ambiguous where a schema is called like the file (its
catalog): `warehouse.orders` in `warehouse.duckdb`.
"""

from typing import Any

import duckdb
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.schema import Schema
from dlt.destinations import duckdb as duckdb_destination
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

from syncline.warehouses.sql import quoted


def catalog_of(connection: duckdb.DuckDBPyConnection) -> str:
    """The name that DuckDB gave the open file."""
    ((name,),) = connection.execute("SELECT current_database()").fetchall()
    return str(name)


class _SqlClient(DuckDbSqlClient):
    def catalog_name(self, quote: bool = True, casefold: bool = True) -> str | None:
        connection = self.credentials.external_conn()
        if connection is None:
            return None
        name = catalog_of(connection)
        return quoted(name) if quote else name


class _Client(DuckDbClient):
    def __init__(
        self, schema: Schema, config: DuckDbClientConfiguration, capabilities: DestinationCapabilitiesContext
    ) -> None:
        super().__init__(schema, config, capabilities)
        self.sql_client: DuckDbSqlClient = _SqlClient(
            self.sql_client.dataset_name, self.sql_client.staging_dataset_name, config.credentials, capabilities
        )


class OpenFile(duckdb_destination):
    """A DuckDB file that is open already; dlt neither opens nor closes it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, **settings: Any) -> None:
        super().__init__(credentials=connection, destination_name="duckdb", **settings)

    @property
    def client_class(self) -> type[DuckDbClient]:
        return _Client
