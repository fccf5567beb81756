"""Whatever a client sends, the server answers as its OpenAPI document says, and never with an internal error."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.product import server_process

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance"
)


@pytest.mark.timeout(300)
def test_no_request_gets_an_answer_outside_the_document(tmp_path: Path) -> None:
    settings = {
        "SYNCLINE_REQUESTS_PER_HOUR": "0",
        "SYNCLINE_SETUP_TEST_REQUESTS_PER_MINUTE": "0",
        "SYNCLINE_SETUP_TEST_REQUESTS_PER_HOUR": "0",
        "SYNCLINE_SETUP_TESTS_TIMEOUT": "2",
        "SYNCLINE_CONCURRENT_SYNCS": "1",
    }
    with server_process(tmp_path, **settings) as server:
        assert server.api is not None
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
