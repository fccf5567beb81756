"""Clients that are slow, idle or too many: they are cut off in time, and nobody else feels them."""

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from syncline.cli import processes

MOST_CONNECTIONS = 450
SLOW = 400
HEAD_TIMEOUT, BODY_TIMEOUT = 1.0, 3.0
BODY = b'{"name":"one"}'
POST = b"\r\n".join(
    (
        b"POST /v1/groups HTTP/1.1",
        b"Host: x",
        b"Content-Type: application/json",
        b"Authorization: %b",
        b"Content-Length: 14",
        b"\r\n",
    )
)


class Served:
    """A server with short time limits."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.home, self.log = folder / "home", folder / "log"
        key = json.loads((self.home / "api-key.json").read_text())
        self.auth = httpx.BasicAuth(key["key"], key["secret"])
        self.host, _, port = url.removeprefix("http://").partition(":")
        self.port = int(port)

    @property
    def post(self) -> bytes:
        """The head of a request that makes a group."""
        request = next(self.auth.auth_flow(httpx.Request("GET", self.url)))
        return POST % request.headers["Authorization"].encode()

    @contextlib.asynccontextmanager
    async def connections(self, count: int) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
        """So many network connections."""
        opened = await asyncio.gather(*(asyncio.open_connection(self.host, self.port) for _ in range(count)))
        try:
            yield list(opened)
        finally:
            for _, writer in opened:
                writer.transport.abort()

    async def health(self) -> int:
        """The status that somebody else is answered with."""
        async with httpx.AsyncClient(timeout=30) as client:
            return (await client.get(f"{self.url}/health")).status_code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("served")
    limits: dict[str, Any] = {
        "REQUEST_HEAD_TIMEOUT": HEAD_TIMEOUT,
        "REQUEST_BODY_TIMEOUT": BODY_TIMEOUT,
        "KEEP_ALIVE_TIMEOUT": 30,
        "MOST_CONNECTIONS": MOST_CONNECTIONS,
    }
    environment = {f"SYNCLINE_{name}": str(value) for name, value in limits.items()}
    environment["SYNCLINE_HOME"] = str(folder / "home")
    with processes.running(
        ["up", "--port", "0"], ready_file=folder / "up.json", log_file=folder / "log", environment=environment
    ) as state:
        yield Served(state["url"], folder)


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server closes the connection."""
    async with asyncio.timeout(30):
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


async def trickle(writer: asyncio.StreamWriter, part: bytes) -> None:
    """Send something again and again until the connection is gone."""
    with contextlib.suppress(ConnectionError):
        while not writer.transport.is_closing():
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.2)


async def test_slow_heads_are_cut_off_and_others_served_meanwhile(served: Served) -> None:
    begun = time.monotonic()
    async with served.connections(SLOW) as slow:
        trickling = []
        for number, (_, writer) in enumerate(slow):
            parts = (b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: x\r\n", b"\r\n")
            writer.write(parts[number % 4])
            trickling.append(asyncio.create_task(trickle(writer, (b"", b"x", b"a: b\r\n", b"\r\n")[number % 4])))
        assert await served.health() == 200
        answers = await asyncio.gather(*(rest_of(reader) for reader, _ in slow))
        assert time.monotonic() - begun >= HEAD_TIMEOUT
        for task in trickling:
            task.cancel()
    assert {answer[:12] for answer in answers} <= {b"", b"HTTP/1.1 408"}
    assert sum(b"RequestTimeout" in answer for answer in answers) > SLOW // 3


async def test_a_slow_body_is_cut_off_and_an_honest_one_is_not(served: Served) -> None:
    async with served.connections(2) as ((slow, slowly), (honest, honestly)):
        for writer in (slowly, honestly):
            writer.write(served.post)
        for start in range(len(BODY)):
            honestly.write(BODY[start : start + 1])
            await honestly.drain()
            await asyncio.sleep(HEAD_TIMEOUT / 100)
        assert (await honest.readline()).split()[1] == b"201"
        answer = await rest_of(slow)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"RequestTimeout" in answer


async def test_a_client_that_hangs_up_leaves_the_queue_of_writers(served: Served) -> None:
    other = sqlite3.connect(served.home / "syncline.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with served.connections(1) as ((patient, first),):
        first.write(served.post + b'{"name":"1st"}')
        async with served.connections(1) as ((_, second),):
            second.write(served.post + b'{"name":"2nd"}')
            assert await served.health() == 200, "by now the second waits"
        async with asyncio.timeout(30):
            while "the store is not available" not in served.log.read_text():  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.01)
        other.execute("COMMIT")
        assert (await patient.readline()).split()[1] == b"201"
    names = [row[0] for row in other.execute("SELECT name FROM groups")]
    other.close()
    assert "1st" in names
    assert "2nd" not in names


async def test_a_head_that_does_not_end_is_refused(served: Served) -> None:
    async with served.connections(1) as ((reader, writer),):
        writer.write(b"GET /health HTTP/1.1\r\n" + b"x: y\r\n" * 20_000)
        assert (await rest_of(reader)).startswith(b"HTTP/1.1 431")


async def test_what_is_not_http_is_answered_in_the_envelope(served: Served) -> None:
    async with served.connections(1) as ((reader, writer),):
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        answer = await rest_of(reader)
    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "InvalidInput"


async def test_idle_connections_make_room_and_busy_ones_do_not(served: Served) -> None:
    async with served.connections(MOST_CONNECTIONS) as idle:
        for _, writer in idle:
            writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        for reader, _ in idle:
            assert (await reader.readline()).split()[1] == b"200"
        assert await served.health() == 200, "an idle one was closed for it"
    async with served.connections(MOST_CONNECTIONS) as busy:
        for _, writer in busy:
            writer.write(served.post)
        async with served.connections(1) as ((reader, writer),):
            writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await rest_of(reader)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: " in answer.lower()
    assert b"ServiceUnavailable" in answer
