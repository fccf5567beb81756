"""The emulator as the official JavaScript SDK sees it, on Node."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncline.emulator.emulator import EmulatorThread
from tests.emulator.administration_server import tls_context

FOLDER = Path(__file__).parent / "node"
LOCK_FILE = FOLDER / "package-lock.json"
NODE = shutil.which("node")
NPM = shutil.which("npm")

pytestmark = [
    pytest.mark.skipif(NODE is None or NPM is None, reason="node and npm are not installed on this machine"),
    pytest.mark.timeout(300),
]

CHECKS = re.findall(r'^  async (?:"([^"]+)"|(\w+))\(', (FOLDER / "checks.js").read_text(), re.MULTILINE)
NAMES = [quoted or bare for quoted, bare in CHECKS]


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock that other processes see, so that only one of them installs."""
    fcntl = pytest.importorskip("fcntl", reason="the packages are shared between processes through fcntl")
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def installed_packages() -> Path:
    """The folder whose node_modules fits the lock file; installed when it is not there yet."""
    digest = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("SYNCLINE_TEST_CACHE", Path(tempfile.gettempdir()) / f"syncline-tests-{os.getuid()}"))
    folder = cache / f"node-{digest}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    done = folder / "installed"
    with exclusive(folder / "lock"):
        if not done.exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(FOLDER / name, folder / name)
            subprocess.run(
                [str(NPM), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=folder,
                check=True,
                capture_output=True,
                timeout=240,
            )
            done.touch()
    return folder


def run_checks(authority_folder: Path) -> dict[str, str | None]:
    """The error of each check by its name; None for one that passed."""
    packages = installed_packages()
    authority_file = authority_folder / "authority.pem"
    with EmulatorThread(tls=tls_context(authority_file)) as emulator:
        done = subprocess.run(
            [str(NODE), str(FOLDER / "checks.js"), emulator.connection_string(), emulator.connection_string(tls=True)],
            env={
                **os.environ,
                "NODE_PATH": str(packages / "node_modules"),
                "NODE_EXTRA_CA_CERTS": str(authority_file),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    results: dict[str, str | None] = {}
    for line in map(json.loads, done.stdout.splitlines()):
        # A check that failed once has failed, whatever is said of it later.
        results[line["name"]] = results.get(line["name"]) or line["error"]
    return results


def test_the_javascript_sdk(tmp_path: Path, subtests: pytest.Subtests) -> None:
    results = run_checks(tmp_path)
    for name in [*NAMES, *(results.keys() - set(NAMES))]:
        with subtests.test(name):
            assert name in results, f"{name} gave no result"
            assert results[name] is None, results[name]


def test_the_lock_file_names_no_registry() -> None:
    assert "://" not in LOCK_FILE.read_text()
