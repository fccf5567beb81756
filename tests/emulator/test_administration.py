"""The administration API on the wire: plain HTTP, errors, limits and hostile bodies."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.emulator.administration import AdministrationApi
from syncline.emulator.descriptions import SubscriptionDescription, TopicDescription
from syncline.emulator.http import MAXIMUM_BODY_SIZE, HttpRequest
from syncline.emulator.namespace import Namespace
from syncline.emulator.tokens import JsonWebTokenVerifier, create_sas_token
from tests.emulator.administration_server import READER, ROOT, AdministrationServer, serve_administration

ISSUER = "https://issuer.test/"
AUDIENCE = "https://servicebus.azure.net/"
SECRET = "a secret of more than thirty-two bytes"
VERSION = "?api-version=2021-05"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdministrationServer]:
    folder: Path = tmp_path_factory.mktemp("administration")
    with serve_administration(folder, JsonWebTokenVerifier(ISSUER, AUDIENCE, SECRET)) as server:
        yield server


@pytest.fixture
def client(server: AdministrationServer) -> Iterator[httpx.Client]:
    token = create_sas_token("https://127.0.0.1/", ROOT, datetime.now(UTC) + timedelta(minutes=5))
    with httpx.Client(base_url=server.plain_address, headers={"Authorization": token}) as client:
        yield client
        for kind in ("queues", "topics"):
            while "<entry>" in (page := client.get(f"/$Resources/{kind}").text):
                client.delete("/" + page.split("<entry>")[1].split('type="text">')[1].split("<")[0])


def entry(content: str) -> str:
    return f'<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">{content}</content></entry>'


def description(kind: str, properties: str = "") -> str:
    namespaces = (
        'xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect" '
        'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="http://www.w3.org/2001/XMLSchema"'
    )
    return entry(f"<{kind}Description {namespaces}>{properties}</{kind}Description>")


def test_creates_reads_updates_and_deletes_over_plain_http(client: httpx.Client) -> None:
    created = client.put(f"/a/b{VERSION}", content=description("Topic", "<UserMetadata>one</UserMetadata>"))
    assert created.status_code == 201
    assert created.headers["content-type"] == "application/atom+xml;type=entry;charset=utf-8"
    assert "<UserMetadata>one</UserMetadata>" in created.text
    assert client.get(f"/A/B{VERSION}").text.count("<UserMetadata>one</UserMetadata>") == 1
    changed = description("Topic", "<FilteringMessagesBeforePublishing>true</FilteringMessagesBeforePublishing>")
    updated = client.put(f"/a/b{VERSION}", content=changed, headers={"If-Match": "*"})
    assert updated.status_code == 200
    assert "<FilteringMessagesBeforePublishing>true<" in updated.text
    assert "<UserMetadata>one</UserMetadata>" in updated.text
    assert client.put("/a/b/Subscriptions/all", content=description("Subscription")).status_code == 201
    assert client.get("/a/b/Subscriptions/all/Rules/").text.count("<entry>") == 1
    assert client.delete("/a/b/subscriptions/all").status_code == 200
    assert client.delete("/a/b").status_code == 200
    assert client.get("/a/b").status_code == 404


def test_a_subscription_starts_with_the_rule_that_comes_with_it(client: httpx.Client) -> None:
    client.put("/t", content=description("Topic"))
    rule = (
        '<DefaultRuleDescription><Filter i:type="SqlFilter"><SqlExpression>a = 1</SqlExpression></Filter>'
        '<Action i:type="EmptyRuleAction"/><Name>mine</Name></DefaultRuleDescription>'
    )
    assert client.put("/t/subscriptions/s", content=description("Subscription", rule)).status_code == 201
    rules = client.get("/t/subscriptions/s/rules").text
    assert rules.count("<entry>") == 1
    assert "<Name>mine</Name>" in rules
    assert "a = 1" in rules


def test_the_prefixes_are_those_that_clients_look_for(client: httpx.Client) -> None:
    client.put("/t", content=description("Topic"))
    client.put("/t/subscriptions/s", content=description("Subscription"))
    value = '<KeyValueOfstringanyType><Key>k</Key><Value i:type="x:int">1</Value></KeyValueOfstringanyType>'
    rule = description("Rule", f'<Filter i:type="CorrelationFilter"><Properties>{value}</Properties></Filter>')
    assert client.put("/t/subscriptions/s/rules/r", content=rule).status_code == 201
    text = client.get("/t/subscriptions/s/rules/r").text
    assert '<Filter i:type="CorrelationFilter">' in text
    assert '<Value xmlns:d6p1="http://www.w3.org/2001/XMLSchema" i:type="d6p1:int">1</Value>' in text
    assert "/t/Subscriptions/s/Rules/r</id>" in text
    assert "<d2p1:ActiveMessageCount>0</d2p1:ActiveMessageCount>" in client.get("/t/subscriptions/s").text


def test_pages_link_to_the_next(client: httpx.Client) -> None:
    for number in range(3):
        client.put(f"/q{number}", content=description("Queue"))
    first = client.get("/$Resources/Queues?$skip=0&$top=2").text
    assert first.count("<entry>") == 2
    assert "$skip=2&amp;$top=2" in first
    last = client.get("/$Resources/queues?%24skip=2&%24top=2").text
    assert last.count("<entry>") == 1
    assert 'rel="next"' not in last
    assert client.get("/$Resources/queues?$skip=x").status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/q", "", "not well-formed"),
        ("/q", "<entry>", "not well-formed"),
        ("/q", "<other/>", "must be an Atom entry"),
        ("/q", entry(""), "must be an Atom entry"),
        ("/q", description("Rule"), "QueueDescription or a TopicDescription"),
        ("/q", description("Queue", "<Colour>blue</Colour>"), "has no property 'Colour'"),
        ("/q", description("Queue", "<LockDuration>1</LockDuration>"), "LockDuration: '1' is not an ISO 8601"),
        ("/q", description("Queue", "<MaxDeliveryCount>x</MaxDeliveryCount>"), "MaxDeliveryCount: 'x'"),
        ("/q", description("Queue", "<MaxDeliveryCount>0</MaxDeliveryCount>"), "MaxDeliveryCount is 0"),
        ("/q", description("Queue", f"<MaxDeliveryCount>{'9' * 99}</MaxDeliveryCount>"), "whole number"),
        ("/q", description("Queue", "<RequiresSession>maybe</RequiresSession>"), "RequiresSession: 'maybe'"),
        ("/q", description("Queue", "<Status>Gone</Status>"), "Status: 'Gone' is not a status"),
        ("/q", description("Queue", "<Status>Active</Status><Status>Active</Status>"), "twice"),
        (
            "/q",
            description("Queue", "<AuthorizationRules><AuthorizationRule/></AuthorizationRules>"),
            "needs a KeyName",
        ),
        ("/with%20space", description("Queue"), "'with space' is not allowed"),
        ("/" + "x" * 261, description("Topic"), "261 characters"),
        ("/t/subscriptions/" + "x" * 51, description("Subscription"), "51 characters"),
        ("/t/subscriptions/s/rules/r", description("Rule", '<Filter i:type="Other"/>'), "type 'Other'"),
        (
            "/t/subscriptions/s/rules/r",
            description("Rule", '<Filter i:type="SqlFilter"><SqlExpression>a (</SqlExpression></Filter>'),
            "position 3",
        ),
        (
            "/t/subscriptions/s/rules/r",
            description(
                "Rule",
                '<Filter i:type="CorrelationFilter"><Properties><KeyValueOfstringanyType><Key>k</Key>'
                '<Value i:type="x:int">one</Value></KeyValueOfstringanyType></Properties></Filter>',
            ),
            "k: 'one' is not a value of the type int",
        ),
        ("/$namespaceinfo", description("Queue"), "cannot be created"),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, path: str, body: str, said: str) -> None:
    client.put("/t", content=description("Topic"))
    client.put("/t/subscriptions/s", content=description("Subscription"))
    response = client.put(path, content=body)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/xml")
    assert response.text.startswith("<?xml")
    assert "<Code>400</Code>" in response.text
    assert said in response.text


def test_entities_of_xml_are_not_expanded(client: httpx.Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do-not-read-me")
    layers = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 20))
    for definitions in (f'<!ENTITY l0 "lol">{layers}', f'<!ENTITY l19 SYSTEM "file://{secret}">'):
        body = f"<!DOCTYPE x [{definitions}]>" + description("Queue", "<UserMetadata>&l19;</UserMetadata>")
        started = time.perf_counter()
        response = client.put("/q", content=body)
        assert response.status_code == 400
        assert time.perf_counter() - started < 2
        assert "do-not-read-me" not in response.text
    assert client.get("/q").status_code == 404


def test_a_large_body_is_refused(client: httpx.Client) -> None:
    response = client.put("/q", content=b"x" * (MAXIMUM_BODY_SIZE + 1))
    assert response.status_code == 413
    assert client.get("/$Resources/queues").status_code == 200


def test_methods_that_an_address_does_not_have(client: httpx.Client) -> None:
    response = client.post("/q")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, PUT, DELETE"
    assert client.put("/$Resources/queues").status_code == 405
    assert client.get("/").status_code == 404
    assert client.get("/$other").status_code == 404


def test_a_request_without_a_good_token_is_refused(server: AdministrationServer) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    audience = "https://127.0.0.1/"
    for token in (
        None,
        "Basic abc",
        create_sas_token(audience, READER, soon),
        create_sas_token(audience, ROOT, datetime.now(UTC) - timedelta(seconds=1)),
        create_sas_token("https://elsewhere/", ROOT, soon),
        create_sas_token("https://127.0.0.1/other", ROOT, soon),
        "Bearer abc",
    ):
        headers = {"Authorization": token} if token else {}
        for path in ("/$Resources/topics", "/topic", "/$namespaceinfo", "/$emulator/faults"):
            response = httpx.get(server.plain_address + path, headers=headers)
            assert response.status_code == 401
            assert "<Code>401</Code>" in response.text
            assert "sig=" not in response.text


def test_json_web_tokens_of_the_issuer(server: AdministrationServer) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": datetime.now(UTC) + timedelta(minutes=5)}
    for roles, status in (({}, 200), ({"roles": ["Azure Service Bus Data Receiver"]}, 401)):
        token = jwt.encode({**claims, **roles}, SECRET, algorithm="HS256")
        response = httpx.get(f"{server.plain_address}/$Resources/topics", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == status


def test_health_needs_no_token(server: AdministrationServer) -> None:
    response = httpx.get(f"{server.plain_address}/$emulator/health")
    assert response.json() == {"status": "ok", "namespace": "test-namespace"}


def test_faults_are_set_and_cleared(client: httpx.Client) -> None:
    spec = {"fault": "throttle", "seconds": 0.01}
    assert client.post("/$emulator/faults", content=json.dumps(spec)).json() == {"status": "ok"}
    assert client.delete("/$emulator/faults").status_code == 200
    assert client.put("/$emulator/faults").status_code == 405
    for body in ("", "[]", "[" * 100_000, '{"fault": "earthquake"}'):
        assert client.post("/$emulator/faults", content=body).status_code == 400
    assert "drop_connections" in client.post("/$emulator/faults", content='{"fault": "earthquake"}').text


def exchange(server: AdministrationServer, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.plain_port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while data := connection.recv(65536):
            received += data
    return received


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000,
    ],
)
def test_what_is_not_http_ends_that_connection_alone(server: AdministrationServer, sent: bytes) -> None:
    answer = exchange(server, sent)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert b"<Detail>" in answer
    assert httpx.get(f"{server.plain_address}/$emulator/health").status_code == 200


def test_requests_of_unusual_forms_are_answered(server: AdministrationServer) -> None:
    head = exchange(server, b"HEAD /$emulator/health HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 401")
    assert head.endswith(b"\r\n\r\n")
    get = b"GET /$emulator/health HTTP/1.1\r\nHost: a\r\n\r\n"
    assert exchange(server, get * 3).count(b"HTTP/1.1 200") == 3
    assert exchange(server, b"GET /$emulator/health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
    chunked = b"PUT /q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert exchange(server, chunked).startswith(b"HTTP/1.1 401")
    assert exchange(server, chunked[:-7] + b"x\r\n").startswith(b"HTTP/1.1 400")


def test_a_client_that_sends_on_still_reads_its_refusal(server: AdministrationServer) -> None:
    body = b"x" * (8 * MAXIMUM_BODY_SIZE)
    head = f"PUT /q HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    assert exchange(server, head + body).startswith(b"HTTP/1.1 413")


@given(
    method=st.sampled_from(["GET", "PUT", "DELETE", "POST"]),
    target=st.one_of(
        st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E)),
        st.lists(
            st.sampled_from(
                ["t", "subscriptions", "s", "rules", "$Default", "$Resources", "topics", "%2F", "?$skip=9"]
            ),
        ).map("/".join),
    ),
    body=st.one_of(
        st.binary(),
        st.tuples(
            st.sampled_from(["Queue", "Topic", "Subscription", "Rule"]),
            st.sampled_from(["Filter", "Action", "Name", "LockDuration", "AuthorizationRules", "Status", "ForwardTo"]),
            st.text(st.characters(min_codepoint=0x20, exclude_characters="<&", exclude_categories=["Cs"])),
        ).map(lambda parts: description(parts[0], f"<{parts[1]}>{parts[2]}</{parts[1]}>").encode()),
    ),
    headers=st.sampled_from([{}, {"if-match": "*"}, {"host": "[::1"}]),
)
def test_every_request_has_an_answer(method: str, target: str, body: bytes, headers: dict[str, str]) -> None:
    namespace = Namespace("fuzzed", [ROOT])
    namespace.create_topic(TopicDescription("t"))
    namespace.create_subscription(SubscriptionDescription("t", "s"))
    token = jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "exp": 2**33}, SECRET, algorithm="HS256")
    api = AdministrationApi(namespace, json_web_tokens=JsonWebTokenVerifier(ISSUER, AUDIENCE, SECRET))
    request = HttpRequest(method, f"/{target}", {"authorization": f"Bearer {token}", **headers}, body)
    assert api.handle(request).status in (200, 201, 400, 401, 404, 405, 409)


def test_a_client_may_leave_in_the_middle_of_a_request(server: AdministrationServer) -> None:
    assert exchange(server, b"") == b""
    exchange(server, b"PUT /q HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    assert httpx.get(f"{server.plain_address}/$emulator/health").status_code == 200


def test_a_client_may_wait_before_it_sends_its_body(server: AdministrationServer) -> None:
    head = b"PUT /q HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.plain_port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(b"abc")
        assert connection.recv(65536).startswith(b"HTTP/1.1 401")
