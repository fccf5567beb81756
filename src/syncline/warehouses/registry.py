"""The warehouses there are.

What they declare is known from the start. What loads into them is imported when it is needed: drivers and dlt take
seconds and memory, which neither the server nor a worker that loads into something else has to spend.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from syncline.declarations import Configuration, ServiceDeclaration
from syncline.home import Home
from syncline.networking import HostPolicy
from syncline.warehouses import duckdb_config, postgres_config
from syncline.warehouses.base import Loader, Warehouse, WarehouseTestResult
from syncline.warehouses.cloud.azure_sql_database import AZURE_SQL_DATABASE
from syncline.warehouses.cloud.big_query import BIG_QUERY
from syncline.warehouses.cloud.clickhouse import CLICKHOUSE
from syncline.warehouses.cloud.databricks import DATABRICKS
from syncline.warehouses.cloud.motherduck import MOTHERDUCK
from syncline.warehouses.cloud.redshift import REDSHIFT
from syncline.warehouses.cloud.service import CloudService
from syncline.warehouses.cloud.snowflake import SNOWFLAKE
from syncline.warehouses.lake import config as lake_config
from syncline.warehouses.limits import ColumnLimits
from syncline.warehouses.naming import Naming


class DeferredWarehouse(Warehouse):
    """A warehouse that is imported once it is to do something."""

    def __init__(
        self,
        declaration: ServiceDeclaration,
        load: Callable[[Home | None, HostPolicy], Warehouse],
        *,
        drops_columns: bool = False,
        home: Home | None = None,
        hosts: HostPolicy | None = None,
    ) -> None:
        self.declaration = declaration
        self.drops_columns = drops_columns
        self._load = load
        self._home = home
        self._hosts = hosts or HostPolicy()

    def implementation(self) -> Warehouse:
        """The warehouse itself."""
        return self._load(self._home, self._hosts)

    def bounded(self, home: Home | None, hosts: HostPolicy | None) -> "DeferredWarehouse":
        """The same, refusing the files of an installation as destinations, and hosts as a policy says."""
        return DeferredWarehouse(self.declaration, self._load, drops_columns=self.drops_columns, home=home, hosts=hosts)

    @property
    def columns(self) -> ColumnLimits:
        return self.implementation().columns

    def check(self, config: Configuration) -> list[WarehouseTestResult]:
        return self.implementation().check(config)

    def open(
        self,
        config: Configuration,
        schema: str,
        working_directory: Path,
        naming: Naming = Naming.FIVETRAN_NAMING,
    ) -> AbstractContextManager[Loader]:
        return self.implementation().open(config, schema, working_directory, naming)


def _duckdb(home: Home | None, _hosts: HostPolicy) -> Warehouse:
    from syncline.warehouses.duckdb import DuckdbWarehouse

    return DuckdbWarehouse(home)


def _postgres(_home: Home | None, hosts: HostPolicy) -> Warehouse:
    from syncline.warehouses.postgres import PostgresWarehouse

    return PostgresWarehouse(hosts)


def _lake(home: Home | None, _hosts: HostPolicy) -> Warehouse:
    from syncline.warehouses.lake.warehouse import LakeWarehouse

    return LakeWarehouse(home)


def _cloud(service: CloudService, _home: Home | None, hosts: HostPolicy) -> Warehouse:
    from syncline.warehouses.cloud.warehouse import CloudWarehouse

    return CloudWarehouse(service, hosts)


CLOUD_SERVICES = (
    AZURE_SQL_DATABASE,
    BIG_QUERY,
    CLICKHOUSE,
    DATABRICKS,
    MOTHERDUCK,
    REDSHIFT,
    SNOWFLAKE,
)
"""The warehouses that are reached through dlt alone."""
_WAREHOUSES: dict[str, DeferredWarehouse] = {
    warehouse.declaration.service: warehouse
    for warehouse in (
        DeferredWarehouse(duckdb_config.DECLARATION, _duckdb, drops_columns=True),
        DeferredWarehouse(postgres_config.DECLARATION, _postgres, drops_columns=True),
        DeferredWarehouse(lake_config.DECLARATION, _lake),
        *(
            DeferredWarehouse(service.declaration, partial(_cloud, service), drops_columns=True)
            for service in CLOUD_SERVICES
        ),
    )
}


class UnknownWarehouse(KeyError):  # noqa: N818 - says it all without a suffix
    """No warehouse has this service name."""

    def __str__(self) -> str:
        return f"there is no destination service {self.args[0]!r}; there are: {', '.join(sorted(_WAREHOUSES))}"


def warehouse_for(service: str, home: Home | None = None, hosts: HostPolicy | None = None) -> Warehouse:
    """The warehouse of a destination's `service`.

    Args:
        home: The installation whose own files it refuses to open. Whoever opens a destination gives it.
        hosts: Which hosts may be connected to; the default policy when absent. Whoever opens a destination gives it.

    Raises:
        UnknownWarehouse: There is none.
    """
    try:
        warehouse = _WAREHOUSES[service]
    except KeyError:
        raise UnknownWarehouse(service) from None
    return warehouse if home is None and hosts is None else warehouse.bounded(home, hosts)


def services() -> list[ServiceDeclaration]:
    """What each warehouse declares, by service name."""
    return [_WAREHOUSES[service].declaration for service in sorted(_WAREHOUSES)]
