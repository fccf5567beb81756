"""The settings of an Azure Service Bus connection: what is allowed, what is needed, what never shows."""

from typing import Any

import pytest

from syncline.connectors.azure_service_bus.config import DECLARATION, AzureServiceBusAuth, AzureServiceBusConfig
from syncline.connectors.azure_service_bus.connection_string import parse_connection_string
from syncline.connectors.registry import UnknownService, connector_for, services
from syncline.declarations import MASK, InvalidField

KEY = "c2VjcmV0LWtleS1vZi0zMi1ieXRlcy1mb3ItdGVzdHM="
STRING = f"Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=Reader;SharedAccessKey={KEY}"
MINIMAL = {"schema": "bus", "connection_string": STRING, "message_type": "Json", "has_manage_permissions": True}
WITHOUT_MANAGE = {
    "schema": "bus",
    "connection_string": STRING,
    "message_type": "Json",
    "topics": ["orders"],
    "subscriber_name": "reader",
}


def parse(**values: Any) -> AzureServiceBusConfig:
    return AzureServiceBusConfig.parse({"schema": "bus", **values})


def refused(**values: Any) -> InvalidField:
    with pytest.raises(InvalidField) as caught:
        parse(**values)
    return caught.value


def missing(values: dict[str, Any], auth: dict[str, Any] | None = None) -> list[str]:
    config = AzureServiceBusConfig.parse(values)
    return [
        finding.field for finding in DECLARATION.missing(config, AzureServiceBusAuth.parse(auth or {}, path="auth"))
    ]


class TestValues:
    @pytest.mark.parametrize(
        ("values", "field", "words"),
        [
            ({"auth_type": "connectionstring"}, "auth_type", "did you mean ConnectionString?"),
            ({"auth_type": "Password"}, "auth_type", "ConnectionString, AzureActiveDirectory"),
            ({"auth_type": True}, "auth_type", "one of"),
            ({"sync_type": "packed"}, "sync_type", "did you mean Packed?"),
            ({"message_type": "JSON"}, "message_type", "did you mean Json?"),
            ({"message_type": "Csv"}, "message_type", "Avro, Json, Text, Protobuf, Xml"),
            ({"connection_method": "VPN"}, "connection_method", "DIRECT, PRIVATE_LINK, SSH_TUNNEL"),
            ({"has_manage_permissions": "true"}, "has_manage_permissions", "true or false, not text"),
            ({"has_manage_permissions": 1}, "has_manage_permissions", "true or false, not a number"),
            ({"topics": "orders,payments"}, "topics", "a list, not text"),
            ({"topics": ["orders,payments"]}, "topics[0]", "an item of its own"),
            ({"topics": ["orders", "orders"]}, "topics[1]", "twice"),
            ({"topics": ["orders", "ORDERS"]}, "topics[1]", "twice"),
            ({"topics": ["a" * 261]}, "topics[0]", "at most 260"),
            ({"topics": ["or ders"]}, "topics[0]", "letters, digits"),
            ({"topics": ["/orders"]}, "topics[0]", "starts and ends"),
            ({"topics": [None]}, "topics[0]", "text, not null"),
            ({"subscriber_name": "s" * 51}, "subscriber_name", "at most 50"),
            ({"subscriber_name": "a/b"}, "subscriber_name", "letters, digits"),
            ({"subscriber_name": "a."}, "subscriber_name", "does not start or end"),
            ({"namespace": "sb://contoso"}, "namespace", "name or host name alone"),
            ({"namespace": "con toso"}, "namespace", "my-namespace"),
            ({"host_ip": "999.1.1.1"}, "host_ip", "203.0.113.7"),
            ({"host_ip": "host:22"}, "host_ip", "host name"),
            ({"host_user": "root; rm"}, "host_user", "letters, digits"),
            ({"asb_ip": "ftp://x"}, "asb_ip", "203.0.113.7"),
            ({"asb_ip": "host:port"}, "asb_ip", "203.0.113.7"),
            ({"asb_ip": "sb://user@host"}, "asb_ip", "203.0.113.7"),
            ({"schema_registry_urls": ["registry"]}, "schema_registry_urls[0]", "server:port"),
            ({"schema_registry_urls": ["registry:http"]}, "schema_registry_urls[0]", "server:port"),
            ({"schema_registry_urls": ["ftp://registry"]}, "schema_registry_urls[0]", "server:port"),
            ({"schema_registry_urls": ["a:1", "a:1"]}, "schema_registry_urls[1]", "twice"),
            ({"public_key": "ssh-rsa AAAA"}, "public_key", "set by the server"),
            ({"connectionString": STRING}, "connectionString", "did you mean `connection_string`?"),
            ({"schema": "1bus"}, "schema", "does not start with a digit"),
            ({"schema": "my-bus"}, "schema", "letters, digits and '_'"),
            ({"schema": "_Syncline_staging_shop"}, "schema", "begins with _syncline_"),
            ({"schema": "s" * 64}, "schema", "at most 63"),
            ({"schema": 7}, "schema", "text, not a number"),
        ],
    )
    def test_a_wrong_value_is_refused(self, values: dict[str, Any], field: str, words: str) -> None:
        error = refused(**values)
        assert error.field == f"config.{field}"
        assert words in error.message

    @pytest.mark.parametrize(
        "values",
        [
            {"topics": ["orders", "eu/orders.v2", "o", "a_b-c.d"]},
            {"topics": []},
            {"namespace": "contoso"},
            {"namespace": "my_namespace"},
            {"namespace": "contoso.servicebus.windows.net"},
            {"asb_ip": "203.0.113.9"},
            {"asb_ip": "sb://contoso.servicebus.windows.net:5671/"},
            {"asb_ip": "2001:db8::1"},
            {"asb_ip": "gateway.example.com:443"},
            {"schema_registry_urls": ["registry:8081", "https://registry.example.com/api"]},
            {"host_ip": "bastion.example.com", "host_user": "deploy"},
            {"schema": "Service_Bus_2"},
        ],
    )
    def test_a_right_value_is_taken(self, values: dict[str, Any]) -> None:
        assert parse(**values).values() == {"schema": "bus", **values}

    def test_the_schema_must_be_there(self) -> None:
        with pytest.raises(InvalidField) as caught:
            AzureServiceBusConfig.parse({"message_type": "Json"})
        assert caught.value.field == "config.schema"


