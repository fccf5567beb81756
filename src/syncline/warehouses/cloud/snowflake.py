"""Snowflake."""

from typing import TYPE_CHECKING, Any, Literal

from syncline.declarations import ServiceDeclaration, setting
from syncline.warehouses.cloud import fields
from syncline.warehouses.cloud.service import CloudService, Dialect

if TYPE_CHECKING:
    from dlt.common.destination import Destination
    from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials

_DOMAIN = ".snowflakecomputing.com"
_ADDRESS = ("host", "port", "connection_type")
LOGIN_TIMEOUT = 20
"""Seconds in which Snowflake must let a user in."""


class SnowflakeConfig(fields.Network):
    """How to reach a Snowflake database."""

    host: str | None = fields.host(f"my-account{_DOMAIN}", "The account's host name.")
    port: int = fields.port(443)
    database: str | None = setting(
        title="Database", description="The database to load into.", required=True, example="ANALYTICS"
    )
    auth: Literal["PASSWORD", "KEY_PAIR", "OAUTH"] = setting(
        title="Authentication", description="PASSWORD or KEY_PAIR. OAUTH is not available yet.", default="PASSWORD"
    )
    user: str | None = setting(
        title="User", description="A user that may create schemas.", required=True, example="SYNCLINE"
    )
    password: str | None = setting(
        title="Password",
        description="The user's password.",
        secret=True,
        addressed_by=_ADDRESS,
        required_when={"auth": "PASSWORD"},
    )
    private_key: str | None = setting(
        title="Private key",
        description="The user's private key, PEM.",
        secret=True,
        addressed_by=_ADDRESS,
        required_when={"auth": "KEY_PAIR"},
    )
    is_private_key_encrypted: bool = setting(
        title="Encrypted key", description="Whether the private key is encrypted with a passphrase.", default=False
    )
    passphrase: str | None = setting(
        title="Passphrase",
        description="The passphrase of the private key.",
        secret=True,
        stays="It opens the private key on this machine and is sent nowhere.",
        required_when={"is_private_key_encrypted": True},
    )
    role: str | None = setting(
        title="Role", description="The role to work in; the user's default role when absent.", example="LOADER"
    )
    default_virtual_warehouse: str | None = setting(
        title="Virtual warehouse",
        description="The virtual warehouse that runs the loads; the user's default one when absent.",
        example="LOADING",
    )
    application_id: str | None = fields.unused("Application id")
    directory_id: str | None = fields.unused("Directory id")
    use_customer_staging: bool | None = fields.unused("Own staging")
    external_storage_cloud_provider: str | None = fields.unused("Staging provider")
    external_stage_storage_provider: str | None = fields.unused("External stage provider")
    external_storage_integration: str | None = fields.unused("Storage integration")
    external_storage_parent_folder_uri: str | None = fields.unused("Storage folder")
    enable_external_storage_for_unstructured_files: bool | None = fields.unused("Storage for files")
    bucket: str | None = fields.unused("Staging bucket")
    bucket_region: str | None = fields.unused("Staging region")
    aws_bucket_auth_type: str | None = fields.unused("Staging authentication")
    aws_access_key_id: str | None = fields.unused("Staging access key")
    aws_secret_access_key: str | None = fields.unused("Staging secret key", secret=True)
    storage_account_name: str | None = fields.unused("Staging account")
    storage_account_key: str | None = fields.unused("Staging account key", secret=True)


def credentials(config: SnowflakeConfig) -> "SnowflakeCredentials":
    """dlt's credentials for a complete config."""
    from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials

    made = SnowflakeCredentials()
    made.host = fields.bare_host(config.host or "").removesuffix(_DOMAIN)
    made.database = config.database or ""
    made.username = config.user
    made.warehouse = config.default_virtual_warehouse
    made.role = config.role
    made.query = {"login_timeout": LOGIN_TIMEOUT, **({"port": config.port} if config.port != 443 else {})}
    if config.auth == "KEY_PAIR":
        made.private_key = config.private_key
        made.private_key_passphrase = config.passphrase if config.is_private_key_encrypted else None
    else:
        made.password = config.password
    made.application = "Syncline"
    made.resolve()
    return made


def _destination(config: SnowflakeConfig, staging: str) -> "Destination[Any, Any]":
    import dlt

    return dlt.destinations.snowflake(
        credentials=credentials(config), keep_staged_files=False, staging_dataset_name_layout=staging
    )


def _unavailable(config: SnowflakeConfig) -> str | None:
    if config.connection_type != "Directly":
        return f"connection_type {config.connection_type}"
    return "auth OAUTH" if config.auth == "OAUTH" else None


SNOWFLAKE = CloudService(
    declaration=ServiceDeclaration(
        service="snowflake",
        name="Snowflake",
        description="A database of a Snowflake account.",
        config=SnowflakeConfig,
    ),
    driver="snowflake.connector",
    extra="snowflake",
    destination=_destination,
    address=lambda config: (fields.bare_host(config.host), config.port),
    unavailable=_unavailable,
    dialect=Dialect(fold=str.upper, to_json="PARSE_JSON({text})"),
)
