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


def start(
    arguments: list[str],
    *,
    ready_file: Path,
    log_file: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """Start `syncline ARGUMENTS` and wait for its ready file; return the process and what the file holds.

    The command has to take `--ready-file`, which is added. Its output goes to the end of `log_file`.
    Raises `ProcessFailedError` when it does not become ready within `timeout` seconds.
    """
    ready_file.unlink(missing_ok=True)
    with log_file.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "syncline", *arguments, "--ready-file", str(ready_file)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        return process, _wait_until_ready(process, ready_file, log_file, timeout)
    except BaseException:
        stop(process)
        raise


def stop(process: subprocess.Popen[bytes], grace: float = 20.0) -> None:
    """End a process as Ctrl-C would, and kill it if it has not ended after `grace` seconds."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def running(
    arguments: list[str], *, ready_file: Path, log_file: Path, environment: Mapping[str, str] | None = None
) -> Iterator[dict[str, str]]:
    """Run `syncline ARGUMENTS` until the block ends; yield what its ready file holds. Raises as `start` does."""
    process, state = start(arguments, ready_file=ready_file, log_file=log_file, environment=environment)
    try:
        yield state
    finally:
        stop(process)


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


def write_ready_file(path: Path, state: Mapping[str, str]) -> None:
    """Write a ready file in one step, so that nobody reads half of it."""
    draft = path.with_suffix(".tmp")
    draft.write_bytes(orjson.dumps(dict(state)))
    draft.replace(path)
