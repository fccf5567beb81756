"""The cloud services themselves cannot be had here: what is tested is their settings, how these become what dlt
wants, and what is said when a driver is missing or a host does not answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from syncline.declarations import InvalidField
from syncline.warehouses.cloud import (
    azure_sql_database,
    big_query,
    clickhouse,
    databricks,
    motherduck,
    redshift,
    snowflake,
)
from syncline.warehouses.cloud.warehouse import CloudWarehouse
from syncline.warehouses.errors import WarehouseError
from syncline.warehouses.registry import CLOUD_SERVICES, services

SECRET = "hidden-word;}"
KEY = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
SERVICE_ACCOUNT = json.dumps(
    {"type": "service_account", "project_id": "p", "client_email": "a@p.example.com", "private_key": KEY}
)
CONFIGS: dict[str, dict[str, Any]] = {
    "snowflake": {
        "host": "acme-eu.snowflakecomputing.com",
        "database": "ANALYTICS",
        "user": "LOADER",
        "password": SECRET,
        "role": "WRITER",
        "default_virtual_warehouse": "SMALL",
    },
    "big_query": {"project_id": "p", "secret_key": SERVICE_ACCOUNT, "data_set_location": "EU"},
    "redshift": {"host": "cluster.example.com", "database": "dev", "user": "u", "password": SECRET},
    "databricks": {
        "server_host_name": "dbc.example.com",
        "http_path": "/sql/1.0/warehouses/ab",
        "catalog": "main",
        "personal_access_token": SECRET,
    },
    "azure_sql_database": {"host": "sql.example.com", "database": "DB", "user": "u", "password": SECRET},
    "clickhouse": {"host": "ch.example.com", "user": "u", "password": SECRET, "database": "d"},
    "motherduck": {"database": "analytics", "token": SECRET},
}
NOT_INSTALLED = {
    "snowflake": "snowflake",
    "big_query": "bigquery",
    "databricks": "databricks",
    "azure_sql_database": "azure-sql",
    "clickhouse": "clickhouse",
}


def _warehouse(service: str) -> CloudWarehouse:
    return CloudWarehouse(next(found for found in CLOUD_SERVICES if found.declaration.service == service))


def _parse(service: str, **changes: Any) -> Any:
    return _warehouse(service).declaration.config.parse({**CONFIGS[service], **changes})


def test_every_service_is_known() -> None:
    assert {*CONFIGS, "duckdb", "postgres_warehouse"} <= {declaration.service for declaration in services()}


@pytest.mark.parametrize("service", CONFIGS)
def test_a_whole_config_lacks_nothing_and_hides_its_secrets(service: str) -> None:
    config = _parse(service)
    assert config.missing() == []
    assert "******" in config.masked().values()
    assert SECRET not in repr(config)
    assert KEY not in repr(config)
    assert _warehouse(service).declaration.config.parse({}).missing()


@pytest.mark.parametrize("service", CONFIGS)
def test_wrong_types_and_unknown_fields_are_refused(service: str) -> None:
    for change in ({"zzz": 1}, {"database": 5} if "database" in CONFIGS[service] else {"project_id": 5}):
        with pytest.raises(InvalidField):
            _warehouse(service).declaration.config.parse({**CONFIGS[service], **change})


def test_snowflake() -> None:
    made = snowflake.credentials(_parse("snowflake"))
    parameters = made.to_connector_params()
    assert parameters == {
        "account": "acme-eu",
        "user": "LOADER",
        "password": SECRET,
        "database": "ANALYTICS",
        "warehouse": "SMALL",
        "role": "WRITER",
        "application": "Syncline",
        "login_timeout": snowflake.LOGIN_TIMEOUT,
        "timezone": "UTC",
    }
    with_key = _parse("snowflake", auth="KEY_PAIR", private_key=KEY, password=None)
    parameters = snowflake.credentials(with_key).to_connector_params()
    assert parameters["password"] is None
    assert isinstance(parameters["private_key"], bytes)
    assert _parse("snowflake", auth="KEY_PAIR").missing()
    assert snowflake.SNOWFLAKE.unavailable(_parse("snowflake", auth="OAUTH")) == "auth OAUTH"


def test_big_query() -> None:
    made = big_query.service_account(SERVICE_ACCOUNT)
    assert (made.project_id, made.client_email, made.private_key) == ("p", "a@p.example.com", KEY)
    destination = big_query.BIG_QUERY.destination(_parse("big_query"), "staging")
    assert destination.config_params["location"] == "EU"
    assert destination.config_params["project_id"] == "p"
    with pytest.raises(InvalidField, match="key file") as caught:
        _parse("big_query", secret_key="hidden")
    assert "hidden" not in str(caught.value)


def test_redshift() -> None:
    made = redshift.credentials(_parse("redshift", port=5440))
    url = made.to_url()
    assert (url.host, url.port, url.database, url.username, url.password) == (
        "cluster.example.com",
        5440,
        "dev",
        "u",
        SECRET,
    )
    assert made.get_query()["sslmode"] == "require"
    assert redshift.REDSHIFT.unavailable(_parse("redshift", auth_type="IAM")) == "auth_type IAM"


def test_databricks() -> None:
    made = databricks.credentials(_parse("databricks"))
    assert (made.server_hostname, made.http_path, made.catalog, made.access_token) == (
        "dbc.example.com",
        "/sql/1.0/warehouses/ab",
        "main",
        SECRET,
    )
    made = databricks.credentials(_parse("databricks", auth_type="OAUTH2", oauth2_client_id="id", oauth2_secret="s"))
    assert (made.access_token, made.client_id, made.client_secret) == (None, "id", "s")


def test_azure_sql_database() -> None:
    made = azure_sql_database.credentials(_parse("azure_sql_database"))
    assert made.to_odbc_dsn() == (
        "DRIVER=ODBC Driver 18 for SQL Server;SERVER=sql.example.com,1433;DATABASE=db;UID=u;"
        "PWD={hidden-word;}}};ENCRYPT=yes;TRUSTSERVERCERTIFICATE=no"
    )


def test_clickhouse() -> None:
    made = clickhouse.credentials(_parse("clickhouse", always_encrypted=False, http_port=8123))
    assert (made.host, made.port, made.http_port, made.database, made.username, made.password, made.secure) == (
        "ch.example.com",
        9440,
        8123,
        "d",
        "u",
        SECRET,
        0,
    )


def test_motherduck() -> None:
    made = motherduck.credentials(_parse("motherduck"))
    assert made._conn_str() == "md:analytics?motherduck_token=hidden-word%3B%7D"


@pytest.mark.parametrize("service", CONFIGS)
def test_the_destination_is_dlts_with_our_credentials_and_staging(service: str) -> None:
    made = _warehouse(service).service.destination(_parse(service), "our_staging")
    assert made.config_params["staging_dataset_name_layout"] == "our_staging"
    assert made.config_params["credentials"] is not None


@pytest.mark.parametrize(("service", "extra"), NOT_INSTALLED.items())
def test_a_missing_driver_is_named_with_its_extra(service: str, extra: str, tmp_path: Path) -> None:
    warehouse = _warehouse(service)
    if warehouse.check(_parse(service))[1].status == "PASSED":
        pytest.skip("the driver is installed")
    results = warehouse.check(_parse(service))
    assert [result.status for result in results[:2]] == ["PASSED", "FAILED"]
    assert f"pip install 'syncline[{extra}]'" in results[1].details
    with pytest.raises(WarehouseError, match="not installed"), warehouse.open(_parse(service), "bus", tmp_path / "w"):
        pass


@pytest.mark.parametrize("service", [name for name in CONFIGS if name not in ("big_query", "motherduck")])
def test_an_unreachable_host_is_named(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncline.warehouses.cloud.warehouse._is_installed", lambda module: True)
    host = "server_host_name" if service == "databricks" else "host"
    results = _warehouse(service).check(_parse(service, **{host: "127.0.0.1", "port": 1}))
    statuses = [result.status for result in results]
    assert statuses == ["PASSED", "PASSED", "FAILED", *["SKIPPED"] * 4]
    assert "127.0.0.1:1 cannot be reached" in results[2].message
    assert SECRET not in str(results)


@pytest.mark.parametrize("service", ["snowflake", "redshift", "databricks", "azure_sql_database"])
def test_another_network_path_is_not_available_yet(service: str) -> None:
    (first, *_) = _warehouse(service).check(_parse(service, connection_type="PrivateLink"))
    assert first.status == "FAILED"
    assert "connection_type PrivateLink is not available yet" in first.message


def test_an_incomplete_config_names_what_is_missing(tmp_path: Path) -> None:
    warehouse = _warehouse("snowflake")
    config = warehouse.declaration.config.parse({"host": "h"})
    with pytest.raises(WarehouseError, match=r"config\.database"), warehouse.open(config, "bus", tmp_path / "w"):
        pass
