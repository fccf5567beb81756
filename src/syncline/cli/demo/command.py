"""The `demo` command: runs the story and says how it ended."""

from pathlib import Path
from typing import Annotated

import typer

from syncline.cli.demo.run import DemoFailedError, run_demo
from syncline.cli.processes import ProcessFailedError
from syncline.cli.terminal import console, fail

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Folder for the demo's state; emptied first.", file_okay=False)] = Path(
        "syncline-demo"
    ),
) -> None:
    """Move 6,000 messages from a Service Bus emulator into DuckDB through the API, and check every one."""
    try:
        comparison = run_demo(console, folder)
    except (DemoFailedError, ProcessFailedError) as error:
        fail(f"{error}\nlogs: {folder}/server.log, {folder}/emulator.log")
    if comparison.example:
        console.print(f"first difference: {comparison.example}", markup=False)
    console.print()
    console.print(
        f"demo: {comparison.messages} messages in {comparison.tables} tables, "
        f"{comparison.lost} lost, {comparison.duplicated} duplicated"
    )
    if not comparison.is_clean:
        raise typer.Exit(1)
