"""ClickHouse."""

from typing import TYPE_CHECKING, Any

from syncline.declarations import Configuration, ServiceDeclaration, setting
from syncline.warehouses.cloud import fields
from syncline.warehouses.cloud.service import CloudService, Dialect

if TYPE_CHECKING:
    from dlt.common.destination import Destination
    from dlt.destinations.impl.clickhouse.configuration import ClickHouseCredentials

CONNECT_TIMEOUT = 15
"""Seconds in which the server must answer."""


class ClickHouseConfig(Configuration):
    """How to reach a ClickHouse server."""

    host: str | None = fields.host("abc.eu-west-1.aws.clickhouse.cloud")
    port: int = fields.port(9440, "The server's native port.")
    http_port: int = fields.port(8443, "The server's HTTP port.", "HTTP port")
    database: str = setting(
        title="Database",
        description="The database to load into. A connection's tables are named `<schema>___<table>` in it.",
        default="default",
        example="analytics",
    )
    user: str | None = setting(
        title="User", description="A user that may create tables.", required=True, example="syncline"
    )
    password: str | None = setting(
        title="Password",
        description="The user's password.",
        secret=True,
        addressed_by=("host", "port", "http_port", "always_encrypted"),
        required=True,
    )
    always_encrypted: bool = setting(
        title="Require TLS", description="Whether the connection must be encrypted.", default=True
    )


def credentials(config: ClickHouseConfig) -> "ClickHouseCredentials":
    """dlt's credentials for a complete config."""
    from dlt.destinations.impl.clickhouse.configuration import ClickHouseCredentials

    made = ClickHouseCredentials()
    made.host = fields.bare_host(config.host or "")
    made.port = config.port
    made.http_port = config.http_port
    made.database = config.database
    made.username = config.user or ""
    made.password = config.password or ""
    made.secure = 1 if config.always_encrypted else 0
    made.connect_timeout = CONNECT_TIMEOUT
    made.session_timezone = "UTC"
    made.resolve()
    return made


def _destination(config: ClickHouseConfig, staging: str) -> "Destination[Any, Any]":
    import dlt

    return dlt.destinations.clickhouse(credentials=credentials(config), staging_dataset_name_layout=staging)


CLICKHOUSE = CloudService(
    declaration=ServiceDeclaration(
        service="clickhouse",
        name="ClickHouse",
        description="A database of a ClickHouse server or of ClickHouse Cloud.",
        config=ClickHouseConfig,
    ),
    driver="clickhouse_connect",
    extra="clickhouse",
    destination=_destination,
    repeats_answers=True,
    address=lambda config: (fields.bare_host(config.host), config.port),
    unavailable=lambda config: None,
    dialect=Dialect(
        to_text="toString({column})",
        copy="ALTER TABLE {table} UPDATE {new} = {value} WHERE 1 = 1 SETTINGS mutations_sync = 2",
    ),
    refusals=r"\b(CANNOT_PARSE_\w+|INCORRECT_DATA|TOO_LARGE_STRING_SIZE|\w*OUT_OF_(BOUND|RANGE\w*)|DECIMAL_OVERFLOW)\b",
)
