"""What the commands share on a terminal."""

from typing import NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from syncline.settings import Settings

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def fail(message: str, status: int = 1) -> NoReturn:
    """Say what went wrong on standard error and end the command."""
    errors.print("error: ", style="bold red", end="")
    errors.print(message, markup=False, soft_wrap=True)
    raise typer.Exit(status)


def load_settings() -> Settings:
    """The settings from the environment; a wrong one ends the command with its variable's name."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [f"SYNCLINE_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
        fail("; ".join(problems), status=2)
