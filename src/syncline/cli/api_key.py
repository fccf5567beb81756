"""`syncline api-key`: make, list, rotate and revoke API keys."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from syncline.accounts.service import NewKey, create_api_key, list_api_keys, revoke_api_key, rotate_api_key
from syncline.cli.terminal import USER_ERRORS, console, fail, load_settings
from syncline.store.database import Database
from syncline.store.migrate import migrate

Result = TypeVar("Result")

app = typer.Typer(
    name="api-key",
    help="Make, list, rotate and revoke API keys.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    user: Annotated[str | None, typer.Option(help="E-mail address of the key's user; else an administrator.")] = None,
) -> None:
    """Make an API key of a user and show it once."""
    _show(_in_store(lambda database: create_api_key(database, name, email=user)))


@app.command("list")
def list_() -> None:
    """Show all API keys, without their secrets."""
    table = Table(show_edge=False)
    for column in ("Key", "Name", "Made", "Ends", "Revoked"):
        table.add_column(column)
    for key in _in_store(list_api_keys):
        times = (key.created_at, key.expires_at, key.revoked_at)
        table.add_row(key.key, key.name, *(f"{time:%Y-%m-%d %H:%M}" if time else "" for time in times))
    console.print(table)


@app.command()
def rotate(key: Annotated[str, typer.Argument(help="The key, as `api-key list` shows it.")]) -> None:
    """Give a key another secret and show it once. The old secret is refused from now on."""
    _show(_in_store(lambda database: rotate_api_key(database, key)))


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="The key, as `api-key list` shows it.")]) -> None:
    """Refuse a key from now on."""
    _in_store(lambda database: revoke_api_key(database, key))
    console.print(f"API key {key} is revoked")


def _show(made: NewKey) -> None:
    console.print(f"API key     {made.key}")
    console.print(f"API secret  {made.secret}   (shown this once)")


def _in_store(work: Callable[[Database], Awaitable[Result]]) -> Result:
    settings = load_settings()

    async def run() -> Result:
        database = Database(settings.store_url)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        migrate(settings.store_url)
        return asyncio.run(run())
    except USER_ERRORS as error:
        fail(str(error))
