"""The REST API as its callers feel it: requests a second and latencies, on both stores, while connections grow."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, select, text

from benchmarks.api_load import Load, print_loads, put_under_load
from syncline.api.paging import make_cursor
from syncline.cli import processes
from syncline.store.database import Database
from syncline.store.models import Connection, Run, RunState, new_id, utc_now
from tests.support.postgres import PostgresServer

SIZES = (100, 10_000, 100_000)
PARALLEL = 16
PAGE = 100
_CHUNK = 2_000


@dataclass(frozen=True)
class Measured:
    """One operation on a store with so many connections."""

    store: str
    connections: int
    operation: str
    rate: float
    """Requests a second, with `PARALLEL` callers at once."""
    latencies: Sequence[float]
    """Seconds of each request of a caller who is alone, sorted."""

    def percentile(self, percent: int) -> float:
        """The milliseconds that so many percent of the requests stay within."""
        position = min(len(self.latencies) - 1, len(self.latencies) * percent // 100)
        return self.latencies[position] * 1000


@dataclass
class _Store:
    """A server on a store of one kind, and what of it there is to ask for."""

    name: str
    url: str
    database_url: str
    auth: aiohttp.BasicAuth
    group_id: str = ""
    connection_ids: list[str] | None = None


def measure(console: Console, folder: Path, sizes: Sequence[int], requests: int, clients: int) -> None:
    """Measure on SQLite and on PostgreSQL (without fsync: a test server), then print what was measured.

    Args:
        console: Where to print to.
        folder: For the stores and the logs of the servers.
        sizes: Numbers of connections, growing.
        requests: Requests of each measurement.
        clients: Callers at once, at the end, who make 20 requests each.
    """
    measured, loads = [], []
    for name, make_store in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        with make_store(folder / name) as store:
            measured += asyncio.run(_measure_store(console, store, sizes, requests))
            loads.append(asyncio.run(_load_store(console, store, clients)))
    table = Table(show_edge=False)
    for heading in (
        "store",
        "connections",
        "operation",
        f"requests/s, {PARALLEL} callers",
        "p50 ms",
        "p95 ms",
        "p99 ms",
    ):
        table.add_column(heading, justify="left" if heading in {"store", "operation"} else "right")
    for one in measured:
        percentiles = [f"{one.percentile(percent):.1f}" for percent in (50, 95, 99)]
        table.add_row(one.store, f"{one.connections:,}", one.operation, f"{one.rate:,.0f}", *percentiles)
    console.print(table)
    console.print("percentiles: of one caller alone\n")
    print_loads(console, loads)


@contextmanager
def _sqlite(folder: Path) -> Iterator[_Store]:
    with _server("SQLite", folder, f"sqlite:///{folder / 'home' / 'syncline.db'}") as store:
        yield store


@contextmanager
def _postgresql(folder: Path) -> Iterator[_Store]:
    server = PostgresServer()
    server.start()
    try:
        with _server("PostgreSQL", folder, server.url_of(server.create_database())) as store:
            yield store
    finally:
        server.stop()


@contextmanager
def _server(name: str, folder: Path, database_url: str) -> Iterator[_Store]:
    home = folder / "home"
    home.mkdir(parents=True)
    environment = {
        "SYNCLINE_HOME": str(home),
        "SYNCLINE_DATABASE_URL": database_url,
        "SYNCLINE_REQUESTS_PER_HOUR": "0",
    }
    with processes.running(
        ["up", "--port", "0"],
        ready_file=folder / "server.json",
        log_file=folder / "server.log",
        environment=environment,
    ) as state:
        key = orjson.loads((home / "api-key.json").read_bytes())
        yield _Store(name, state["url"], database_url, aiohttp.BasicAuth(key["key"], key["secret"]))


async def _measure_store(console: Console, store: _Store, sizes: Sequence[int], requests: int) -> list[Measured]:
    measured = []
    async with aiohttp.ClientSession(store.url, auth=store.auth) as session:
        store.group_id = (await _call(session, "POST", "/v1/groups", {"name": "bench"}))["id"]
        model = (await _call(session, "POST", "/v1/connections", _new_connection(store)))["id"]
        database = Database(store.database_url)
        try:
            ids = [model]
            for size in sizes:
                ids += await _add_connections(database, model, size - len(ids))
                store.connection_ids = ids
                console.print(f"measuring {store.name} with {size:,} connections ...")
                for name, request in (("retrieve", _retrieve), (f"list of {PAGE}", _list), ("create", _create)):
                    rate = await _rate(session, store, request, requests)
                    latencies = await _latencies(session, store, request, requests)
                    measured.append(Measured(store.name, size, name, rate, latencies))
        finally:
            await database.close()
    return measured


async def _load_store(console: Console, store: _Store, clients: int) -> Load:
    load = Load(store.name, clients)
    console.print(f"measuring {store.name} with {clients} callers at once ...")
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(store.url, auth=store.auth, connector=connector) as session:
        bodies = (_new_connection(store) for _ in itertools.count())
        await put_under_load(session, load, store.connection_ids or [], bodies, clients * 20)
    return load


Request = Callable[[aiohttp.ClientSession, _Store], Awaitable[Any]]


async def _rate(session: aiohttp.ClientSession, store: _Store, request: Request, requests: int) -> float:
    async def caller() -> None:
        for _ in range(requests // PARALLEL):
            await request(session, store)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(PARALLEL)))
    return requests // PARALLEL * PARALLEL / (time.perf_counter() - started)


async def _latencies(session: aiohttp.ClientSession, store: _Store, request: Request, requests: int) -> list[float]:
    found = []
    for _ in range(requests):
        started = time.perf_counter()
        await request(session, store)
        found.append(time.perf_counter() - started)
    return sorted(found)


async def _retrieve(session: aiohttp.ClientSession, store: _Store) -> None:
    await _call(session, "GET", f"/v1/connections/{random.choice(store.connection_ids or [])}")


async def _list(session: aiohttp.ClientSession, store: _Store) -> None:
    """A page from anywhere in the list, as a caller who walks through all of it asks for."""
    after = make_cursor(random.choice(store.connection_ids or []))
    await _call(session, "GET", f"/v1/connections?limit={PAGE}&cursor={after}")


async def _create(session: aiohttp.ClientSession, store: _Store) -> None:
    await _call(session, "POST", "/v1/connections", _new_connection(store))


async def _call(session: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with session.request(method, path, json=body) as response:
        content = orjson.loads(await response.read())
        if not response.ok:
            raise RuntimeError(f"{method} {path}: {response.status} {content}")
        return content["data"]


def _new_connection(store: _Store) -> dict[str, Any]:
    return {
        "group_id": store.group_id,
        "service": "azure_service_bus",
        "run_setup_tests": False,
        "paused": True,
        "config": {
            "schema": f"bench_{new_id()}",
            "auth_type": "ConnectionString",
            "connection_string": "Endpoint=sb://127.0.0.1;SharedAccessKeyName=bench;SharedAccessKey=YmVuY2g=",
            "message_type": "Json",
            "sync_type": "Unpacked",
        },
    }


async def _add_connections(database: Database, model: str, count: int) -> list[str]:
    """Copy a connection so many times, straight into the store, each with a run; return the copies' ids."""
    ids = [new_id() for _ in range(count)]
    now = utc_now()
    async with database.session(read_only=True) as session:
        row = (await session.execute(select(Connection.__table__).where(Connection.id == model))).mappings().one()
    # They wait for a sync that is far away, as most connections do at any moment.
    values = {**row, "paused": False, "was_connected": True, "next_sync_at": now + timedelta(days=1)}
    for start in range(0, count, _CHUNK):
        chunk = ids[start : start + _CHUNK]
        async with database.session() as session:
            copies = [{**values, "id": id_, "schema": f"bench_{id_}", "succeeded_at": now} for id_ in chunk]
            await session.execute(insert(Connection), copies)
            runs = [{"connection_id": id_, "trigger": "schedule", "state": RunState.SUCCEEDED} for id_ in chunk]
            await session.execute(insert(Run), runs)
    async with database.session() as session:
        await session.execute(text("ANALYZE"))  # as PostgreSQL's autovacuum does; the test server has it turned off
    return ids
