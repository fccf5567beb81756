"""Databricks, through a SQL warehouse and Unity Catalog."""

from typing import TYPE_CHECKING, Any, Literal

from syncline.declarations import Configuration, ServiceDeclaration, setting
from syncline.warehouses.cloud import fields
from syncline.warehouses.cloud.service import CloudService, Dialect

if TYPE_CHECKING:
    from dlt.common.destination import Destination
    from dlt.destinations.impl.databricks.configuration import DatabricksCredentials

_ADDRESS = ("server_host_name", "port", "connection_type")


class DatabricksConfig(Configuration):
    """How to reach a catalog of Databricks."""

    server_host_name: str | None = fields.host("dbc-1234.cloud.databricks.com", title="Server host name")
    port: int = fields.port(443)
    http_path: str | None = setting(
        title="HTTP path", description="The SQL warehouse's HTTP path.", required=True, example="/sql/1.0/warehouses/ab"
    )
    catalog: str | None = setting(
        title="Catalog", description="The catalog to load into.", required=True, example="main"
    )
    auth_type: Literal["PERSONAL_ACCESS_TOKEN", "OAUTH2"] = setting(
        title="Authentication", description="With a token or as a service principal.", default="PERSONAL_ACCESS_TOKEN"
    )
    personal_access_token: str | None = setting(
        title="Personal access token",
        description="A token of a user that may create schemas.",
        secret=True,
        addressed_by=_ADDRESS,
        required_when={"auth_type": "PERSONAL_ACCESS_TOKEN"},
    )
    oauth2_client_id: str | None = setting(
        title="Client id", description="The service principal's client id.", required_when={"auth_type": "OAUTH2"}
    )
    oauth2_secret: str | None = setting(
        title="Client secret",
        description="The service principal's secret.",
        secret=True,
        addressed_by=_ADDRESS,
        required_when={"auth_type": "OAUTH2"},
    )
    connection_type: Literal["Directly", "PrivateLink"] = setting(
        title="Connection type",
        description="How the server is reached. Only Directly is available yet.",
        default="Directly",
    )
    create_external_tables: bool = setting(
        title="External tables",
        description="Whether tables are external. Not available yet.",
        default=False,
        as_text=True,
    )
    cloud_provider: str | None = fields.unused("Cloud")
    external_location: str | None = fields.unused("External location")
    create_external_volumes: bool | None = fields.unused("External volumes")
    external_volume_location: str | None = fields.unused("Volume location")
    external_storage_cloud_provider: str | None = fields.unused("Staging provider")
    disable_vacuum: bool | None = fields.unused("Vacuum")
    bucket: str | None = fields.unused("Staging bucket")
    bucket_region: str | None = fields.unused("Staging region")
    s3_bucket_auth_type: str | None = fields.unused("Staging authentication")
    azure_storage_account_auth_type: str | None = fields.unused("Staging account authentication")
    aws_access_key_id: str | None = fields.unused("Staging access key")
    aws_secret_access_key: str | None = fields.unused("Staging secret key", secret=True)
    storage_account_name: str | None = fields.unused("Staging account")
    storage_account_key: str | None = fields.unused("Staging account key", secret=True)


def credentials(config: DatabricksConfig) -> "DatabricksCredentials":
    """dlt's credentials for a complete config. They are not resolved: that would look for a notebook's."""
    from dlt.destinations.impl.databricks.configuration import DatabricksCredentials

    made = DatabricksCredentials()
    made.catalog = config.catalog or ""
    made.server_hostname = fields.bare_host(config.server_host_name or "")
    made.http_path = config.http_path
    if config.auth_type == "OAUTH2":
        made.client_id = config.oauth2_client_id
        made.client_secret = config.oauth2_secret
    else:
        made.access_token = config.personal_access_token
    made.user_agent_entry = "Syncline"
    if config.port != 443:
        made.connection_parameters = {"_port": config.port}
    return made


def _destination(config: DatabricksConfig, staging: str) -> "Destination[Any, Any]":
    import dlt

    return dlt.destinations.databricks(credentials=credentials(config), staging_dataset_name_layout=staging)


def _unavailable(config: DatabricksConfig) -> str | None:
    if config.connection_type != "Directly":
        return f"connection_type {config.connection_type}"
    return "create_external_tables true" if config.create_external_tables else None


DATABRICKS = CloudService(
    declaration=ServiceDeclaration(
        service="databricks",
        name="Databricks",
        description="A catalog of Databricks, through a SQL warehouse.",
        config=DatabricksConfig,
    ),
    driver="databricks.sql",
    extra="databricks",
    destination=_destination,
    repeats_answers=True,
    address=lambda config: (fields.bare_host(config.server_host_name), config.port),
    unavailable=_unavailable,
    dialect=Dialect(
        fold=str.lower,
        to_text="CAST({column} AS STRING)",
        before_change=(
            "ALTER TABLE {table} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name', "
            "'delta.minReaderVersion' = '2', 'delta.minWriterVersion' = '5')",
        ),
    ),
)
