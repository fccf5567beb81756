"""The official Go client reads a destination's config into a struct; a value of another JSON type is an error there."""

from typing import Any

import httpx
import pytest

from syncline.declarations import InvalidField, ServiceDeclaration
from syncline.declarations.fields import DeclaredField
from syncline.warehouses.registry import services

READ_AS_TEXT = {
    "host",
    "port",
    "database",
    "auth",
    "user",
    "password",
    "connection_type",
    "tunnel_host",
    "tunnel_port",
    "tunnel_user",
    "project_id",
    "data_set_location",
    "location",
    "bucket",
    "server_host_name",
    "http_path",
    "personal_access_token",
    "create_external_tables",
    "external_location",
    "auth_type",
    "role_arn",
    "secret_key",
    "public_key",
    "private_key",
    "cluster_id",
    "cluster_region",
    "role",
    "passphrase",
    "catalog",
    "fivetran_role_arn",
    "prefix_path",
    "region",
    "storage_account_name",
    "container_name",
    "tenant_id",
    "client_id",
    "secret_value",
    "workspace_name",
    "lakehouse_name",
}
READ_AS_BOOLEAN = {"is_private_key_encrypted"}
FIELDS = [
    (declaration, field)
    for declaration in services()
    for field in declaration.config.declared_fields()
    if field.name.endswith("port") or field.name == "create_external_tables"
]


def parsed(declaration: ServiceDeclaration, **values: Any) -> dict[str, Any]:
    return declaration.config.parse(values).masked()


@pytest.mark.parametrize(("declaration", "field"), FIELDS)
def test_a_port_is_taken_as_number_or_text_and_answered_as_text(
    declaration: ServiceDeclaration, field: DeclaredField
) -> None:
    sent = (True, "true") if field.type == "boolean" else (5432, "5432", 5432.0)
    answers = [parsed(declaration, **{field.name: value}) for value in sent]
    assert answers == [{field.name: sent[1]}] * len(sent)
    assert parsed(declaration, **{field.name: ""}) == {}


@pytest.mark.parametrize("declaration", services(), ids=lambda declaration: declaration.service)
def test_every_field_that_the_client_knows_is_answered_in_the_type_that_it_reads(
    declaration: ServiceDeclaration,
) -> None:
    for field in declaration.config.declared_fields():
        if field.name not in READ_AS_TEXT and field.name not in READ_AS_BOOLEAN:
            continue
        sample: Any = field.choices[0] if field.choices else field.example or {"boolean": True}.get(field.type, "x")
        try:
            answer = parsed(declaration, **{field.name: sample})
        except InvalidField:  # the sample alone says too little
            continue
        wanted = bool if field.name in READ_AS_BOOLEAN else str
        assert isinstance(answer[field.name], wanted), field.name


@pytest.mark.parametrize("wrong", ["0", "65536", "54.32", 5432.5, "-1", "port", " 5432", True, [5432]])
def test_what_is_no_port_is_refused(wrong: object) -> None:
    (declaration,) = (declaration for declaration in services() if declaration.service == "postgres_warehouse")
    with pytest.raises(InvalidField, match=r"config\.port"):
        parsed(declaration, port=wrong)


async def test_the_clients_create_request_is_answered_in_its_types(client: httpx.AsyncClient, group_id: str) -> None:
    body = {
        "group_id": group_id,
        "service": "postgres_warehouse",
        "region": "GCP_US_EAST4",
        "time_zone_offset": "-8",
        "config": {"host": "warehouse.example.com", "port": 5432, "database": "d", "user": "u", "tunnel_port": "22"},
        "trust_certificates": True,
        "trust_fingerprints": True,
        "run_setup_tests": False,
        "daylight_saving_time_enabled": True,
    }
    response = await client.post("/v1/destinations", json=body)
    assert response.status_code == 201, response.text
    config = response.json()["data"]["config"]
    assert (config["port"], config["tunnel_port"]) == ("5432", "22")
    url = f"/v1/destinations/{response.json()['data']['id']}"
    changed = await client.patch(url, json={"config": {"port": "5433"}, "run_setup_tests": False})
    assert changed.json()["data"]["config"] == config | {"port": "5433"}
