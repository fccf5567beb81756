"""What sources there are, over HTTP."""

import httpx

from syncline.connectors.registry import services


async def test_sources_are_listed_as_they_are_declared(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/metadata/connector-types")
    assert answer.status_code == 200
    items = {item["id"]: item for item in answer.json()["data"]["items"]}
    assert items.keys() == {declaration.service for declaration in services()}
    bus = items["azure_service_bus"]
    assert (bus["name"], bus["type"], bus["connector_class"]) == ("Azure Service Bus", "Events", "standard")
    assert {"API_CONFIGURABLE", "RE_SYNC"} <= {feature["id"] for feature in bus["supported_features"]}
    assert bus["link_to_docs"] == "http://127.0.0.1/docs#azure_service_bus"
    older = await client.get("/v1/metadata/connectors/")
    assert older.json() == answer.json()


async def test_the_list_has_pages(client: httpx.AsyncClient) -> None:
    assert len((await client.get("/v1/metadata/connector-types?limit=1")).json()["data"]["items"]) == 1
    assert (await client.get("/v1/metadata/connector-types?limit=0")).status_code == 400


async def test_the_settings_of_a_source_are_those_that_a_create_request_takes(client: httpx.AsyncClient) -> None:
    data = (await client.get("/v1/metadata/connector-types/azure_service_bus")).json()["data"]
    (declaration,) = [known for known in services() if known.service == "azure_service_bus"]
    config = data["config"]["properties"]
    assert config.keys() == {field.name for field in declaration.config.declared_fields()}
    assert config["auth_type"]["enum"] == ["ConnectionString", "AzureActiveDirectory"]
    assert config["auth_type"]["default"] == "ConnectionString"
    assert config["connection_string"]["format"] == "password"
    assert config["connection_string"]["writeOnly"]
    assert config["connection_string"]["required_when"] == {"auth_type": ["ConnectionString"]}
    assert config["topics"]["type"] == "array"
    assert config["topics"]["items"] == {"type": "string"}
    assert config["has_manage_permissions"]["type"] == "boolean"
    assert config["public_key"]["readOnly"]
    assert config["schema"]["permanent"]
    assert set(data["config"]["required"]) == {"schema", "message_type"}
    assert data["auth"]["properties"]["client_access"]["properties"]["client_id"]["format"] == "password"


async def test_an_unknown_source_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/metadata/connector-types/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound_Integration")
    assert "azure_service_bus" in answer.json()["message"]


async def test_the_public_list_needs_no_key(client: httpx.AsyncClient) -> None:
    answer = await client.get("/public/connector-types", auth=None)
    assert answer.status_code == 200
    assert answer.json()["data"] == (await client.get("/v1/metadata/connector-types")).json()["data"]
    assert (await client.get("/v1/metadata/connector-types", auth=None)).status_code == 401
