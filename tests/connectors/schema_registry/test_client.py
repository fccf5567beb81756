"""Asking a schema registry: it either gives a schema, says that there is none, or there is a clear failure."""

import json
import threading
import time
from collections.abc import Iterator
from uuid import UUID

import pytest

from syncline.connectors.errors import SourceConfigurationError, SourceThrottled, SourceUnavailable
from syncline.connectors.schema_registry import (
    AzureSchemaId,
    RegisteredSchema,
    SchemaGuid,
    SchemaId,
    SchemaRegistry,
    UnknownSchema,
    UnusableSchema,
)
from tests.support.schema_registry import KEY, SECRET, Fault, SchemaRegistryServer

DEAD = "http://127.0.0.1:1"


@pytest.fixture
def server() -> Iterator[SchemaRegistryServer]:
    with SchemaRegistryServer() as running:
        running.register("s", {"schema": '"string"'})
        yield running


def client(*urls: str, key: str | None = KEY, secret: str = SECRET, **options: float) -> SchemaRegistry:
    return SchemaRegistry(urls, key, secret, **{"timeout": 2.0, "first_pause": 0.01, **options})  # type: ignore[arg-type]


def text_of(schema: RegisteredSchema) -> str:
    return schema.text


def test_a_schema_by_its_number_its_guid_or_azures_id(server: SchemaRegistryServer) -> None:
    server.azure["0" * 31 + "a"] = '"long"'
    registry = client(server.url)
    assert registry.schema(SchemaId(1)) == RegisteredSchema('"string"', "AVRO")
    assert registry.schema(SchemaGuid(UUID(server.schemas[0].guid))) == RegisteredSchema('"string"', "AVRO")
    assert registry.schema(AzureSchemaId("0" * 31 + "a")) == RegisteredSchema('"long"', "AVRO")
    registry.close()


def test_references_come_with_it_each_after_what_it_needs(server: SchemaRegistryServer) -> None:
    server.register("a", {"schema": "A", "schemaType": "PROTOBUF"})
    needs_a = [{"name": "a.proto", "subject": "a", "version": 1}]
    server.register("b/c", {"schema": "B", "schemaType": "PROTOBUF", "references": needs_a})
    needs_both = [{"name": "b.proto", "subject": "b/c", "version": 1}, *needs_a]
    made = server.register("d", {"schema": "D", "schemaType": "PROTOBUF", "references": needs_both})
    found = client(server.url).schema(SchemaId(made.number))
    assert (found.text, found.kind) == ("D", "PROTOBUF")
    assert list(found.references.items()) == [("a.proto", "A"), ("b.proto", "B")]


def test_references_that_go_round_in_a_circle_are_refused(server: SchemaRegistryServer) -> None:
    made = server.register("x", {"schema": "X", "references": [{"name": "x", "subject": "x", "version": 1}]})
    with pytest.raises(UnusableSchema, match="circle"):
        client(server.url).schema(SchemaId(made.number))


def test_a_reference_that_is_not_there_makes_the_schema_unusable(server: SchemaRegistryServer) -> None:
    made = server.register("x", {"schema": "X", "references": [{"name": "y", "subject": "gone", "version": 1}]})
    with pytest.raises(UnusableSchema, match="version 1 of gone"):
        client(server.url).schema(SchemaId(made.number))


