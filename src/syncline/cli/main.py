"""The `syncline` command and its subcommands.

A subcommand's module is imported when it is called: the emulator has no need of the server's libraries, which take
seconds to import.
"""

from importlib import import_module

import typer
from typer.core import TyperGroup
from typer.main import get_command

_SUBCOMMANDS = {
    "up": "syncline.cli.up",
    "demo": "syncline.cli.demo.command",
    "emulator": "syncline.cli.emulator",
    "sync": "syncline.cli.sync",
    "api-key": "syncline.cli.api_key",
}
"""Each module has a Typer app named `app`."""


class _Subcommands(TyperGroup):
    """Finds a subcommand by importing its module."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return list(_SUBCOMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str):  # type: ignore[no-untyped-def, override]
        module = _SUBCOMMANDS.get(cmd_name)
        return get_command(import_module(module).app) if module else None


app = typer.Typer(
    name="syncline",
    cls=_Subcommands,
    help="Azure Service Bus messages become warehouse tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def main() -> None:
    """Azure Service Bus messages become warehouse tables."""
