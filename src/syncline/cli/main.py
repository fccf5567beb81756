"""The `syncline` command and its subcommands."""

import typer

from syncline.cli.api_key import api_key
from syncline.cli.demo.command import demo
from syncline.cli.emulator import emulator
from syncline.cli.sync import sync
from syncline.cli.up import up

app = typer.Typer(
    name="syncline",
    help="Azure Service Bus messages become warehouse tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(demo)
app.command()(emulator)
app.command()(sync)
app.add_typer(api_key, name="api-key")
