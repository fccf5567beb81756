"""What the tests of destinations look at from outside."""

import asyncio
import time

import psutil


def check_processes(process_id: int | None = None) -> list[psutil.Process]:
    """The processes that run setup tests of destinations for a server: the present process, unless told otherwise."""
    found = []
    for child in psutil.Process(process_id).children():
        try:
            if "syncline.destinations.check_process" in child.cmdline():
                found.append(child)
        except psutil.Error:
            continue
    return found


async def check_begun() -> None:
    """Wait until a setup test is under way: its process has been started, and takes a while to import what it needs."""
    deadline = time.monotonic() + 60
    while True:
        if check_processes():
            return
        assert time.monotonic() < deadline, "no process was started for the setup tests"
        await asyncio.sleep(0.01)
