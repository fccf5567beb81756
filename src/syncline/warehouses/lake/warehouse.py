"""The data lake: its setup tests and its loader."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from syncline.declarations import Configuration
from syncline.home import Home
from syncline.warehouses.base import Loader, Warehouse, WarehouseTestResult
from syncline.warehouses.checks import skipped
from syncline.warehouses.cloud.errors import explainer, missing_driver
from syncline.warehouses.errors import WarehouseError
from syncline.warehouses.lake.config import DECLARATION, DataLakeConfig, check_folder, unavailable
from syncline.warehouses.lake.delta import DeltaTables
from syncline.warehouses.lake.names import Names, read_names, write_names
from syncline.warehouses.lake.parquet import ParquetTables
from syncline.warehouses.lake.rows import outdated
from syncline.warehouses.lake.storage import EXTRAS, Storage, open_storage
from syncline.warehouses.limits import PLENTY
from syncline.warehouses.loading import Connection, ExistingColumn, Plan, SqlLoader
from syncline.warehouses.local_paths import check_is_foreign, check_is_foreign_folder
from syncline.warehouses.naming import Naming
from syncline.warehouses.rows import Order, Values, first_and_last, names_of
from syncline.warehouses.types import ColumnType, Kind
from syncline.warehouses.working import working_folder

LONGEST_NAME = 120


class LakeTables(Protocol):
    """How a table format reads and merges. What each does, :class:`~.parquet.ParquetTables` says."""

    def columns(self, table_name: str) -> dict[str, ColumnType]: ...
    def read(self, table_name: str, columns: Sequence[str]) -> Iterator[pa.Table]: ...
    def merge(
        self, table_name: str, rows: pa.Table, target: dict[str, ColumnType], key: Sequence[str], folder: Path
    ) -> None: ...


class LakeWarehouse(Warehouse):
    """A data lake.

    Args:
        home: The installation whose own folder is refused.
    """

    declaration = DECLARATION
    columns = PLENTY

    def __init__(self, home: Home | None = None) -> None:
        self._home = home

    def check(self, config: Configuration) -> list[WarehouseTestResult]:
        results: list[WarehouseTestResult] = []
        titles = ("Settings", "Driver", "Connect", "Create a folder and write to it", "Read", "Remove the folder")
        explain = explainer(DECLARATION.name, "", _secrets(config))
        try:
            settings = self._complete(config)
            results.append(_passed(titles[0]))
            _check_drivers(settings)
            results.append(_passed(titles[1]))
            storage = open_storage(settings)
            storage.files.isdir(storage.root)
            results.append(_passed(titles[2]))
            probe = storage.path(f"_syncline_check_{secrets.token_hex(6)}", "probe")
            try:
                storage.files.pipe_file(probe, b"probe")
                results.append(_passed(titles[3]))
                if storage.files.cat_file(probe) != b"probe":
                    raise WarehouseError("What was written was not what was read.", "Look at the storage's settings.")
                results.append(_passed(titles[4]))
            finally:
                if storage.files.exists(probe):
                    storage.files.rm(probe.rpartition("/")[0], recursive=True)
            results.append(_passed(titles[5]))
        except Exception as error:
            failure = _explained(error, explain)
            done = len(results)
            results.append(WarehouseTestResult(titles[done], "FAILED", failure.message, failure.remedy))
            results += skipped(titles[done + 1 :])
        return results

    @contextmanager
    def open(
        self,
        config: Configuration,
        schema: str,
        working_directory: Path,
        naming: Naming = Naming.FIVETRAN_NAMING,
    ) -> Iterator[Loader]:
        settings = self._complete(config)
        _check_drivers(settings)
        explain = explainer(DECLARATION.name, "", _secrets(config))
        with working_folder(working_directory) as folder:

            @contextmanager
            def connect() -> Iterator[Connection]:
                self._check_places(settings, schema)  # each time: what stands at a path may change
                yield LakeConnection(open_storage(settings), settings, schema, folder)

            yield SqlLoader(connect, lambda error: _explained(error, explain), folder, naming)

    def _complete(self, config: Configuration) -> DataLakeConfig:
        settings = _complete(config)
        self._check_places(settings)
        return settings

    def _check_places(self, config: DataLakeConfig, schema: str = "") -> None:
        """Refuse a folder, or a schema's folder in it, that leads to the installation's own files."""
        if config.folder is not None:
            try:
                check_folder(str(config.folder))
                check_is_foreign_folder(config.folder, self._home)
                check_is_foreign(config.folder / schema, self._home)
            except ValueError as error:
                raise WarehouseError(f"{config.folder} {error}.", "Choose another folder.") from None


class LakeConnection(Connection):
    """An open lake, working on one schema: one of its folders."""

    longest_name = LONGEST_NAME

    def __init__(self, storage: Storage, config: DataLakeConfig, schema: str, folder: Path) -> None:
        self.format: LakeTables = (
            DeltaTables(storage, schema) if config.table_format == "DELTA_LAKE" else ParquetTables(storage, schema)
        )
        self._storage = storage
        self._schema = schema
        self._folder = folder
        self._names = read_names(storage, schema)

    def prepare_schema(self) -> None:
        """Folders come with their files."""

    def tables(self) -> dict[str, str]:
        return {names.source: table for table, names in self._names.items()}

    def columns(self, table_name: str) -> dict[str, ExistingColumn]:
        names = self._names.get(table_name, Names(table_name))
        return {
            name: ExistingColumn(name, names.column_type(name, of), str(of), names.columns.get(name))
            for name, of in self.format.columns(table_name).items()
        }

    def change(self, plan: Plan, source_name: str, key: Sequence[str]) -> None:
        """Write the names down; the merge does the rest, in the one step in which it changes the table."""
        names = self._names.setdefault(plan.table_name, Names(source_name))
        names.columns.update({name: source for source, name in plan.names.items() if source != name})
        for name, column_type in plan.column_types.items():
            if column_type.kind in (Kind.JSON, Kind.XML):
                names.kinds[name] = column_type.kind
            else:
                names.kinds.pop(name, None)
        write_names(self._storage, self._schema, plan.table_name, names, self._folder)

    def latest(self, table_name: str, order: Order) -> Values | None:
        found = [first_and_last(part, order)[1] for part in self.format.read(table_name, names_of(order))]
        return max((last for last in found if last is not None), default=None)

    def outdated(self, table_name: str, rows: pa.Table, key: Sequence[str], order: Order) -> list[int]:
        columns = list(dict.fromkeys([*key, *names_of(order)]))
        return outdated(list(self.format.read(table_name, columns)), rows, key, order)

    def storable(self, column: pa.ChunkedArray, column_type: ColumnType) -> pa.ChunkedArray:
        return column

    def merge(self, plan: Plan, rows: pa.Table, key: list[str], folder: Path) -> None:
        """The rest of the table takes the batch's wider types."""
        standing = {name: column.column_type for name, column in self.columns(plan.table_name).items()}
        target = {name: of for name, of in standing.items() if of is not None} | plan.column_types
        self.format.merge(plan.table_name, rows, target, key, self._folder)


