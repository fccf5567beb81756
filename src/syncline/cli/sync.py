"""`syncline sync`: one sync in the terminal."""

import signal
from typing import Annotated

import typer
from rich.progress import Progress as ProgressBar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from syncline.cli.terminal import USER_ERRORS, console, fail, load_settings
from syncline.engine.runs import Ending
from syncline.engine.stopping import StopRequest
from syncline.engine.worker import CannotRunError, run_connection
from syncline.logs import configure_logging
from syncline.store.database import Database
from syncline.store.migrate import migrate
from syncline.store.models import Run, RunState
from syncline.store.sealing import load_sealer
from syncline.sync.run import Progress

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def sync(connection_id: Annotated[str, typer.Argument(help="The connection's id.")]) -> None:
    """Sync a connection now, in this terminal, whether or not the server runs."""
    settings = load_settings()
    configure_logging(settings.model_copy(update={"log_level": "WARNING"}))
    stop = StopRequest()
    signal.signal(signal.SIGINT, lambda *_: stop.make(RunState.CANCELLED))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        sealer = load_sealer(settings)
        migrate(settings.store_url)
        database = Database(settings.store_url)
        with ProgressBar(*columns, console=console) as bar:
            task = bar.add_task("reading ...")

            def show(progress: Progress) -> None:
                bar.update(task, description=_totals(progress.rows, progress.bytes, progress.batches))

            run, ending = run_connection(database, sealer, settings, connection_id, show, stop)
            bar.update(task, description=_totals(run.rows, run.bytes, run.batches))
    except (CannotRunError, *USER_ERRORS) as error:
        fail(str(error))
    _report(run, ending)


def _totals(rows: int, size: int, batches: int) -> str:
    return f"{rows:,} rows, {size / 1e6:,.1f} MB of messages, {batches:,} batches loaded"


def _report(run: Run, ending: Ending) -> None:
    if run.rejected:
        console.print(
            f"{run.rejected:,} messages could not be decoded or loaded: see the tables that end in __rejected"
        )
    if ending.state is RunState.SUCCEEDED:
        console.print(f"succeeded: {run.rows:,} rows")
        return
    fail(f"the sync was {ending.state}" + (f": {ending.error}" if ending.error else ""))