def test_what_was_compiled_is_kept(server: SchemaRegistryServer) -> None:
    registry = client(server.url)
    compiled: list[RegisteredSchema] = []

    def compile_schema(schema: RegisteredSchema) -> int:
        compiled.append(schema)
        return len(compiled)

    threads = [threading.Thread(target=registry.compiled, args=(SchemaId(1), compile_schema)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert registry.compiled(SchemaId(1), compile_schema) == 1
    assert server.requests == ["GET /schemas/ids/1"]


def test_that_there_is_no_such_schema_is_kept_too(server: SchemaRegistryServer) -> None:
    registry = client(server.url)
    for _ in range(3):
        with pytest.raises(UnknownSchema, match="does not know the schema 99"):
            registry.compiled(SchemaId(99), text_of)
    assert len(server.requests) == 1


def test_servers_are_asked_in_order(server: SchemaRegistryServer) -> None:
    with SchemaRegistryServer() as second:
        second.register("s", {"schema": '"long"'})
        assert client(server.url, second.url).schema(SchemaId(1)).text == '"string"'
        assert second.requests == []
        assert client(DEAD, second.url, server.url).schema(SchemaId(1)).text == '"long"'


def test_a_schema_is_unknown_only_if_every_server_says_so(server: SchemaRegistryServer) -> None:
    with SchemaRegistryServer() as second:
        second.register("s", {"schema": '"long"'})
        second.register("s", {"schema": '"int"'})
        assert client(server.url, second.url).schema(SchemaId(2)).text == '"int"'
        with pytest.raises(UnknownSchema):
            client(server.url, second.url).schema(SchemaId(3))
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        client(server.url, DEAD).schema(SchemaId(3))


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_trouble_that_passes_is_waited_out(server: SchemaRegistryServer, status: int) -> None:
    server.faults.extend([Fault(status), Fault(status)])
    assert client(server.url).schema(SchemaId(1)).text == '"string"'


def test_a_server_in_lasting_trouble_is_asked_a_few_times_and_then_it_is_a_failure(
    server: SchemaRegistryServer,
) -> None:
    server.broken = Fault(503)
    with pytest.raises(SourceUnavailable, match="status 503"):
        client(server.url).schema(SchemaId(1))
    assert len(server.requests) == 4


def test_a_failure_is_not_kept(server: SchemaRegistryServer) -> None:
    registry = client(server.url, attempts=1)
    server.broken = Fault(503)
    with pytest.raises(SourceUnavailable):
        registry.compiled(SchemaId(1), text_of)
    server.broken = None
    assert registry.compiled(SchemaId(1), text_of) == '"string"'


def test_a_busy_server_is_throttling(server: SchemaRegistryServer) -> None:
    server.broken = Fault(429)
    with pytest.raises(SourceThrottled) as caught:
        client(server.url).schema(SchemaId(1))
    assert caught.value.retry_after_seconds >= 10


def test_a_silent_server_is_not_waited_for(server: SchemaRegistryServer) -> None:
    server.broken = Fault(seconds=2)
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        client(server.url, timeout=0.2, attempts=2).schema(SchemaId(1))
    assert time.monotonic() - began < 1.5


def test_refused_credentials_are_named_and_not_tried_again(server: SchemaRegistryServer) -> None:
    with pytest.raises(SourceConfigurationError, match="schema_registry_secret") as caught:
        client(server.url, secret="not-this-one").schema(SchemaId(1))
    assert "not-this-one" not in str(caught.value)
    assert len(server.requests) == 1


def test_a_registry_without_credentials() -> None:
    with SchemaRegistryServer(key=None) as server:
        assert client(server.url, key=None).check() == ["JSON", "PROTOBUF", "AVRO"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(404, b"<html>nothing here</html>"),
        Fault(404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}'),
        Fault(200, b"<html>welcome</html>"),
        Fault(200, b'{"other": 1}'),
        Fault(302, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
        Fault(200, b" " * (17 * 1024 * 1024)),
    ],
    ids=["no page", "no path", "a page", "other JSON", "elsewhere", "endless"],
)
def test_what_is_no_registry_is_a_failure_and_no_unknown_schema(server: SchemaRegistryServer, fault: Fault) -> None:
    server.broken = fault
    with pytest.raises(SourceConfigurationError, match="does not answer as a schema registry"):
        client(server.url).schema(SchemaId(1))


def test_the_setup_can_be_checked(server: SchemaRegistryServer) -> None:
    assert client(server.url).check() == ["JSON", "PROTOBUF", "AVRO"]
    server.broken = Fault(200, b"{}")
    with pytest.raises(SourceConfigurationError):
        client(server.url).check()


def test_an_address_without_a_scheme_means_https() -> None:
    with pytest.raises(SourceUnavailable, match=r"https://127\.0\.0\.1:1"):
        client("127.0.0.1:1", attempts=1).check()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("location", ["/moved/schemas/ids/1", "{url}/moved/schemas/ids/1", "../../moved"])
def test_a_redirect_within_the_server_is_followed(server: SchemaRegistryServer, status: int, location: str) -> None:
    server.faults.append(Fault(status, headers={"Location": location.format(url=server.url)}))
    server.faults.append(Fault(200, b'{"schema": "\\"moved\\""}'))
    assert client(server.url).schema(SchemaId(1)).text == '"moved"'
    assert len(server.requests) == 2
    assert "moved" in server.requests[1]


@pytest.mark.parametrize(
    "other", ["http://localhost:{port}/", "https://127.0.0.1:{port}/", "//127.0.0.1:1/", "http://["]
)
def test_no_other_server_gets_the_credentials(server: SchemaRegistryServer, other: str) -> None:
    port = server.url.rpartition(":")[2]
    server.broken = Fault(302, headers={"Location": other.format(port=port)})
    with pytest.raises(SourceConfigurationError, match="on to another server"):
        client(server.url).schema(SchemaId(1))
    assert len(server.requests) == 1


def test_redirects_without_end_are_a_failure(server: SchemaRegistryServer) -> None:
    server.broken = Fault(302, headers={"Location": "/again"})
    with pytest.raises(SourceConfigurationError, match="status 302"):
        client(server.url).schema(SchemaId(1))
    assert len(server.requests) < 10


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("after", [None, "0", "Thu, 01 Jan 1970 00:00:00 GMT", "soon"])
def test_a_busy_server_is_asked_again_as_long_as_there_is_time(
    server: SchemaRegistryServer, status: int, after: str | None
) -> None:
    headers = {} if after is None else {"Retry-After": after}
    server.faults.extend([Fault(status, headers=headers)] * 6)
    assert client(server.url, attempts=1, patience=10).check() == ["JSON", "PROTOBUF", "AVRO"]


def test_a_busy_server_that_asks_for_more_time_than_there_is_fails_at_once(server: SchemaRegistryServer) -> None:
    server.broken = Fault(503, headers={"Retry-After": "8"})
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="status 503"):
        client(server.url, attempts=1, patience=4).check()
    assert len(server.requests) == 1
    assert time.monotonic() - began < 4


def test_patience_is_for_busy_servers_alone(server: SchemaRegistryServer) -> None:
    server.broken = Fault(500)
    with pytest.raises(SourceUnavailable):
        client(server.url, attempts=1, patience=10).check()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "references",
    [5, "x", {"name": "a"}, [5], [{}], [{"name": 1, "subject": "s", "version": 1}],
     [{"name": "a", "subject": 7, "version": 1}], [{"name": "a", "subject": "\ud800", "version": 1}],
     [{"name": "\ud800", "subject": "s", "version": 1}], [{"name": "a", "subject": "s", "version": "x"}]],
)  # fmt: skip
def test_references_that_make_no_sense_are_the_schemas_fault(server: SchemaRegistryServer, references: object) -> None:
    server.broken = Fault(200, json.dumps({"schema": '"int"', "references": references}).encode())
    with pytest.raises(UnusableSchema):
        client(server.url).schema(SchemaId(1))


def test_an_answer_nested_without_end_is_no_registrys(server: SchemaRegistryServer) -> None:
    server.broken = Fault(200, b"[" * 100_000)
    with pytest.raises(SourceConfigurationError):
        client(server.url).schema(SchemaId(1))
    with pytest.raises(SourceConfigurationError):
        client(server.url).check()
