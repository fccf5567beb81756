"""Azure SQL Database, and SQL Server alike."""

from typing import TYPE_CHECKING, Any

from syncline.declarations import ServiceDeclaration, setting
from syncline.warehouses.cloud import fields
from syncline.warehouses.cloud.service import CloudService, Dialect
from syncline.warehouses.limits import ColumnLimits

if TYPE_CHECKING:
    from dlt.common.destination import Destination
    from dlt.destinations.impl.mssql.configuration import MsSqlCredentials

ODBC_DRIVER = "ODBC Driver 18 for SQL Server"
CONNECT_TIMEOUT = 15
"""Seconds in which the server must answer."""


class AzureSqlConfig(fields.Tunnel):
    """How to reach an Azure SQL database."""

    host: str | None = fields.host("my-server.database.windows.net")
    port: int = fields.port(1433)
    database: str | None = setting(
        title="Database", description="The database to load into.", required=True, example="analytics"
    )
    user: str | None = setting(
        title="User", description="A user that may create schemas.", required=True, example="syncline"
    )
    password: str | None = setting(
        title="Password",
        description="The user's password.",
        secret=True,
        addressed_by=("host", "port", *fields.TUNNEL_ADDRESS, "always_encrypted"),
        required=True,
    )
    always_encrypted: bool = setting(
        title="Require TLS", description="Whether the connection must be encrypted.", default=True
    )


def credentials(config: AzureSqlConfig) -> "MsSqlCredentials":
    """dlt's credentials for a complete config."""
    from dlt.destinations.impl.mssql.configuration import MsSqlCredentials

    made = MsSqlCredentials()
    made.host = fields.bare_host(config.host or "")
    made.port = config.port
    made.database = config.database or ""
    made.username = config.user or ""
    made.password = config.password or ""
    made.connect_timeout = CONNECT_TIMEOUT
    made.driver = ODBC_DRIVER
    made.query = {"Encrypt": "yes" if config.always_encrypted else "optional", "TrustServerCertificate": "no"}
    made.resolve()
    return made


def _destination(config: AzureSqlConfig, staging: str) -> "Destination[Any, Any]":
    import dlt

    return dlt.destinations.mssql(credentials=credentials(config), staging_dataset_name_layout=staging)


AZURE_SQL_DATABASE = CloudService(
    declaration=ServiceDeclaration(
        service="azure_sql_database",
        name="Azure SQL Database",
        description="A database of Azure SQL or of SQL Server.",
        config=AzureSqlConfig,
    ),
    driver="pyodbc",
    extra="azure-sql",
    destination=_destination,
    address=lambda config: (fields.bare_host(config.host), config.port),
    unavailable=lambda config: (
        f"connection_type {config.connection_type}" if config.connection_type != "Directly" else None
    ),
    dialect=Dialect(
        to_text="CAST({column} AS NVARCHAR(MAX))",
        rename="EXEC sp_rename '{table}.{old}', '{new_name}', 'COLUMN'",
    ),
    # A row has at most 8,060 bytes, and a value that is stored beside it leaves 24 in it.
    columns=ColumnLimits(usual=300, most=1024),
    refusals="Cannot create a row of size|String or binary data would be truncated|arithmetic overflow",
)
