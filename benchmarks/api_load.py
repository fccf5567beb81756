"""The REST API under more callers than it can serve at once: what reads and creates take, and what is refused."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

CREATES = 0.1
"""The part of the requests that create a connection; the others retrieve one."""

PATIENCE = 120.0
"""Seconds after which a caller gives a request up."""


@dataclass
class Load:
    """What the callers of one store felt."""

    store: str
    clients: int
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"retrieve": [], "create": []})
    answers: dict[str, Counter[int]] = field(default_factory=lambda: {"retrieve": Counter(), "create": Counter()})
    """How often each status was answered; 0 for no answer at all."""


async def put_under_load(
    session: aiohttp.ClientSession, load: Load, ids: Sequence[str], bodies: Iterable[dict[str, Any]], requests: int
) -> None:
    """Let `load.clients` callers make `requests` requests in all, each the next one once the last was answered.

    Args:
        session: With the address and the key of the server, and as many connections as callers.
        load: Where to note what was felt.
        ids: Connections to retrieve.
        bodies: Connections to create, as many as are asked for.
        requests: How many of both kinds.
    """
    random_numbers = random.Random(20)
    kinds = iter(["create" if random_numbers.random() < CREATES else "retrieve" for _ in range(requests)])
    bodies = iter(bodies)

    async def caller() -> None:
        for kind in kinds:
            method, path, body = "GET", f"/v1/connections/{random_numbers.choice(ids)}", None
            if kind == "create":
                method, path, body = "POST", "/v1/connections", next(bodies)
            started = time.perf_counter()
            load.answers[kind][await _status(session, method, path, body)] += 1
            load.seconds[kind].append(time.perf_counter() - started)

    await asyncio.gather(*(caller() for _ in range(load.clients)))


def print_loads(console: Console, loads: Sequence[Load]) -> None:
    """Print a row for each store and kind of request."""
    table = Table(show_edge=False)
    for heading in ("store", "callers", "operation", "requests", "p50 ms", "p99 ms", "answers"):
        table.add_column(heading, justify="left" if heading in {"store", "operation", "answers"} else "right")
    for load in loads:
        for kind, seconds in load.seconds.items():
            found = sorted(seconds)
            percentiles = [f"{found[len(found) * percent // 100] * 1000:,.0f}" for percent in (50, 99)]
            answers = ", ".join(f"{count} x {status or 'none'}" for status, count in sorted(load.answers[kind].items()))
            table.add_row(load.store, str(load.clients), kind, str(len(found)), *percentiles, answers)
    console.print(table)
    console.print(f"all callers at once, {CREATES:.0%} of the requests create")


async def _status(session: aiohttp.ClientSession, method: str, path: str, body: Any) -> int:
    try:
        async with session.request(
            method, path, json=body, timeout=aiohttp.ClientTimeout(total=PATIENCE, sock_connect=PATIENCE)
        ) as response:
            await response.read()
            return response.status
    except (aiohttp.ClientError, TimeoutError):
        return 0
