"""dlt's DuckDB destination, with every table named in full.

dlt names a table by schema and name alone. DuckDB finds that ambiguous where a schema is called like the file (its
catalog): `warehouse.orders` in `warehouse.duckdb`.
"""

from typing import Any, ClassVar

import duckdb
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.schema import Schema
from dlt.destinations import duckdb as duckdb_destination
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration, DuckDbConnectionPool
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

from syncline.warehouses.sql import quoted

_OPEN_ELSEWHERE = ":external:"
"""dlt's own word for a connection that it did not open."""


def catalog_of(connection: duckdb.DuckDBPyConnection) -> str:
    """The name that DuckDB gave the open file."""
    ((name,),) = connection.execute("SELECT current_database()").fetchall()
    return str(name)


class OpenFile(duckdb_destination):
    """A DuckDB file that is open already; dlt neither opens nor closes it.

    dlt can be given the connection itself, but then asks DuckDB for its path dozens of times a load, which takes
    almost half of a small load's time.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, **settings: Any) -> None:
        super().__init__(credentials=_OPEN_ELSEWHERE, destination_name="duckdb", **settings)
        sql_client = type("OpenFileSqlClient", (_SqlClient,), {"catalog": catalog_of(connection)})
        members = {"connection": connection, "sql_client_of_file": sql_client}
        self._client_class = type("OpenFileClient", (_Client,), members)

    @property
    def client_class(self) -> type[DuckDbClient]:
        return self._client_class


class _SqlClient(DuckDbSqlClient):
    catalog: ClassVar[str]

    def catalog_name(self, quote: bool = True, casefold: bool = True) -> str:
        return quoted(self.catalog) if quote else self.catalog


class _Client(DuckDbClient):
    connection: ClassVar[duckdb.DuckDBPyConnection]
    sql_client_of_file: ClassVar[type[_SqlClient]]

    def __init__(
        self, schema: Schema, config: DuckDbClientConfiguration, capabilities: DestinationCapabilitiesContext
    ) -> None:
        credentials = config.credentials
        if credentials.external_conn() is None:
            credentials._external_conn = self.connection
            credentials.conn_pool = DuckDbConnectionPool(credentials)
        super().__init__(schema, config, capabilities)
        self.sql_client: DuckDbSqlClient = self.sql_client_of_file(
            self.sql_client.dataset_name, self.sql_client.staging_dataset_name, credentials, capabilities
        )