class TestCombinations:
    @pytest.mark.parametrize(
        ("message_type", "sync_type"),
        [("Text", "Unpacked"), ("Xml", "Unpacked"), ("Avro", "Packed"), ("Protobuf", "Packed")],
    )
    def test_a_sync_type_that_the_format_cannot_have_is_refused(self, message_type: str, sync_type: str) -> None:
        error = refused(message_type=message_type, sync_type=sync_type)
        assert error.field == "config.sync_type"
        assert message_type in error.message

    @pytest.mark.parametrize(
        ("message_type", "sync_type"),
        [("Json", "Packed"), ("Text", "Packed"), ("Xml", "Packed"), ("Avro", "Unpacked"), ("Protobuf", "Unpacked")],
    )
    def test_without_a_sync_type_the_format_has_a_default(self, message_type: str, sync_type: str) -> None:
        assert parse(message_type=message_type).effective_sync_type == sync_type

    def test_topics_must_be_within_the_entity_path(self) -> None:
        limited = f"{STRING};EntityPath=orders"
        assert parse(connection_string=limited, topics=["Orders"]).topics == ["Orders"]
        error = refused(connection_string=limited, topics=["orders", "payments"])
        assert error.field == "config.topics[1]"
        assert "EntityPath" in error.message


class TestMissing:
    def test_a_minimal_config_with_manage_is_complete(self) -> None:
        assert missing(MINIMAL) == []

    def test_a_config_without_manage_names_topics_and_subscription(self) -> None:
        assert missing(WITHOUT_MANAGE) == []
        values = {name: value for name, value in MINIMAL.items() if name != "has_manage_permissions"}
        assert missing(values) == ["config.topics", "config.subscriber_name"]

    def test_nothing_but_a_schema_is_allowed_and_incomplete(self) -> None:
        assert missing({"schema": "bus"}) == [
            "config.connection_string",
            "config.topics",
            "config.subscriber_name",
            "config.message_type",
        ]

    def test_entra_needs_namespace_and_auth(self) -> None:
        values = {
            "schema": "bus",
            "auth_type": "AzureActiveDirectory",
            "message_type": "Json",
            "has_manage_permissions": True,
        }
        assert missing(values) == [
            "config.namespace",
            "auth.client_access.client_id",
            "auth.client_access.client_secret",
            "auth.refresh_token",
        ]
        auth = {"refresh_token": "r", "client_access": {"client_id": "i", "client_secret": "s"}}
        assert missing({**values, "namespace": "contoso"}, auth) == []

    @pytest.mark.parametrize("message_type", ["Avro", "Protobuf"])
    def test_registry_formats_need_a_registry(self, message_type: str) -> None:
        fields = ["schema_registry_urls", "schema_registry_key", "schema_registry_secret"]
        assert missing({**MINIMAL, "message_type": message_type}) == [f"config.{field}" for field in fields]

    def test_a_tunnel_needs_a_host_and_a_user(self) -> None:
        assert missing({**MINIMAL, "connection_method": "SSH_TUNNEL"}) == ["config.host_ip", "config.host_user"]


