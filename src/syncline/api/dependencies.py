"""What endpoints get from the running app, instead of from globals.

All of it is at hand, so these are coroutines: FastAPI would run plain functions in threads, each at a cost.
"""

from typing import Annotated

from fastapi import Depends, Request

from syncline.engine.executor import Executor
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.sealing import Sealer


async def get_settings(request: Request) -> Settings:
    """The settings of this process."""
    settings: Settings = request.app.state.settings
    return settings


async def get_database(request: Request) -> Database:
    """The store."""
    database: Database = request.app.state.database
    return database


async def get_sealer(request: Request) -> Sealer:
    """What opens and seals secrets."""
    sealer: Sealer = request.app.state.sealer
    return sealer


async def get_executor(request: Request) -> Executor:
    """What runs syncs."""
    executor: Executor = request.app.state.executor
    return executor


async def get_base_url(request: Request) -> str:
    """Where people reach this server, without a slash at the end: as the settings say, else as the client did."""
    return ((await get_settings(request)).public_url or str(request.base_url)).rstrip("/")


CurrentBaseUrl = Annotated[str, Depends(get_base_url)]
CurrentSettings = Annotated[Settings, Depends(get_settings)]
CurrentDatabase = Annotated[Database, Depends(get_database)]
CurrentSealer = Annotated[Sealer, Depends(get_sealer)]
CurrentExecutor = Annotated[Executor, Depends(get_executor)]
