"""Where a lake's files are: dlt's filesystem for each provider, with our credentials and no others."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlt.common.configuration.specs import (
    AwsCredentials,
    AzureServicePrincipalCredentials,
    CredentialsConfiguration,
)
from dlt.common.storages.configuration import FilesystemConfiguration
from dlt.common.storages.fsspec_filesystem import fsspec_from_config
from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

from syncline.warehouses.cloud.big_query import service_account
from syncline.warehouses.lake.config import DataLakeConfig

EXTRAS = {"AWS": ("s3fs", "s3"), "ADLS": ("adlfs", "adls"), "GCS": ("gcsfs", "gcs")}
"""The module that a provider needs, and the extra of this package that installs it."""


@dataclass(frozen=True, slots=True)
class Storage:
    """An open file system and the folder of the lake in it."""

    files: AbstractFileSystem
    root: str
    url: str
    """The folder as a URL."""
    is_local: bool
    object_store_options: dict[str, str]
    """The same credentials for libraries that bring their own client (delta-rs)."""

    def path(self, *parts: str) -> str:
        """The path of something in the lake."""
        return "/".join((self.root.rstrip("/"), *parts))

    def replace(self, source: Path, target: str) -> None:
        """Put a finished local file in the place of `target`. A reader sees the old file or the new one, whole."""
        if not self.is_local:
            self.files.put_file(str(source), target)
            return
        beside = Path(f"{target}.new")
        beside.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, beside)
        _flush(beside)
        beside.replace(target)
        _flush(Path(target).parent)


def open_storage(config: DataLakeConfig) -> Storage:
    """The storage of a complete config."""
    url = _url(config)
    credentials = _credentials(config)
    described = FilesystemConfiguration(bucket_url=url, credentials=credentials)  # type: ignore[arg-type]
    if config.storage_provider == "LOCAL":
        described.kwargs = {"auto_mkdir": True}
    files, root = fsspec_from_config(described)
    options = _object_store_options(credentials)
    return Storage(files, root, url, config.storage_provider == "LOCAL", options)


def _url(config: DataLakeConfig) -> str:
    if config.folder is not None:
        return str(config.folder)
    prefix = (config.prefix_path or "").strip("/")
    base = {
        "AWS": f"s3://{config.bucket}",
        "GCS": f"gs://{config.bucket}",
        "ADLS": f"abfss://{config.container_name}@{config.storage_account_name}.dfs.core.windows.net",
    }[config.storage_provider]
    return f"{base}/{prefix}".rstrip("/")


def _credentials(config: DataLakeConfig) -> CredentialsConfiguration | None:
    if config.storage_provider == "AWS":
        aws = AwsCredentials()
        aws.aws_access_key_id = config.aws_access_key_id or ""
        aws.aws_secret_access_key = config.aws_secret_access_key or ""
        aws.region_name = config.region
        return aws
    if config.storage_provider == "ADLS":
        azure = AzureServicePrincipalCredentials()
        azure.azure_storage_account_name = config.storage_account_name or ""
        azure.azure_tenant_id = config.tenant_id or ""
        azure.azure_client_id = config.client_id or ""
        azure.azure_client_secret = config.secret_value or ""
        return azure
    return service_account(config.secret_key or "") if config.storage_provider == "GCS" else None


def _object_store_options(credentials: Any) -> dict[str, str]:
    if credentials is None:
        return {}
    return {name: str(value) for name, value in credentials.to_object_store_rs_credentials().items() if value}


def _flush(path: Path) -> None:
    """Make what was written to a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
