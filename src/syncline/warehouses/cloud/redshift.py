"""Amazon Redshift."""

from typing import TYPE_CHECKING, Any, Literal

from syncline.declarations import ServiceDeclaration, setting
from syncline.warehouses.cloud import fields
from syncline.warehouses.cloud.service import CloudService, Dialect
from syncline.warehouses.limits import ColumnLimits

if TYPE_CHECKING:
    from dlt.common.destination import Destination
    from dlt.destinations.impl.redshift.configuration import RedshiftCredentials

CONNECT_TIMEOUT = 15
"""Seconds in which the cluster must answer."""


class RedshiftConfig(fields.Tunnel):
    """How to reach a Redshift database."""

    host: str | None = fields.host("cluster.abc.eu-west-1.redshift.amazonaws.com")
    port: int = fields.port(5439)
    database: str | None = setting(
        title="Database", description="The database to load into.", required=True, example="analytics"
    )
    auth_type: Literal["PASSWORD", "IAM"] = setting(
        title="Authentication", description="PASSWORD. IAM is not available yet.", default="PASSWORD"
    )
    user: str | None = setting(
        title="User", description="A user that may create schemas.", required=True, example="syncline"
    )
    password: str | None = setting(
        title="Password",
        description="The user's password.",
        secret=True,
        addressed_by=("host", "port", *fields.TUNNEL_ADDRESS, "always_encrypted"),
        required_when={"auth_type": "PASSWORD"},
    )
    always_encrypted: bool = setting(
        title="Require TLS",
        description="Whether the connection must be encrypted. Otherwise it is where the cluster offers it.",
        default=True,
    )
    cluster_id: str | None = fields.unused("Cluster id")
    cluster_region: str | None = fields.unused("Cluster region")
    role_arn: str | None = fields.unused("Role")
    external_id: str | None = fields.unused("External id")
    is_redshift_serverless: bool | None = fields.unused("Serverless")
    enable_super_type: bool | None = fields.unused("SUPER type")
    bucket: str | None = fields.unused("Staging bucket")
    bucket_region: str | None = fields.unused("Staging region")
    s3_bucket_auth_type: str | None = fields.unused("Staging authentication")
    aws_access_key_id: str | None = fields.unused("Staging access key")
    aws_secret_access_key: str | None = fields.unused("Staging secret key", secret=True)


def credentials(config: RedshiftConfig) -> "RedshiftCredentials":
    """dlt's credentials for a complete config."""
    from dlt.destinations.impl.redshift.configuration import RedshiftCredentials

    made = RedshiftCredentials()
    made.host = fields.bare_host(config.host or "")
    made.port = config.port
    made.database = config.database or ""
    made.username = config.user or ""
    made.password = config.password or ""
    made.connect_timeout = CONNECT_TIMEOUT
    made.query = {"sslmode": "require" if config.always_encrypted else "prefer"}
    made.resolve()
    return made


def _destination(config: RedshiftConfig, staging: str, address: str | None = None) -> "Destination[Any, Any]":
    import dlt

    made = credentials(config)
    if address is not None:
        made.query = {**(made.query or {}), "hostaddr": address}
    return dlt.destinations.redshift(credentials=made, staging_dataset_name_layout=staging)


def _unavailable(config: RedshiftConfig) -> str | None:
    if config.connection_type != "Directly":
        return f"connection_type {config.connection_type}"
    return "auth_type IAM" if config.auth_type == "IAM" else None


REDSHIFT = CloudService(
    declaration=ServiceDeclaration(
        service="redshift",
        name="Redshift",
        description="A database of an Amazon Redshift cluster or workgroup.",
        config=RedshiftConfig,
    ),
    driver="psycopg2",
    extra="redshift",
    destination=_destination,
    pinned=_destination,
    address=lambda config: (fields.bare_host(config.host), config.port),
    unavailable=_unavailable,
    dialect=Dialect(
        fold=str.lower,
        to_text="CAST({column} AS VARCHAR(MAX))",
        to_json="JSON_PARSE({text})",
    ),
    columns=ColumnLimits(usual=1000, most=1600),
    refusals="stl_load_errors|exceeds the max(?:imum)? size|String length exceeds|Invalid digit",
)
