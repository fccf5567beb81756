"""The warehouses there are."""

from syncline.declarations import ServiceDeclaration
from syncline.warehouses.base import Warehouse
from syncline.warehouses.cloud.azure_sql_database import AZURE_SQL_DATABASE
from syncline.warehouses.cloud.big_query import BIG_QUERY
from syncline.warehouses.cloud.clickhouse import CLICKHOUSE
from syncline.warehouses.cloud.databricks import DATABRICKS
from syncline.warehouses.cloud.motherduck import MOTHERDUCK
from syncline.warehouses.cloud.redshift import REDSHIFT
from syncline.warehouses.cloud.snowflake import SNOWFLAKE
from syncline.warehouses.cloud.warehouse import CloudWarehouse
from syncline.warehouses.duckdb import DuckdbWarehouse
from syncline.warehouses.lake.warehouse import LakeWarehouse
from syncline.warehouses.postgres import PostgresWarehouse

_CLOUD_SERVICES = (
    AZURE_SQL_DATABASE,
    BIG_QUERY,
    CLICKHOUSE,
    DATABRICKS,
    MOTHERDUCK,
    REDSHIFT,
    SNOWFLAKE,
)
_WAREHOUSES: dict[str, Warehouse] = {
    warehouse.declaration.service: warehouse
    for warehouse in (DuckdbWarehouse(), PostgresWarehouse(), LakeWarehouse(), *map(CloudWarehouse, _CLOUD_SERVICES))
}


class UnknownWarehouse(KeyError):  # noqa: N818 - says it all without a suffix
    """No warehouse has this service name."""

    def __str__(self) -> str:
        return f"there is no destination service {self.args[0]!r}; there are: {', '.join(sorted(_WAREHOUSES))}"


def warehouse_for(service: str) -> Warehouse:
    """The warehouse of a destination's `service`.

    Raises:
        UnknownWarehouse: There is none.
    """
    try:
        return _WAREHOUSES[service]
    except KeyError:
        raise UnknownWarehouse(service) from None


def services() -> list[ServiceDeclaration]:
    """What each warehouse declares, by service name."""
    return [_WAREHOUSES[service].declaration for service in sorted(_WAREHOUSES)]
