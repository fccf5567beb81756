"""The whole server as a process: it starts, answers, and ends cleanly."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import httpx


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _wait_until_up(client: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    for _ in range(600):
        assert process.returncode is None, "the server ended"
        try:
            if (await client.get("/health")).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.05)
    raise AssertionError("the server did not answer")


async def test_uvicorn_serves_the_app_from_the_environment_alone(tmp_path: Path, store_url: str) -> None:
    home, port, log = tmp_path / "home", _free_port(), tmp_path / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", "--factory", "syncline.server:create_app", "--port", str(port)),
            stdout=output,
            stderr=output,
            env={
                **os.environ,
                "SYNCLINE_HOME": str(home),
                "SYNCLINE_DATABASE_URL": store_url,
                "SYNCLINE_LOG_FORMAT": "json",
            },
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await _wait_until_up(client, process)
            first = json.loads((home / "api-key.json").read_text())
            client.auth = (first["key"], first["secret"])  # type: ignore[assignment]
            assert (await client.post("/v1/groups", json={"name": "one"})).status_code == 201
            assert len((await client.get("/v1/groups")).json()["data"]["items"]) == 1
            assert (await client.get("/v1/connections")).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 30)
    text = log.read_text()
    assert process.returncode in {0, -signal.SIGINT, 130}, text
    assert first["secret"] not in text
    assert "Traceback" not in text
    events = [json.loads(line)["event"] for line in text.splitlines() if line.startswith("{")]
    assert {"made the account and its first API key", "server ready", "request", "server stopping"} <= set(events)
