"""Run dlt on what it is told, and on nothing else.

Left alone, dlt looks for settings and secrets in environment variables, in ``.dlt`` folders and in vaults, and reports
its use. Here it is given a run context whose only source of settings is :data:`SETTINGS`.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import ConfigProvider
from dlt.common.configuration.providers.dictionary import DictionaryProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.destination import Destination
from dlt.common.runtime.run_context import RunContext
from dlt.common.schema.typing import TColumnSchema
from dlt.common.storages.file_storage import FileStorage
from dlt.common.typing import TLoaderFileFormat

PIPELINE = "syncline"
"""Name of the pipeline, and with it of dlt's schema and of its rows in ``_dlt_loads`` and ``_dlt_version``."""

SETTINGS: dict[str, Any] = {
    "runtime": {
        "dlthub_telemetry": False,
        # dlt's records would tell names of tables and files, and its errors are raised anyway.
        "log_level": "CRITICAL",
        # Signals belong to the worker process, not to a library in it.
        "intercept_signals": False,
    },
    "providers": {"enable_airflow_secrets": False, "enable_google_secrets": False, "enable_aws_secrets": False},
    "schema": {"naming": "direct"},
    # What stands in the destination is looked up there, by us, before each load.
    "restore_from_destination": False,
    "enable_runtime_trace": False,
    "normalize": {"workers": 1, "parquet_normalizer": {"add_dlt_load_id": False, "add_dlt_id": False}},
    # A failed load is reported, not tried again: the sync that runs it decides.
    "load": {"workers": 1, "raise_on_max_retries": 1, "delete_completed_jobs": True},
}

_lock = threading.Lock()
_check_name = FileStorage.validate_file_name_component
"""What dlt thinks of the name of a table: its files are named after it."""


class _Settings(DictionaryProvider):
    def __init__(self) -> None:
        super().__init__()
        self._config_doc = SETTINGS


class _Context(RunContext):
    """A run context that knows no folder but the one it is given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self._folder = str(folder)

    @property
    def global_dir(self) -> str:
        return self._folder

    @property
    def run_dir(self) -> str:
        return self._folder

    @property
    def local_dir(self) -> str:
        return self._folder

    @property
    def data_dir(self) -> str:
        return self._folder

    def initial_providers(self) -> list[ConfigProvider]:
        return [_Settings()]


def prepare(folder: Path) -> None:
    """Put dlt under our run context. Loads of this process share it; each has a folder of its own all the same."""
    with _lock:
        container = Container()
        if PluggableRunContext in container and isinstance(container[PluggableRunContext].context, _Context):
            return
        container[PluggableRunContext] = PluggableRunContext(_Context(folder))
        # dlt wants file names that would do on any system, and so has no tables called like a device of Windows (aux,
        # con, nul). Its files stand in a folder of this machine alone, where those are names like others; the rest of
        # what it looks for holds.
        FileStorage.validate_file_name_component = staticmethod(  # type: ignore[method-assign]
            lambda name: _check_name(f"_{name}")
        )


def merge(
    destination: Destination[Any, Any],
    schema: str,
    table_name: str,
    table: pa.Table,
    columns: dict[str, TColumnSchema],
    key: list[str],
    folder: Path,
    file_format: TLoaderFileFormat = "parquet",
) -> None:
    """Merge `table` into the existing table `table_name` by `key`, in one transaction.

    `folder` is a new folder for this load alone: every load starts from what it is given.

    dlt keeps the stack that it was called from, with all that stands on it, for as long as the process lives. So it
    works in a thread of its own, on whose stack no rows are left: otherwise each load would keep its whole batch.
    """
    rows = [table]

    def run() -> None:
        prepare(folder)
        pipeline = dlt.pipeline(
            pipeline_name=PIPELINE, pipelines_dir=str(folder), destination=destination, dataset_name=schema
        )
        resource = dlt.resource(
            iter(lambda: rows.pop() if rows else None, None),
            name=table_name,
            write_disposition={"disposition": "merge", "strategy": "delete-insert"},
            primary_key=key,
            columns=columns,
            file_format=file_format,
        )
        pipeline.run(resource, loader_file_format=file_format)

    with ThreadPoolExecutor(1, thread_name_prefix="load") as thread:
        thread.submit(run).result()
