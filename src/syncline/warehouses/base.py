"""What a warehouse is: a kind of destination that tables are loaded into."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa

from syncline.declarations import Configuration, ServiceDeclaration
from syncline.warehouses.errors import RowsRefused, WarehouseError, WarehouseUnavailable
from syncline.warehouses.limits import ColumnLimits
from syncline.warehouses.naming import Naming
from syncline.warehouses.rows import SEQUENCE, Order

__all__ = [
    "LoadResult",
    "Loader",
    "RowsRefused",
    "Standing",
    "Warehouse",
    "WarehouseError",
    "WarehouseTestResult",
    "WarehouseUnavailable",
]


@dataclass(frozen=True, slots=True)
class WarehouseTestResult:
    """The outcome of one setup test of a destination. A failure's message says what to change."""

    title: str
    status: Literal["PASSED", "FAILED", "SKIPPED"]
    message: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one load did."""

    table: str
    """The table's name in the destination."""
    rows: int
    """Rows of the batch, all of them in the destination now (or there already in a newer form)."""
    new_columns: tuple[str, ...] = ()
    widened_columns: tuple[str, ...] = ()
    column_names: Mapping[str, str] = field(default_factory=dict)
    """The destination's name of each of the batch's columns, by the source's."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of a table."""

    columns: frozenset[str] = frozenset()
    """The source's names of its columns."""
    places: int = 0
    """How many of the columns that a table can have are used up: where those that were dropped count, these too."""


class Loader(ABC):
    """Loads batches into the tables of one schema. Safe to share between threads; loads run one after the other."""

    @abstractmethod
    def load(
        self,
        source_name: str,
        table: pa.Table,
        *,
        key: Sequence[str] = ("message_id",),
        order: Order = SEQUENCE,
    ) -> LoadResult:
        """Merge a batch into the table of `source_name`, which is made when it is missing.

        When this returns, the rows are durable; when it raises, either all or none of them are there. Rows with the
        same key become one, whether they meet in one batch or in two: the one that comes last by the columns of
        `order`, the first of which counts most (null comes before any value). Column names are the source's; types
        come from the Arrow fields (see :mod:`syncline.warehouses.types`). A new field becomes a new column, and a
        column whose values no longer fit is widened in place. A table that was made with another key gets this one.

        Raises:
            WarehouseUnavailable: The destination cannot be reached just now.
            RowsRefused: It refused rows for what is in them; it may take some of them alone.
            WarehouseError: It refused the batch.
        """

    def note_sources(self, source_names: Sequence[str]) -> None:  # noqa: B027 - there may be nothing to keep
        """Keep the names that the tables of these sources get by themselves: no other table takes one of them."""

    @abstractmethod
    def standing(self, source_name: str) -> Standing:
        """What stands of the table of `source_name`; nothing when there is none.

        Raises:
            WarehouseUnavailable: The destination cannot be reached just now.
            WarehouseError: It refused.
        """

    def rest(self) -> None:
        """Give others their turn: called when nothing is there to load for the moment.

        A loader may hold on to its destination between loads, for a few seconds in one go, because letting go of it
        costs something; until then it may keep others waiting.

        Raises:
            WarehouseError: What is held could not be let go of.
        """
        return

    def remove_rows(self, source_name: str, rows: pa.Table) -> bool:
        """Remove the rows of the table of `source_name` that equal one of `rows` in all columns of `rows`, durably.
        Whether there is such a table; where this kind of destination cannot remove rows, they stay.

        Raises:
            WarehouseUnavailable: The destination cannot be reached just now.
            WarehouseError: It refused.
        """
        return False

    def drop_columns(self, source_name: str, columns: Sequence[str]) -> None:
        """Drop columns of the table of `source_name`. Those that are not there, or a missing table, are no error.

        Raises:
            WarehouseUnavailable: The destination cannot be reached just now.
            WarehouseError: It refused, or this kind of destination cannot.
        """
        raise WarehouseError(
            f"Columns cannot be dropped in this kind of destination: {', '.join(columns)}.",
            "Drop them there yourself; blocked columns are not written in any case.",
        )

    def change_key(self, source_name: str, *, key: Sequence[str], order: Order = SEQUENCE) -> None:
        """Let the table of `source_name` have another key. Of the rows that it makes equal, the one that comes last by
        `order` stays. A missing table is no error.

        Raises:
            WarehouseUnavailable: The destination cannot be reached just now.
            WarehouseError: It refused, or this kind of destination cannot.
        """
        raise WarehouseError(
            f"The sync mode of the table of {source_name} cannot be changed in this kind of destination once it has "
            "rows.",
            "Set the sync mode back, or drop the table there and re-sync the connection.",
        )


class Warehouse(ABC):
    """A kind of destination."""

    declaration: ServiceDeclaration
    drops_columns: bool = False
    """Whether :meth:`Loader.drop_columns` works."""

    @property
    @abstractmethod
    def columns(self) -> ColumnLimits:
        """How many columns its tables can have."""

    @abstractmethod
    def check(self, config: Configuration) -> list[WarehouseTestResult]:
        """Test a destination: connect, make a schema, write, and clean up. Blocking, bounded, never raises."""

    @abstractmethod
    def open(
        self,
        config: Configuration,
        schema: str,
        working_directory: Path,
        naming: Naming = Naming.FIVETRAN_NAMING,
    ) -> AbstractContextManager[Loader]:
        """A loader into one schema. `working_directory` is emptied, and removed in the end."""
