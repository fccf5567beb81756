"""Loading through dlt: for PostgreSQL and the cloud services.

dlt finds a table that fits, because :class:`~syncline.warehouses.loading.SqlLoader` saw to it, and merges.
"""

from abc import abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from dlt.common.destination import Destination
from dlt.common.schema.typing import TColumnSchema
from dlt.common.typing import TLoaderFileFormat

from syncline.warehouses import dlt_runtime
from syncline.warehouses.loading import Connection, Plan
from syncline.warehouses.types import Kind


class DltConnection(Connection):
    """An open connection to a warehouse that dlt merges into."""

    file_format: TLoaderFileFormat = "parquet"
    """The form in which dlt hands rows over."""
    schema: str
    """The schema it works on."""

    @abstractmethod
    def dlt_destination(self) -> Destination[Any, Any]:
        """The destination as dlt wants it told."""

    @abstractmethod
    def clean_up(self) -> None:
        """Remove what dlt leaves behind: its staging schema and its bookkeeping."""

    def merge(self, plan: Plan, rows: pa.Table, key: list[str], folder: Path) -> None:
        columns: dict[str, TColumnSchema] = {
            name: {"name": name, "data_type": "json"}
            for name, column_type in plan.column_types.items()
            if column_type.kind is Kind.JSON
        }
        try:
            dlt_runtime.merge(
                self.dlt_destination(), self.schema, plan.table_name, rows, columns, key, folder, self.file_format
            )
        except BaseException:
            with suppress(Exception):  # the error says more than that its traces cannot be removed
                self.clean_up()
            raise
        self.clean_up()
