"""A cloud warehouse: what differs between one service and the next, as data.

The modules of the services import dlt when it is needed: the server reads only what they declare, and dlt takes half a
second and 60 MB.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from syncline.declarations import Configuration, ServiceDeclaration
from syncline.warehouses.limits import PLENTY, ColumnLimits
from syncline.warehouses.types import ColumnType, Kind

if TYPE_CHECKING:
    from dlt.common.destination import Destination

_NEAREST = {
    Kind.SHORT: ColumnType(Kind.LONG),
    Kind.INT: ColumnType(Kind.LONG),
    Kind.FLOAT: ColumnType(Kind.DOUBLE),
    Kind.XML: ColumnType(Kind.STRING),
}
"""Types that not every service tells apart, and what is used in their place."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a service writes what dlt does not write for it.

    Templates are filled with ``table``, and with ``column`` (or ``old`` and ``new``), all quoted.
    """

    fold: Callable[[str], str] = str
    """The case that the service gives to names without quotes."""
    nearest: Mapping[Kind, ColumnType] = field(default_factory=dict)
    """Types that the service lacks, besides the ones that no service here has."""
    to_text: str = "CAST({column} AS VARCHAR)"
    to_json: str = "{text}"
    """JSON from ``text``, an expression of text; the text itself where the service keeps JSON as text."""
    before_change: tuple[str, ...] = ()
    copy: str = "UPDATE {table} SET {new} = {value} WHERE 1 = 1"
    drop: str = "ALTER TABLE {table} DROP COLUMN {column}"
    rename: str = "ALTER TABLE {table} RENAME COLUMN {old} TO {new}"

    def nearest_type(self, column_type: ColumnType) -> ColumnType:
        """The type used for `column_type`."""
        return self.nearest.get(column_type.kind) or _NEAREST.get(column_type.kind, column_type)


@dataclass(frozen=True, slots=True)
class CloudService:
    """A service, and how its settings become a dlt destination."""

    declaration: ServiceDeclaration
    driver: str
    """The module that must be there."""
    extra: str
    """The extra of this package that installs it."""
    destination: Callable[[Any, str], "Destination[Any, Any]"]
    """Makes the dlt destination of a complete config; the second argument names the staging schema."""
    address: Callable[[Any], tuple[str, int] | None]
    """The host and port that must answer, where the config tells."""
    unavailable: Callable[[Any], str | None]
    """The setting, as `field value`, that is understood but cannot be served; None when there is none."""
    pinned: Callable[[Any, str, str], "Destination[Any, Any]"] | None = None
    """The same as `destination`, for a connection to one address of the host (the third argument) under the host's
    name. None where the driver cannot be told an address: it resolves the host again."""
    repeats_answers: bool = False
    """Whether the driver's errors repeat what any server that speaks HTTP answers."""
    dialect: Dialect = Dialect()
    columns: ColumnLimits = PLENTY
    longest_name: int = 120
    batch_of_keys: int = 200
    """Keys in one query: services limit the number of parameters."""
    refusals: str = ""
    """A regular expression for how the service refuses rows, where nothing but its words tells it from other errors."""

    @property
    def name(self) -> str:
        """The service's name for people."""
        return self.declaration.name

    def secrets(self, config: Configuration) -> list[str]:
        """The values of a config that no message may hold."""
        _, secret = config.split()
        return [value for value in secret.values() if isinstance(value, str) and value]
