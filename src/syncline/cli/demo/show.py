"""What the demo prints."""

import copy
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

_MARKS = {
    "PASSED": "[green]✔ passed[/]",
    "FAILED": "[red]✘ failed[/]",
    "SKIPPED": "[dim]– skipped[/]",
    "WARNING": "[yellow]! warning[/]",
}
_PREVIEW_COLUMNS = 7


def step(console: Console, text: str) -> None:
    """Announce a step of the demo."""
    console.print(f"\n[bold cyan]▸ {text}[/]")


def without_secrets(request: dict[str, Any]) -> dict[str, Any]:
    """The request as it may be shown: with its connection string's key hidden."""
    shown = copy.deepcopy(request)
    parts = shown["config"]["connection_string"].split(";")
    shown["config"]["connection_string"] = ";".join(
        "SharedAccessKey=******" if part.startswith("SharedAccessKey=") else part for part in parts
    )
    return shown


def setup_tests(console: Console, connection: dict[str, Any]) -> None:
    """Print the setup tests of a created connection as a table."""
    table = Table(title="Setup tests", title_justify="left", show_edge=False)
    for column in ("", "Test", "Message"):
        table.add_column(column)
    for test in connection["setup_tests"]:
        table.add_row(_MARKS.get(test["status"], test["status"]), test["title"], test["message"])
    console.print(table)
    console.print(f"  connection {connection['id']} is {connection['status']['setup_state']}")


def tables(console: Console, database: Path, schema: str, names: tuple[str, ...], preview: bool = True) -> None:
    """Print the tables of the warehouse with their row counts and, if wanted, the first rows of one."""
    with duckdb.connect(str(database), read_only=True) as connection:
        counts = Table(title=f"Tables in {database.name}", title_justify="left", show_edge=False)
        counts.add_column("Table")
        counts.add_column("Rows", justify="right")
        counts.add_column("Columns", justify="right")
        for name in names:
            table = f'"{schema}"."{name}"'
            ((rows,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608 - own names
            counts.add_row(f"{schema}.{name}", f"{rows:,}", str(len(connection.table(table).columns)))
        console.print(counts)
        if preview:
            _preview(console, connection, schema, names[0])


def _preview(console: Console, connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> None:
    columns = connection.table(f'"{schema}"."{name}"').columns
    shown = ["message_id", "sequence_num", *(column for column in columns if column.startswith("value_"))]
    shown = shown[:_PREVIEW_COLUMNS]
    selected = ", ".join(f'"{column}"' for column in shown)
    query = f'SELECT {selected} FROM "{schema}"."{name}" ORDER BY sequence_num LIMIT 5'  # noqa: S608 - own names
    table = Table(title=f"First rows of {schema}.{name}", title_justify="left", show_edge=False)
    for column in shown:
        table.add_column(column, overflow="ellipsis", no_wrap=True, max_width=24)
    for row in connection.execute(query).fetchall():
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print(table)


def next_commands(console: Console, database: Path, schema: str) -> None:
    """Print how to go on by hand."""
    step(console, "To go on by hand")
    home = database.parent / "home"
    query = f"import duckdb; print(duckdb.connect('{database}').sql('FROM {schema}.orders LIMIT 10'))"
    commands = [
        ("look at the rows", f'.venv/bin/python -c "{query}"'),
        ("run the emulator", ".venv/bin/syncline emulator --port 5672"),
        ("run the server", f"SYNCLINE_HOME={home} .venv/bin/syncline up"),
        ("your API key", f"cat {home / 'api-key.json'}"),
    ]
    for title, command in commands:
        console.print(f"  {title:<17} {command}", soft_wrap=True, highlight=False, markup=False)
