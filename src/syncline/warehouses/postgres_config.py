"""What the PostgreSQL warehouse declares."""

from typing import Literal

from syncline.declarations import Configuration, ServiceDeclaration, setting
from syncline.warehouses.cloud import fields

ConnectionType = Literal["Directly", "PrivateLink", "SshTunnel", "ProxyAgent"]
AuthMethod = Literal["PASSWORD", "ENTRA_ID", "CLIENT_CERTIFICATE", "AWS_IAM"]


class PostgresConfig(Configuration):
    """How to reach a PostgreSQL database."""

    host: str | None = fields.host("warehouse.example.com")
    port: int = fields.port(5432)
    database: str | None = setting(
        title="Database", description="The database to load into.", required=True, example="analytics"
    )
    user: str | None = setting(
        title="User",
        description="A user that may create schemas in the database.",
        required=True,
        example="syncline",
    )
    password: str | None = setting(
        title="Password",
        description="The user's password.",
        secret=True,
        addressed_by=("host", "port", *fields.TUNNEL_ADDRESS, "always_encrypted"),
        required=True,
    )
    always_encrypted: bool = setting(
        title="Require TLS",
        description="Whether the connection must be encrypted. Otherwise it is where the server offers it.",
        default=False,
    )
    connection_type: ConnectionType = setting(
        title="Connection type",
        description="How the server is reached. Only Directly is available yet.",
        default="Directly",
    )
    auth_method: AuthMethod = setting(
        title="Authentication method",
        description="How the user proves who it is. Only PASSWORD is available yet.",
        default="PASSWORD",
    )
    tunnel_host: str | None = setting(
        title="SSH host",
        description="The name of the SSH server.",
        required_when={"connection_type": "SshTunnel"},
        example="ssh.example.com",
        check=fields.check_host,
        host=str,
    )
    tunnel_port: int | None = setting(
        title="SSH port",
        description="The port of the SSH server.",
        required_when={"connection_type": "SshTunnel"},
        minimum=1,
        maximum=65535,
        as_text=True,
        example=22,
    )
    tunnel_user: str | None = setting(
        title="SSH user",
        description="The user on the SSH server.",
        required_when={"connection_type": "SshTunnel"},
        example="syncline",
    )
    aws_region_code: str | None = fields.unused("AWS region")
    role_arn: str | None = fields.unused("AWS role")
    external_id: str | None = fields.unused("AWS external id")


DECLARATION = ServiceDeclaration(
    service="postgres_warehouse",
    name="PostgreSQL",
    description="A database of a PostgreSQL server.",
    config=PostgresConfig,
)


def unavailable(config: PostgresConfig) -> str | None:
    """The field whose value is understood but cannot be served yet, as `field value`; None when there is none."""
    if config.connection_type != "Directly":
        return f"connection_type {config.connection_type}"
    if config.auth_method != "PASSWORD":
        return f"auth_method {config.auth_method}"
    return None


def ssl_mode(config: PostgresConfig) -> str:
    """The client's ``sslmode`` for a configuration."""
    return "require" if config.always_encrypted else "prefer"
