"""What the commands share on a terminal."""

from typing import Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from syncline.api.errors import ApiError
from syncline.settings import Settings
from syncline.store.database import DatabaseUrlError
from syncline.store.migrate import MigrationError
from syncline.store.sealing import SealingError
from syncline.store.turns import StoreUnavailableError

USER_ERRORS = (ApiError, DatabaseUrlError, MigrationError, SealingError, StoreUnavailableError, OSError)
"""Errors whose text is written for the person at the terminal."""

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def fail(message: str, status: int = 1) -> NoReturn:
    """Say what went wrong on standard error and end the command."""
    errors.print("error: ", style="bold red", end="")
    errors.print(message, markup=False, soft_wrap=True)
    raise typer.Exit(status)


def load_settings(**options: Any) -> Settings:
    """The settings from the environment and the command's options; a wrong one ends the command with its name."""
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        problems = [f"SYNCLINE_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
        fail("; ".join(problems), status=2)
