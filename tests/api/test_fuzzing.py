"""Whatever a client sends, the server answers as its OpenAPI document says, and never with an internal error."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.product import Server, connection_body, emulator_process, server_process

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance"
)


NOBODY = "nobody00000000"

# Requests reach a connection that is set up, its group and its destination. Only those that would take them away from
# the rest of the run do not.
CONFIG = """
[parameters]
connection_id = "{connection}"
group_id = "{group}"
destination_id = "{group}"
user_id = "{user}"
schema = "bus"
table = "orders"
column = "correlation_id"
service = "azure_service_bus"

[[operations]]
include-name = [
    "DELETE /v1/connections/{{connection_id}}",
    "DELETE /v1/groups/{{group_id}}",
    "DELETE /v1/destinations/{{destination_id}}",
    "DELETE /v1/users/{{user_id}}",
]
parameters = {{ connection_id = "{nobody}", group_id = "{nobody}", destination_id = "{nobody}", user_id = "{nobody}" }}
"""


@pytest.mark.timeout(300)
def test_no_request_gets_an_answer_outside_the_document(tmp_path: Path) -> None:
    settings = {
        "SYNCLINE_REQUESTS_PER_HOUR": "0",
        "SYNCLINE_SETUP_TEST_REQUESTS_PER_MINUTE": "0",
        "SYNCLINE_SETUP_TEST_REQUESTS_PER_HOUR": "0",
        "SYNCLINE_SETUP_TESTS_TIMEOUT": "2",
        "SYNCLINE_CONCURRENT_SYNCS": "1",
    }
    with (
        emulator_process(tmp_path, {"orders": ["syncline"]}) as bus,
        server_process(tmp_path, **settings) as server,
    ):
        assert server.api is not None
        config = tmp_path / "schemathesis.toml"
        config.write_text(_config(server, bus, tmp_path))
        key = json.loads((server.home / "api-key.json").read_text())
        options = {
            "--auth": f"{key['key']}:{key['secret']}",
            "--checks": CHECKS,
            "--phases": "examples,coverage,fuzzing",
            "--max-examples": "3",
            "--seed": "1",
            "--generation-database": "none",
        }
        run = subprocess.run(
            [
                *(
                    str(Path(sys.executable).with_name("schemathesis")),
                    *("--config-file", str(config)),
                    "run",
                    str(server.api.base_url.join("/openapi.json")),
                ),
                *(part for option in options.items() for part in option),
                *("--no-color", "--no-shrink"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
    assert '"status":500' not in server.log_file.read_text().replace(" ", "")


def _config(server: Server, bus: str, folder: Path) -> str:
    group_id = server.create_group("duckdb", {"path": str(folder / "warehouse.duckdb")})
    body = connection_body(group_id, bus, "bus", subscriber_name="syncline")
    connection = server.call("POST", "/v1/connections", {**body, "paused": True})
    assert connection["status"]["setup_state"] == "connected", connection["setup_tests"]
    server.call("POST", f"/v1/connections/{connection['id']}/schemas/reload", {})
    person = {"email": "fuzz@example.com", "given_name": "Ana", "family_name": "Example", "role": "Account Reviewer"}
    user = server.call("POST", "/v1/users", person)
    return CONFIG.format(connection=connection["id"], group=group_id, user=user["id"], nobody=NOBODY)
