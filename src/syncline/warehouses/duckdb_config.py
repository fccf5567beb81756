"""What DuckDB declares."""

from pathlib import Path

from syncline.declarations import Configuration, InvalidField, ServiceDeclaration, setting
from syncline.declarations.errors import shown
from syncline.home import Home
from syncline.warehouses.local_paths import check_absolute, check_is_file, check_is_foreign

_EXAMPLE = "/data/warehouse.duckdb"
_LOGS = (".wal", ".wal.checkpoint", ".wal.recovery")
"""What DuckDB adds to a file's name for the files that it writes beside it."""


def check_database_file(value: str, home: Home | None = None) -> None:
    """Refuse what can never be a DuckDB file of a destination. Looks at what is there, and opens nothing.

    Args:
        value: The path.
        home: The installation whose own files are no destinations.

    Raises:
        ValueError: With what is wrong and what to send.
    """
    check_absolute(value, _EXAMPLE)
    if value.endswith("/"):
        raise ValueError(f"ends with /, as folders do: send the path of a file, such as {_EXAMPLE}")
    check_is_file(Path(value))
    check_is_foreign(Path(value), home)
    for log in (Path(value + ending) for ending in _LOGS):
        try:
            check_is_file(log)
            check_is_foreign(log, home)
        except ValueError as error:
            raise ValueError(f"cannot have its log beside it, because {log.name} {error}") from None


class DuckdbConfig(Configuration):
    """Where the DuckDB file is."""

    path: str | None = setting(
        title="Database file",
        description="The absolute path of the DuckDB file on the machine that runs Syncline, outside of Syncline's "
        "home folder. It is made when it is missing.",
        required=True,
        example=_EXAMPLE,
        check=check_database_file,
    )

    def check_places(self, home: Home, path: str = "config") -> None:
        if self.path:
            try:
                check_database_file(self.path, home)
            except ValueError as error:
                raise InvalidField(f"{path}.path", str(error), value=shown(self.path)) from None


DECLARATION = ServiceDeclaration(
    service="duckdb", name="DuckDB", description="A DuckDB file on this machine.", config=DuckdbConfig
)
