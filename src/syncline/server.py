"""The server: the REST API, the scheduler and the executor in one process.

Run it with ``syncline up``, or with ``uvicorn --factory syncline.server:create_app``.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from syncline.accounts.endpoints import router as accounts
from syncline.accounts.first_start import prepare
from syncline.accounts.system_key_endpoints import router as system_keys
from syncline.api.middleware import install, is_api_path
from syncline.api.needs import check_operations
from syncline.api.openapi import operation_id, use_document
from syncline.api.operations import router as operations
from syncline.api.pages import router as pages
from syncline.connections.endpoints import router as connections
from syncline.destinations.endpoints import router as destinations
from syncline.engine.local import LocalExecutor
from syncline.engine.scheduler import Scheduler
from syncline.groups.endpoints import router as groups
from syncline.logs import configure_logging
from syncline.metadata.endpoints import router as metadata
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.readiness import SEALED_SHUT
from syncline.store.sealing import load_sealer
from syncline.store.stored_secrets import all_can_be_opened
from syncline.tables.endpoints import router as tables
from syncline.trust.endpoints import router as trust

log = structlog.get_logger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Put the app together.

    Its lifespan makes the installation ready (see :func:`syncline.accounts.first_start.prepare`) and runs the
    executor and the scheduler.

    Args:
        settings: Those of the environment when absent; then logging is configured from them too.
    """
    if settings is None:
        settings = Settings()
        configure_logging(settings)
    app = FastAPI(
        title="Syncline",
        description="Create, run and watch connections. The same API that tools for hosted data movement speak.",
        lifespan=_lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
    )
    app.state.settings = settings
    routers = (
        accounts,
        system_keys,
        groups,
        destinations,
        connections,
        tables,
        trust,
        metadata,
        operations,
        pages,
    )
    for router in routers:
        app.include_router(router)
    check_operations(_operations(routers))
    use_document(app)
    install(app, settings)
    return app


def _operations(routers: Iterable[APIRouter]) -> Iterator[tuple[str, str]]:
    """Method and path of each operation that is reached through the gate."""
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and is_api_path(route.path):
                yield from ((method, route.path) for method in sorted(route.methods or ()))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    first_key = await prepare(settings)
    if first_key is not None:
        log.info("made the account and its first API key", key=first_key.key, written_to=str(first_key.path))
    database = Database(settings.store_url)
    executor = LocalExecutor(settings, database)
    scheduler = Scheduler(settings, database, executor)
    app.state.database = database
    app.state.sealer = sealer = load_sealer(settings)
    if not await asyncio.to_thread(all_can_be_opened, database, sealer):
        log.error(SEALED_SHUT)
    app.state.executor = executor
    try:
        await executor.start()
        await scheduler.start()
        log.info("server ready", home=str(settings.home))
        yield
        log.info("server stopping")
    finally:
        await scheduler.close()
        await executor.close()
        await database.close()
