"""`python -m syncline` is the `syncline` command."""

from syncline.cli.main import app

app(prog_name="syncline")
