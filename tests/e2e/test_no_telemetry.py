"""Nothing phones home: no process of Syncline connects, or asks for a name, beyond the loopback interface."""

import os
from pathlib import Path

from tests.e2e.product import connection_body, emulator_process, publish, server_process

AUDIT = """
import ipaddress, os, sys

REPORT = {report!r}

def is_loopback(host):
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False

def watch(event, arguments):
    if event == "socket.getaddrinfo" or event == "socket.gethostbyname":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if not isinstance(address, tuple):
            return
        host = address[0]
    else:
        return
    if not is_loopback(host):
        with open(REPORT, "a") as report:
            report.write(f"{sys.argv} {event} {host!r}\\n")
        raise PermissionError(f"only loopback is allowed, not {host!r}")

sys.addaudithook(watch)
with open(REPORT + ".watched", "a") as report:
    report.write(f"{os.getpid()} {sys.orig_argv}\\n")
"""


def test_a_whole_sync_stays_on_loopback(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    report = tmp_path / "outside.txt"
    (hooks / "sitecustomize.py").write_text(AUDIT.replace("{report!r}", repr(str(report))))
    search_path = os.pathsep.join(filter(None, (str(hooks), os.environ.get("PYTHONPATH"))))
    with (
        emulator_process(tmp_path, {"orders": ["syncline"]}) as connection_string,
        server_process(tmp_path, PYTHONPATH=search_path) as server,
    ):
        publish(connection_string, "orders", {str(number): {"number": number} for number in range(50)})
        group_id = server.create_group("duckdb", {"path": str(tmp_path / "warehouse.duckdb")})
        body = connection_body(group_id, connection_string, "bus", subscriber_name="syncline")
        connection = server.call("POST", "/v1/connections", body)
        server.wait_for_sync(connection["id"])

    watched = (tmp_path / "outside.txt.watched").read_text().splitlines()
    assert any("worker_process" in line for line in watched), "the worker has to be watched too"
    assert any("'up'" in line for line in watched)
    assert not report.exists(), report.read_text()
