"""The lake's settings, what they become for dlt, and its setup tests."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.specs import AwsCredentials, AzureServicePrincipalCredentials

from syncline.declarations import InvalidField
from syncline.warehouses.errors import WarehouseError
from syncline.warehouses.lake import storage
from syncline.warehouses.lake.config import DataLakeConfig, unavailable
from syncline.warehouses.lake.warehouse import LakeWarehouse

AWS = {
    "storage_provider": "AWS",
    "bucket": "b",
    "prefix_path": "/p/q/",
    "region": "eu-west-1",
    "aws_access_key_id": "id",
    "aws_secret_access_key": "hidden-word",
}
ADLS = {
    "storage_provider": "ADLS",
    "storage_account_name": "acc",
    "container_name": "c",
    "tenant_id": "t",
    "client_id": "i",
    "secret_value": "hidden-word",
}


def _config(values: dict[str, Any]) -> DataLakeConfig:
    return DataLakeConfig.parse(values)


def test_setup_tests_pass_and_leave_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    results = LakeWarehouse().check(_config({"path": str(folder)}))
    assert [result.status for result in results] == ["PASSED"] * 6, results
    assert list(folder.rglob("*")) == []


def test_a_folder_that_cannot_be_written_to_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    results = LakeWarehouse().check(_config({"path": str(tmp_path / "file" / "lake")}))
    assert [result.status for result in results][-3:] == ["FAILED", "SKIPPED", "SKIPPED"]
    assert os.fspath(tmp_path) not in results[-3].details


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"path": "relative/lake"}, "config.path"),
        ({"storage_provider": "FTP"}, "config.storage_provider"),
        ({"path": "/x", "table_format": "CSV"}, "config.table_format"),
        ({"storage_provider": "GCS", "secret_key": json.dumps({"a": 1})}, "config.secret_key"),
    ],
)
def test_wrong_settings_are_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidField) as caught:
        _config(values)
    assert caught.value.field == named


def test_where_the_files_are_can_not_change() -> None:
    with pytest.raises(InvalidField, match="permanent"):
        _config({"path": "/x"}).merge({"path": "/y"})


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({}, {"config.path"}),
        ({"storage_provider": "GCS"}, {"config.bucket", "config.secret_key"}),
        (
            {"storage_provider": "AWS", "bucket": "b"},
            {"config.region", "config.aws_access_key_id", "config.aws_secret_access_key"},
        ),
    ],
)
def test_each_storage_has_its_needs(values: dict[str, Any], missing: set[str]) -> None:
    assert {field.field for field in _config(values).missing()} == missing


def test_what_is_not_available_is_named(tmp_path: Path) -> None:
    config = _config({"path": str(tmp_path), "table_format": "ICEBERG"})
    assert unavailable(config) == "table_format ICEBERG"
    assert LakeWarehouse().check(config)[0].status == "FAILED"
    with pytest.raises(WarehouseError, match="ICEBERG"), LakeWarehouse().open(config, "bus", tmp_path / "w"):
        pass
    assert unavailable(_config({"path": "/x", "should_maintain_tables_in_glue": True})) == (
        "should_maintain_tables_in_glue true"
    )


@pytest.mark.parametrize(
    ("values", "module", "extra"),
    [
        (AWS, "s3fs", "s3"),
        (ADLS, "adlfs", "adls"),
        ({"path": "/x", "table_format": "DELTA_LAKE"}, "deltalake", "delta"),
    ],
)
def test_a_missing_driver_is_named_with_its_extra(
    values: dict[str, Any], module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "syncline.warehouses.lake.warehouse.find_spec", lambda name: None if name == module else object()
    )
    results = LakeWarehouse().check(_config(values))
    assert [result.status for result in results[:2]] == ["PASSED", "FAILED"]
    assert f"pip install 'syncline[{extra}]'" in results[1].details
    assert "hidden-word" not in str(results)


def test_storage_becomes_what_dlt_wants() -> None:
    aws = storage._credentials(_config(AWS))
    assert isinstance(aws, AwsCredentials)
    assert (aws.aws_access_key_id, aws.aws_secret_access_key, aws.region_name) == ("id", "hidden-word", "eu-west-1")
    assert storage._url(_config(AWS)) == "s3://b/p/q"
    azure = storage._credentials(_config(ADLS))
    assert isinstance(azure, AzureServicePrincipalCredentials)
    assert azure.to_adlfs_credentials() == {
        "account_name": "acc",
        "account_host": None,
        "tenant_id": "t",
        "client_id": "i",
        "client_secret": "hidden-word",
    }
    assert storage._url(_config(ADLS)) == "abfss://c@acc.dfs.core.windows.net"
    assert storage._url(_config({"storage_provider": "GCS", "bucket": "b"})) == "gs://b"
