"""What endpoints get from the running app, instead of from globals."""

from typing import Annotated

from fastapi import Depends, Request

from syncline.engine.executor import Executor
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.sealing import Sealer


def get_settings(request: Request) -> Settings:
    """The settings of this process."""
    settings: Settings = request.app.state.settings
    return settings


def get_database(request: Request) -> Database:
    """The store."""
    database: Database = request.app.state.database
    return database


def get_sealer(request: Request) -> Sealer:
    """What opens and seals secrets."""
    sealer: Sealer = request.app.state.sealer
    return sealer


def get_executor(request: Request) -> Executor:
    """What runs syncs."""
    executor: Executor = request.app.state.executor
    return executor


CurrentSettings = Annotated[Settings, Depends(get_settings)]
CurrentDatabase = Annotated[Database, Depends(get_database)]
CurrentSealer = Annotated[Sealer, Depends(get_sealer)]
CurrentExecutor = Annotated[Executor, Depends(get_executor)]
