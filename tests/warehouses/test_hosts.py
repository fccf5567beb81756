"""Destinations are connected to at the address that was looked at, and nowhere else."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from syncline.networking import HostPolicy
from syncline.settings import Settings
from syncline.warehouses.cloud.redshift import REDSHIFT
from syncline.warehouses.cloud.warehouse import CloudWarehouse
from syncline.warehouses.errors import WarehouseConfigurationError, WarehouseError
from syncline.warehouses.postgres import PostgresWarehouse
from syncline.warehouses.postgres_config import PostgresConfig
from tests.support.postgres import PostgresServer
from tests.support.sockets import saying, untouched_port

NO_PRIVATE = HostPolicy(allows_private=False)
ROWS = pa.table({"message_id": ["a"], "sequence_num": [1]})


def config(port: int, host: str = "db.example.com", password: str = "p", database: str = "postgres") -> PostgresConfig:
    return PostgresConfig.parse(
        {"host": host, "port": port, "database": database, "user": "postgres", "password": password}
    )


def leading_to(*answers: Sequence[str]) -> HostPolicy:
    """A policy that allows 127.0.0.1 alone, for which names lead to these addresses one time after the other."""
    left = list(answers)
    allowed = HostPolicy.of(Settings(allowed_hosts="127.0.0.1")).allowed
    return HostPolicy(allowed, resolver=lambda host, port: left.pop(0) if len(left) > 1 else left[0])


@pytest.fixture
def untouched() -> Iterator[int]:
    """The port of a server that nobody may connect to."""
    with untouched_port() as port:
        yield port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_forbidden_database_is_not_connected_to(untouched: int, host: str, tmp_path: Path) -> None:
    warehouse = PostgresWarehouse(NO_PRIVATE)
    result, *rest = warehouse.check(config(untouched, host))
    assert (result.status, {each.status for each in rest}) == ("FAILED", {"SKIPPED"})
    assert f"{host} is not connected to" in result.message
    assert "SYNCLINE_ALLOWED_HOSTS" in result.details
    with (
        pytest.raises(WarehouseConfigurationError, match="is not connected to"),
        warehouse.open(config(untouched, host), "bus", tmp_path / "work") as loader,
    ):
        loader.load("orders", ROWS)


def test_loads_go_to_the_address_that_was_looked_at(
    postgres: PostgresServer, postgres_database: str, tmp_path: Path
) -> None:
    whole = config(postgres.port, password=postgres.password, database=postgres_database)
    with PostgresWarehouse(leading_to(["127.0.0.1"])).open(whole, "bus", tmp_path / "work") as loader:
        assert loader.load("orders", ROWS).rows == 1


def test_a_name_that_leads_elsewhere_between_two_loads_is_refused(
    postgres: PostgresServer, postgres_database: str, tmp_path: Path
) -> None:
    whole = config(postgres.port, password=postgres.password, database=postgres_database)
    warehouse = PostgresWarehouse(leading_to(["127.0.0.1"], ["169.254.169.254"]))
    with warehouse.open(whole, "bus", tmp_path / "first") as loader:
        loader.load("orders", ROWS)
    with (
        pytest.raises(WarehouseError, match=r"169\.254\.169\.254"),
        warehouse.open(whole, "bus", tmp_path / "second") as loader,
    ):
        loader.load("orders", ROWS)


@pytest.mark.parametrize(
    "banner",
    [
        b"HTTP/1.1 200 OK\r\n\r\n<b>TOP SECRET</b>",
        b"ERROR TOP SECRET\r\n\0",
        b"SSH-2.0-TOP SECRET\r\n",
        b"-TOP SECRET\r\n",
    ],
)
def test_what_a_server_says_that_is_no_postgresql_is_not_repeated(banner: bytes) -> None:
    with saying(banner) as port:
        result, *_ = PostgresWarehouse().check(config(port, "127.0.0.1"))
    assert result.status == "FAILED"
    assert "SECRET" not in str(result)


class TestRedshift:
    def config(self, port: int, host: str):
        values = {"host": host, "port": port, "database": "postgres", "user": "u", "password": "p"}
        return REDSHIFT.declaration.config.parse(values)

    def test_a_forbidden_one_is_not_connected_to(self, untouched: int, tmp_path: Path) -> None:
        warehouse = CloudWarehouse(REDSHIFT, NO_PRIVATE)
        results = warehouse.check(self.config(untouched, "localhost"))
        (failed,) = [result for result in results if result.status == "FAILED"]
        assert "localhost is not connected to" in failed.message
        with (
            pytest.raises(WarehouseConfigurationError),
            warehouse.open(self.config(untouched, "localhost"), "bus", tmp_path / "work") as loader,
        ):
            loader.load("orders", ROWS)

    def test_its_client_is_told_the_address(self, postgres: PostgresServer) -> None:
        """PostgreSQL lets in nobody called u, so the answer is its own: it was reached, under a name of no resolver."""
        warehouse = CloudWarehouse(REDSHIFT, leading_to(["127.0.0.1"]))
        whole = self.config(postgres.port, "cluster.invalid").merge({"always_encrypted": False, "password": "p"})
        results = warehouse.check(whole)
        failed = next(result for result in results if result.status == "FAILED")
        assert (failed.title, "authentication failed" in failed.message) == ("Connect", True), failed