class TestConnectionString:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Connection String", "Name=Value"),
            (KEY[:-1], "Name=Value"),
            (f"SharedAccessKeyName=a;SharedAccessKey={KEY}", "no Endpoint"),
            (f"Endpoint=contoso;SharedAccessKeyName=a;SharedAccessKey={KEY}", "malformed Endpoint"),
            (f"Endpoint=sb://h:x/;SharedAccessKeyName=a;SharedAccessKey={KEY}", "malformed Endpoint"),
            (f"Endpoint=ftp://h/;SharedAccessKeyName=a;SharedAccessKey={KEY}", "malformed Endpoint"),
            (f"Endpoint=sb://h/;SharedAccessKey={KEY}", "no SharedAccessKeyName"),
            ("Endpoint=sb://h/;SharedAccessKeyName=a", "no SharedAccessKey"),
            ("Endpoint=sb://h/", "no SharedAccessKeyName and SharedAccessKey"),
            (f"{STRING};SharedAccessKey={KEY}", "twice"),
            (f"{STRING};SharedAccessSignature=SharedAccessSignature sr=x&sig={KEY}&se=1", "keep one"),
            (f"Endpoint=sb://h/;SharedAccessSignature=sr=x&sig={KEY}", "without se"),
            (f"{STRING};EntityPath={'e' * 261}", "260"),
        ],
    )
    def test_a_malformed_one_is_refused_without_being_shown(self, text: str, words: str) -> None:
        error = refused(connection_string=text)
        assert error.field == "config.connection_string"
        assert words in error.message
        assert error.value is None
        assert KEY[:-1] not in str(error)

    def test_its_parts_are_found_in_any_case(self) -> None:
        parsed = parse_connection_string(
            f" endpoint=sb://localhost:5673/ ;SHAREDACCESSKEYNAME=a;sharedaccesskey={KEY};EntityPath=orders;"
            "UseDevelopmentEmulator=True;"
        )
        assert (parsed.host, parsed.port, parsed.key_name, parsed.key) == ("localhost", 5673, "a", KEY)
        assert parsed.entity_path == "orders"
        assert parsed.development_emulator
        assert KEY not in repr(parsed)

    def test_a_signature_says_when_it_ends(self) -> None:
        text = "Endpoint=sb://h/;SharedAccessSignature=SharedAccessSignature sr=x&sig=y%3D&se=1700000000&skn=a"
        expires_at = parse_connection_string(text).signature_expires_at
        assert expires_at is not None
        assert expires_at.isoformat() == "2023-11-14T22:13:20+00:00"


class TestDefaults:
    def test_the_subscription_is_named_after_the_schema(self) -> None:
        config = connector_for("azure_service_bus").default(AzureServiceBusConfig.parse(MINIMAL), "bus")
        assert config.masked()["subscriber_name"] == "fivetran_sub_bus"

    def test_a_given_subscription_stays(self) -> None:
        config = AzureServiceBusConfig.parse({**MINIMAL, "subscriber_name": "mine"})
        assert config.with_defaults("bus").subscriber_name == "mine"

    def test_without_manage_there_is_no_default(self) -> None:
        assert parse().with_defaults("bus").subscriber_name is None

    def test_a_schema_that_makes_the_name_too_long_is_refused(self) -> None:
        config = AzureServiceBusConfig.parse(MINIMAL)
        assert len(config.with_defaults("s" * 37).subscriber_name or "") == 50
        with pytest.raises(InvalidField) as caught:
            config.with_defaults("s" * 38)
        assert caught.value.field == "config.subscriber_name"
        assert "at most 37 characters" in caught.value.message


class TestSecrets:
    def test_answers_hold_none(self) -> None:
        config = parse(connection_string=STRING, schema_registry_key="user", schema_registry_secret="hush")
        assert config.masked() == {
            "connection_string": MASK,
            "schema_registry_key": "user",
            "schema_registry_secret": MASK,
        }
        assert KEY not in repr(config)

    def test_all_of_auth_is_secret(self) -> None:
        auth = AzureServiceBusAuth.parse({"refresh_token": "r", "client_access": {"client_id": "i"}}, path="auth")
        assert auth.split() == ({}, {"refresh_token": "r", "client_access": {"client_id": "i"}})

    def test_auth_names_its_fields(self) -> None:
        with pytest.raises(InvalidField) as caught:
            AzureServiceBusAuth.parse({"client_access": {"client_id": 5}}, path="auth")
        assert caught.value.field == "auth.client_access.client_id"


def test_the_registry_knows_its_connectors() -> None:
    assert [service.service for service in services()] == ["azure_service_bus"]
    assert connector_for("azure_service_bus").declaration.name == "Azure Service Bus"
    with pytest.raises(UnknownService, match="azure_service_bus"):
        connector_for("kafka")
