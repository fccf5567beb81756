"""No secret of a connection can be found in what Syncline writes or says."""

from pathlib import Path

import orjson

from tests.e2e.product import connection_body, emulator_process, publish, server_process

SECRETS = {
    "schema_registry_secret": "registry-secret-8Qm2xV",
    "refresh_token": "refresh-token-5Tn9wK",
    "client_secret": "client-secret-1Zr7pL",
}


def test_secrets_are_nowhere(tmp_path: Path) -> None:
    with (
        emulator_process(tmp_path, {"orders": ["syncline"]}) as connection_string,
        server_process(tmp_path, SYNCLINE_LOG_LEVEL="DEBUG") as server,
    ):
        key = connection_string.split("SharedAccessKey=")[1].split(";")[0]
        wrong_key = "d3Jvbmcta2V5LW9mLXRoZS10ZXN0cw=="
        publish(connection_string, "orders", {"one": {"number": 1}})
        group_id = server.create_group("duckdb", {"path": str(tmp_path / "warehouse.duckdb")})
        body = connection_body(group_id, connection_string, "bus", subscriber_name="syncline")
        body["config"]["schema_registry_secret"] = SECRETS["schema_registry_secret"]
        body["auth"] = {
            "refresh_token": SECRETS["refresh_token"],
            "client_access": {"client_id": "client", "client_secret": SECRETS["client_secret"]},
        }
        created = server.call("POST", "/v1/connections", body)
        assert created["config"]["connection_string"] == "******"
        assert created["config"]["schema_registry_secret"] == "******"
        assert "auth" not in created
        server.wait_for_sync(created["id"])

        # A login that fails, and a request that is refused, must not repeat what they were given either.
        refused = connection_body(group_id, connection_string.replace(key, wrong_key), "refused")
        server.call("POST", "/v1/connections", refused)
        malformed = connection_body(group_id, connection_string.replace("Endpoint=sb://", "Endpoint="), "malformed")
        malformed["config"]["topics"] = "orders"
        assert server.request("POST", "/v1/connections", malformed).status_code == 400

    written = {path: path.read_bytes() for path in server.home.rglob("*") if path.is_file()}
    written[server.log_file] = server.log_file.read_bytes()
    assert any(path.name.startswith("syncline.db") for path in written), "the store has to be among the files"
    written[Path("responses")] = "\n".join(server.responses).encode()
    for secret in (key, wrong_key, *SECRETS.values()):
        assert not _holding(written, secret), f"{secret} found in {_holding(written, secret)}"
    api_secret = orjson.loads((server.home / "api-key.json").read_bytes())["secret"]
    assert _holding(written, api_secret) == ["api-key.json", "server.log"]
    shown = written[server.log_file].decode().splitlines()
    (greeting,) = [line for line in shown if api_secret in line]
    assert "(shown this once)" in greeting, "the terminal shows it at the first start, and no log line does"


def _holding(written: dict[Path, bytes], secret: str) -> list[str]:
    return [path.name for path, content in written.items() if secret.encode() in content]
