"""What the data lake declares."""

import re
from pathlib import Path
from typing import Literal

from syncline.declarations import InvalidField, ServiceDeclaration, setting
from syncline.declarations.errors import shown
from syncline.home import Home
from syncline.warehouses.cloud import fields
from syncline.warehouses.cloud.big_query import check_service_account
from syncline.warehouses.local_paths import check_absolute, check_is_folder, check_is_foreign_folder

StorageProvider = Literal["LOCAL", "AWS", "ADLS", "GCS"]
TableFormat = Literal["PARQUET", "DELTA_LAKE", "ICEBERG"]


_EXAMPLE = "/data/lake"


def check_folder(value: str) -> None:
    """Refuse what can never be the folder of a lake. Looks at what is there, and opens nothing.

    Raises:
        ValueError: With what is wrong and what to send.
    """
    check_absolute(value, _EXAMPLE)
    check_is_folder(Path(value))


def check_prefix(value: str) -> None:
    """Refuse a prefix that leads out of its folder.

    Raises:
        ValueError: With what is wrong and what to send.
    """
    if {".", ".."} & set(value.split("/")):
        raise ValueError("holds `.` or `..` as the name of a folder: send the path that is meant, without it")


def check_part_of_host(value: str) -> None:
    """What becomes part of a host's name, or of the path right after it, where other characters would name another."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError("may hold letters, digits, '.', '_' and '-', and begins with a letter or a digit")


class DataLakeConfig(fields.Network):
    """Where the files are, and in which form."""

    storage_provider: StorageProvider = setting(
        title="Storage",
        description="LOCAL for a folder of the machine that runs Syncline, AWS for S3, ADLS for Azure Data Lake "
        "Storage Gen2, GCS for Google Cloud Storage.",
        default="LOCAL",
        permanent=True,
        example="LOCAL",
    )
    table_format: TableFormat = setting(
        title="Table format",
        description="PARQUET keeps each table as one file, which every load writes anew: right for tables of up to "
        "some million rows. DELTA_LAKE has no such limit. ICEBERG is not available yet.",
        default="PARQUET",
        permanent=True,
    )
    path: str | None = setting(
        title="Folder",
        description="The absolute path of the folder for the tables, neither inside Syncline's home folder nor around "
        "it. It is made when it is missing.",
        required_when={"storage_provider": "LOCAL"},
        permanent=True,
        example=_EXAMPLE,
        check=check_folder,
    )
    bucket: str | None = setting(
        title="Bucket",
        description="The bucket for the tables.",
        required_when={"storage_provider": ("AWS", "GCS")},
        permanent=True,
        example="my-lake",
        check=check_part_of_host,
    )
    prefix_path: str | None = setting(
        title="Prefix",
        description="The folder of the bucket or container.",
        permanent=True,
        example="syncline",
        check=check_prefix,
    )
    region: str | None = setting(
        title="Region",
        description="The bucket's AWS region.",
        required_when={"storage_provider": "AWS"},
        permanent=True,
        example="eu-west-1",
        check=check_part_of_host,
    )
    aws_access_key_id: str | None = setting(
        title="Access key",
        description="The access key of a user that may read, write and delete in the bucket.",
        required_when={"storage_provider": "AWS"},
    )
    aws_secret_access_key: str | None = setting(
        title="Secret key",
        description="The secret of the access key.",
        secret=True,
        addressed_by=("storage_provider", "bucket", "region", "connection_type"),
        required_when={"storage_provider": "AWS"},
    )
    storage_account_name: str | None = setting(
        title="Storage account",
        description="The Azure storage account.",
        required_when={"storage_provider": "ADLS"},
        permanent=True,
        check=check_part_of_host,
    )
    container_name: str | None = setting(
        title="Container",
        description="Its container.",
        required_when={"storage_provider": "ADLS"},
        permanent=True,
        check=check_part_of_host,
    )
    tenant_id: str | None = setting(
        title="Tenant id",
        description="The service principal's tenant id.",
        required_when={"storage_provider": "ADLS"},
        check=check_part_of_host,
    )
    client_id: str | None = setting(
        title="Client id",
        description="The service principal's client id.",
        required_when={"storage_provider": "ADLS"},
    )
    secret_value: str | None = setting(
        title="Client secret",
        description="The service principal's secret.",
        secret=True,
        addressed_by=("storage_provider", "tenant_id", "storage_account_name", "container_name", "connection_type"),
        required_when={"storage_provider": "ADLS"},
    )
    gcs_project_id: str | None = setting(title="Project", description="The bucket's Google Cloud project.")
    secret_key: str | None = setting(
        title="Service account key",
        description="The JSON key file of a service account that may read, write and delete in the bucket, as text.",
        secret=True,
        stays=fields.TO_GOOGLE,
        required_when={"storage_provider": "GCS"},
        check=check_service_account,
    )
    should_maintain_tables_in_glue: bool = setting(
        title="Glue catalog", description="Not available yet.", default=False
    )
    should_maintain_tables_in_bqms: bool = setting(
        title="BigQuery metastore", description="Not available yet.", default=False
    )
    should_maintain_tables_in_databricks: bool = setting(
        title="Unity Catalog", description="Not available yet.", default=False
    )
    should_maintain_tables_in_one_lake: bool = setting(title="OneLake", description="Not available yet.", default=False)
    fivetran_role_arn: str | None = fields.unused("Role")
    snapshot_retention_period: str | None = fields.unused("Snapshot retention")

    @property
    def folder(self) -> Path | None:
        """The lake's folder on this machine; None where it is in object storage, or not known yet."""
        if self.storage_provider != "LOCAL" or not self.path:
            return None
        return Path(self.path) / (self.prefix_path or "").strip("/")

    def check_places(self, home: Home, path: str = "config") -> None:
        if self.folder is not None:
            try:
                check_is_folder(self.folder)
                check_is_foreign_folder(self.folder, home)
            except ValueError as error:
                raise InvalidField(f"{path}.path", str(error), value=shown(str(self.folder))) from None


DECLARATION = ServiceDeclaration(
    service="managed_data_lake",
    name="Data lake",
    description="Parquet files or Delta tables in a folder or in object storage.",
    config=DataLakeConfig,
)


def unavailable(config: DataLakeConfig) -> str | None:
    """The setting, as `field value`, that is understood but cannot be served; None when there is none."""
    if config.connection_type != "Directly":
        return f"connection_type {config.connection_type}"
    if config.table_format == "ICEBERG":
        return "table_format ICEBERG"
    for catalog in ("glue", "bqms", "databricks", "one_lake"):
        if getattr(config, f"should_maintain_tables_in_{catalog}"):
            return f"should_maintain_tables_in_{catalog} true"
    return None
