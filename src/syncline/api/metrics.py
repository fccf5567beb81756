"""Numbers about this process and its store, in the format of Prometheus."""

import time

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syncline.store.database import Database
from syncline.store.models import Connection, Run, RunState

log = structlog.get_logger(__name__)

_METHODS = {"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"}
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """What is counted and measured. Each app has its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "syncline_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.durations = Histogram(
            "syncline_http_request_duration_seconds",
            "How long requests took.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.store_up = Gauge("syncline_store_up", "Whether the store answered.", registry=self.registry)
        self.connections = Gauge(
            "syncline_connections", "Connections in the store.", ["paused"], registry=self.registry
        )
        self.runs = Gauge("syncline_runs", "Syncs in the store, by state.", ["state"], registry=self.registry)

    async def render(self, database: Database) -> bytes:
        """The present numbers. Those of the store are read for it; without the store they are left out."""
        self.connections.clear()
        self.runs.clear()
        try:
            async with database.session(read_only=True) as session:
                paused = select(Connection.paused, func.count()).group_by(Connection.paused)
                connections = {bool(row[0]): row[1] for row in await session.execute(paused)}
                states = select(Run.state, func.count()).group_by(Run.state)
                runs = {str(row[0]): row[1] for row in await session.execute(states)}
        except (SQLAlchemyError, OSError) as error:
            log.warning("metrics without the store", error=type(error).__name__)
            self.store_up.set(0)
        else:
            self.store_up.set(1)
            for is_paused in (False, True):
                self.connections.labels(str(is_paused).lower()).set(connections.get(is_paused, 0))
            for state in RunState:
                self.runs.labels(state.value).set(runs.get(state.value, 0))
        return generate_latest(self.registry)


class Measured:
    """Counts and measures every request, by its route rather than its path, so that the numbers stay few."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", "none")
            self.metrics.requests.labels(method, route, str(status)).inc()
            self.metrics.durations.labels(method, route).observe(time.perf_counter() - started)
