"""A cloud warehouse: its setup tests and its loader."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlt.common.destination import Destination

from syncline.declarations import Configuration
from syncline.networking import HostPolicy, HostRefused, first_reachable, own_words
from syncline.warehouses import dlt_runtime
from syncline.warehouses.base import Loader, Warehouse, WarehouseTestResult
from syncline.warehouses.checks import CREATE_SCHEMA, DROP, WRITE, Step, run_steps, skipped
from syncline.warehouses.cloud.connection import connected, open_client, run_ddl
from syncline.warehouses.cloud.errors import explainer, missing_driver
from syncline.warehouses.cloud.service import CloudService
from syncline.warehouses.errors import WarehouseError, WarehouseUnavailable, refused_host
from syncline.warehouses.limits import ColumnLimits
from syncline.warehouses.loading import Connection, SqlLoader
from syncline.warehouses.naming import Naming
from syncline.warehouses.sql import staging_schema
from syncline.warehouses.working import working_folder

REACH_TIMEOUT = 10.0
"""Seconds in which the service's port must answer a setup test."""


class CloudWarehouse(Warehouse):
    """A warehouse that dlt loads into."""

    drops_columns = True

    def __init__(self, service: CloudService, hosts: HostPolicy | None = None) -> None:
        """`hosts` says which hosts may be connected to."""
        self.declaration = service.declaration
        self.service = service
        self._hosts = hosts or HostPolicy()

    @property
    def columns(self) -> ColumnLimits:
        return self.service.columns

    def check(self, config: Configuration) -> list[WarehouseTestResult]:
        schema = self.service.dialect.fold(f"syncline_check_{secrets.token_hex(6)}")
        explain = _explainer(self.service, config)
        steps = [
            Step("Settings", lambda: self._check_settings(config)),
            Step("Driver", self._check_driver),
            Step("Reach the service", lambda: self._check_address(config)),
        ]
        results = run_steps(steps, explain)
        if results[-1].status != "PASSED":
            return [*results, *skipped(_CONNECTED)]
        with tempfile.TemporaryDirectory(prefix="syncline-check-") as folder:
            dlt_runtime.prepare(Path(folder))
            return [*results, *self._check_connected(config, schema, explain)]

    @contextmanager
    def open(
        self,
        config: Configuration,
        schema: str,
        working_directory: Path,
        naming: Naming = Naming.FIVETRAN_NAMING,
    ) -> Iterator[Loader]:
        self._check_settings(config)
        self._check_driver()
        service = self.service
        schema = service.dialect.fold(schema)
        staging = service.dialect.fold(staging_schema(schema, service.longest_name))
        with working_folder(working_directory) as folder:

            @contextmanager
            def connect() -> Iterator[Connection]:
                dlt_runtime.prepare(folder)
                with connected(service, self._destination(config, staging), schema) as connection:
                    yield connection

            explain = _explainer(service, config)
            yield SqlLoader(connect, explain, folder, naming)

    def _check_settings(self, config: Configuration) -> None:
        missing = config.missing()
        if missing:
            raise WarehouseError(
                "The destination's configuration is incomplete.", f"Set {', '.join(str(field) for field in missing)}."
            )
        if setting := self.service.unavailable(config):
            raise WarehouseError(f"{setting} is not available yet.", "Choose another value, or leave it out.")

    def _check_driver(self) -> None:
        if not _is_installed(self.service.driver):
            raise missing_driver(self.service.name, self.service.extra)

    def _check_address(self, config: Configuration) -> None:
        """See that something answers where the service should."""
        place = self.service.address(config)
        if place is not None:
            with _explained(self.service.name, place):
                self._hosts.connect(*place, REACH_TIMEOUT).close()

    def _destination(self, config: Configuration, staging: str) -> Destination[Any, Any]:
        """The dlt destination, for one connection: where it leads is looked at each time.

        Raises:
            WarehouseConfigurationError: That is not to be connected to.
            WarehouseUnavailable: It does not answer.
        """
        place = self.service.address(config)
        if place is None:
            return self.service.destination(config, staging)
        with _explained(self.service.name, place):
            addresses = self._hosts.addresses(*place)
            if self.service.pinned is None:
                return self.service.destination(config, staging)
            return self.service.pinned(config, staging, str(first_reachable(addresses, place[1], REACH_TIMEOUT)))

    def _check_connected(
        self, config: Configuration, schema: str, explain: Callable[[BaseException], WarehouseError]
    ) -> list[WarehouseTestResult]:
        """Connect, make a schema and a table in it, write a row, and drop the schema, whatever happened in it."""
        try:
            with open_client(self._destination(config, f"{schema}_staging"), schema) as client:
                sql = client.sql_client

                def write() -> None:
                    run_ddl(client, "probe", {"value": {"data_type": "bigint"}}, alter=False)
                    sql.execute_sql(f"INSERT INTO {sql.make_qualified_table_name('probe')} VALUES (1)")  # noqa: S608

                made = run_steps([Step(CONNECT, lambda: None), Step(CREATE_SCHEMA, sql.create_dataset)], explain)
                if made[-1].status != "PASSED":
                    return [*made, *skipped([WRITE, DROP])]
                written = run_steps([Step(WRITE, write)], explain)
                return [*made, *written, *run_steps([Step(DROP, sql.drop_dataset)], explain)]
        except Exception as error:
            failure = explain(error)
            failed = WarehouseTestResult(CONNECT, "FAILED", failure.message, failure.remedy)
            return [failed, *skipped(_CONNECTED[1:])]


@contextmanager
def _explained(name: str, place: tuple[str, int]) -> Iterator[None]:
    """Makes errors of a destination of those of connecting."""
    try:
        yield
    except HostRefused as error:
        raise refused_host(error) from error
    except OSError as error:
        raise WarehouseUnavailable(
            f"{name} at {place[0]}:{place[1]} cannot be reached: {own_words(error, 'no connection')}.",
            "Check the host and the port, and that the service accepts connections from here.",
        ) from error


CONNECT = "Connect"
_CONNECTED = (CONNECT, CREATE_SCHEMA, WRITE, DROP)


def _explainer(service: CloudService, config: Configuration) -> Callable[[BaseException], WarehouseError]:
    hidden = service.secrets(config)
    return explainer(service.name, service.extra, hidden, service.refusals, repeats_answers=service.repeats_answers)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