def _complete(config: Configuration) -> DataLakeConfig:
    missing = config.missing()
    if not isinstance(config, DataLakeConfig) or missing:
        raise WarehouseError(
            "The destination's configuration is incomplete.", f"Set {', '.join(str(field) for field in missing)}."
        )
    if setting := unavailable(config):
        raise WarehouseError(f"{setting} is not available yet.", "Choose another value, or leave it out.")
    return config


def _check_drivers(config: DataLakeConfig) -> None:
    if config.table_format == "DELTA_LAKE" and find_spec("deltalake") is None:
        raise missing_driver("Delta Lake tables", "delta")
    module, extra = EXTRAS.get(config.storage_provider, ("", ""))
    if module and find_spec(module) is None:
        raise missing_driver(f"{config.storage_provider} storage", extra)


def _secrets(config: Configuration) -> list[str]:
    _, secret = config.split()
    return [value for value in secret.values() if isinstance(value, str)]


def _explained(error: BaseException, explain: Any) -> WarehouseError:
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return WarehouseError(
            f"The lake's files cannot be read or written: {error.strerror or error}.",
            "Check the folder or bucket, what Syncline may do there, and the free space.",
        )
    explained: WarehouseError = explain(error)
    return explained


def _passed(title: str) -> WarehouseTestResult:
    return WarehouseTestResult(title, "PASSED", "")
