"""Starting Syncline's own long-running commands as processes beside the present one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson


class ProcessFailedError(Exception):
    """A process ended, or did not report, before it was ready. Holds the end of what it printed."""


@contextlib.contextmanager
def running(
    arguments: list[str],
    *,
    ready_file: Path,
    log_file: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = 30.0,
) -> Iterator[dict[str, str]]:
    """Run `syncline ARGUMENTS` until the block ends; yield what it wrote to its ready file.

    Its output goes to `log_file`. At the end it gets SIGINT, as from Ctrl-C, and is killed if that does not help.
    Raises `ProcessFailedError` when it does not become ready within `timeout` seconds.
    """
    ready_file.unlink(missing_ok=True)
    with log_file.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "syncline", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            yield _wait_until_ready(process, ready_file, log_file, timeout)
        finally:
            _stop(process)


def _wait_until_ready(
    process: subprocess.Popen[bytes], ready_file: Path, log_file: Path, timeout: float
) -> dict[str, str]:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if ready_file.exists():
            state: dict[str, str] = orjson.loads(ready_file.read_bytes())
            return state
        if process.poll() is not None:
            raise ProcessFailedError(f"ended with status {process.returncode}:\n{_tail(log_file)}")
        time.sleep(0.02)
    raise ProcessFailedError(f"was not ready after {timeout:g} seconds:\n{_tail(log_file)}")


def _tail(log_file: Path, lines: int = 15) -> str:
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-lines:])


def _stop(process: subprocess.Popen[bytes], grace: float = 15.0) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def write_ready_file(path: Path, state: Mapping[str, str]) -> None:
    """Write a ready file in one step, so that nobody reads half of it."""
    draft = path.with_suffix(".tmp")
    draft.write_bytes(orjson.dumps(dict(state)))
    draft.replace(path)
