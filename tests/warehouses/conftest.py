"""Destinations to load into: a DuckDB file, and a database of a real PostgreSQL server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from syncline.declarations import Configuration
from syncline.warehouses.base import Loader, Warehouse
from syncline.warehouses.naming import Naming
from syncline.warehouses.registry import warehouse_for
from tests.support.postgres import PostgresServer

Query = Callable[[str], list[tuple]]
Change = Callable[[str], object]


class Target:
    """A destination, and a way to look into it that does not go through our code."""

    def __init__(self, service: str, config: dict[str, Any], query: Query, change: Change, folder: Path) -> None:
        self.service = service
        self.warehouse: Warehouse = warehouse_for(service)
        self.config: Configuration = self.warehouse.declaration.config.parse(config)
        self._query = query
        self._change = change
        self._loader: Loader | None = None
        self.folder = folder

    @contextmanager
    def open(self, schema: str = "bus", naming: Naming = Naming.FIVETRAN_NAMING) -> Iterator[Loader]:
        with self.warehouse.open(self.config, schema, self.folder / "work", naming) as loader:
            self._loader = loader
            try:
                yield loader
            finally:
                self._loader = None

    def query(self, statement: str) -> list[tuple]:
        """Rows of the destination. An open loader rests meanwhile."""
        self._rest()
        return self._query(statement)

    def change(self, statement: str) -> None:
        """Do something to the destination behind our back."""
        self._rest()
        self._change(statement)

    def _rest(self) -> None:
        if self._loader is not None:
            self._loader.rest()

    def columns(self, table: str, schema: str = "bus") -> dict[str, str]:
        found = self.query(
            "SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns "
            f"WHERE table_schema = '{schema}' AND table_name = '{table}' ORDER BY ordinal_position"
        )
        return {
            name: f"numeric({precision},{scale})" if of == "numeric" else of for name, of, precision, scale in found
        }

    def names(self) -> set[str]:
        return {
            f"{schema}.{table}"
            for schema, table in self.query(
                "SELECT table_schema, table_name FROM information_schema.tables "
                "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
            )
        }


@pytest.fixture
def duckdb_target(tmp_path: Path) -> Target:
    path = tmp_path / "data" / "warehouse.duckdb"

    def query(statement: str) -> list[tuple]:
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(statement).fetchall()

    def change(statement: str) -> None:
        path.parent.mkdir(exist_ok=True)
        with duckdb.connect(str(path)) as connection:
            connection.execute(statement)

    return Target("duckdb", {"path": str(path)}, query, change, tmp_path)


@pytest.fixture
def postgres_target(tmp_path: Path, postgres: PostgresServer, postgres_database: str) -> Target:

    def query(statement: str) -> list[tuple]:
        with psycopg.connect(postgres.url_of(postgres_database)) as connection:
            return connection.execute(statement).fetchall()

    def change(statement: str) -> None:
        with psycopg.connect(postgres.url_of(postgres_database)) as connection:
            connection.execute(statement)

    config = {
        "host": postgres.host,
        "port": postgres.port,
        "database": postgres_database,
        "user": postgres.user,
        "password": postgres.password,
    }
    return Target("postgres_warehouse", config, query, change, tmp_path)


@pytest.fixture(params=["duckdb", "postgres"])
def target(request: pytest.FixtureRequest) -> Target:
    return request.getfixturevalue(f"{request.param}_target")
