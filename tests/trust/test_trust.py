"""Approving, listing and revoking over HTTP, for connections and destinations, on both kinds of store."""

import asyncio
import base64
import hashlib
import ssl
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from syncline.settings import Settings
from tests.support.postgres import PostgresServer

ALL = [(kind, store) for kind in ("connection", "destination") for store in ("sqlite", "postgresql")]
SOME = [("connection", "sqlite"), ("destination", "postgresql")]
"""Both kinds of owner and both kinds of store; the tests of what the store does run on all four."""


@pytest.fixture(params=SOME, ids="-".join)
def where(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The kind of owner and the kind of store."""
    kind, store = request.param
    return kind, store


@pytest.fixture
def settings(tmp_path: Path, where: tuple[str, str], request: pytest.FixtureRequest) -> Settings:
    if where[1] == "sqlite":
        return Settings(home=tmp_path / "home", port=0)
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.url_of(request.getfixturevalue("postgres_database"))
    return Settings(home=tmp_path / "home", port=0, database_url=SecretStr(url))


@pytest.fixture
async def owner(where: tuple[str, str], client: httpx.AsyncClient) -> str:
    """The path of a new connection or destination."""
    kind, _ = where
    group_id = (await client.post("/v1/groups", json={"name": "group"})).json()["data"]["id"]
    fields: dict[str, Any] = {"group_id": group_id, "run_setup_tests": False}
    if kind == "connection":
        fields |= {"service": "azure_service_bus", "config": {"schema": "bus"}}
    else:
        fields |= {"service": "duckdb", "time_zone_offset": "0"}
    answer = await client.post(f"/v1/{kind}s", json=fields)
    assert answer.status_code == 201, answer.text
    return f"/v1/{kind}s/{answer.json()['data']['id']}"


def certificate(name: str = "db.example.com") -> tuple[dict[str, str], bytes]:
    """A request that approves a new certificate, and its DER form."""
    pem = trustme.CA().issue_cert(name).cert_chain_pems[0].bytes()
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    written = base64.b64encode(hashlib.sha256(der).digest()).decode()
    return {"hash": written, "encoded_cert": base64.b64encode(der).decode()}, der


def host_key(private: Any = None) -> dict[str, str]:
    """A request that approves a new host key."""
    public = (private or ed25519.Ed25519PrivateKey.generate()).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return {"hash": base64.b64encode(digest).decode().rstrip("="), "public_key": f"{line} host comment"}


@pytest.mark.parametrize("where", ALL, ids="-".join, indirect=True)
async def test_a_certificate_is_approved_read_and_revoked(client: httpx.AsyncClient, owner: str) -> None:
    request, der = certificate()
    answer = await client.post(f"{owner}/certificates", json=request)
    assert answer.status_code == 201, answer.text
    assert answer.json()["message"] == "The certificate has been approved."
    data = answer.json()["data"]
    assert data["id"] == base64.urlsafe_b64encode(request["hash"].encode()).decode().rstrip("=")
    assert data["hash"] == request["hash"]
    assert data["sha256"] == hashlib.sha256(der).hexdigest()
    assert data["sha1"] == hashlib.sha1(der).hexdigest()
    assert data["name"] == x509.load_der_x509_certificate(der).subject.rfc4514_string()
    assert data["type"] == "TLS"
    assert data["public_key"].startswith("EC public key, 256 bits, curve: secp256r1")
    assert data["validated_by"]
    assert data["validated_date"].endswith("Z")

    for name in (data["id"], quote(request["hash"], safe="")):
        assert (await client.get(f"{owner}/certificates/{name}")).json()["data"] == data
    assert (await client.get(f"{owner}/certificates")).json()["data"] == {"items": [data]}

    answer = await client.delete(f"{owner}/certificates/{data['id']}")
    assert answer.status_code == 200
    assert "has been revoked" in answer.json()["message"]
    assert (await client.get(f"{owner}/certificates")).json()["data"] == {"items": []}
    answer = await client.delete(f"{owner}/certificates/{data['id']}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound_Certificate")


async def test_a_fingerprint_is_approved_read_and_revoked(client: httpx.AsyncClient, owner: str) -> None:
    request = host_key()
    answer = await client.post(f"{owner}/fingerprints", json=request)
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    assert data.keys() == {"id", "hash", "public_key", "validated_date", "validated_by"}
    assert (data["hash"], data["public_key"]) == (request["hash"], request["public_key"])
    for name in (data["id"], quote(request["hash"], safe="")):
        assert (await client.get(f"{owner}/fingerprints/{name}")).json()["data"] == data
    assert (await client.get(f"{owner}/fingerprints")).json()["data"]["items"] == [data]
    answer = await client.delete(f"{owner}/fingerprints/{quote(request['hash'], safe='')}")
    assert answer.status_code == 200
    answer = await client.get(f"{owner}/fingerprints/{data['id']}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound_Fingerprint")


@pytest.mark.parametrize("where", ALL, ids="-".join, indirect=True)
async def test_approving_again_answers_the_first_record(client: httpx.AsyncClient, owner: str) -> None:
    request, der = certificate()
    first = (await client.post(f"{owner}/certificates", json=request)).json()["data"]
    again = {**request, "hash": hashlib.sha256(der).hexdigest()}
    answer = await client.post(f"{owner}/certificates", json=again)
    assert (answer.status_code, answer.json()["data"]) == (201, first)
    key = host_key()
    answers = await asyncio.gather(*(client.post(f"{owner}/fingerprints", json=key) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["data"]["validated_date"] for answer in answers}) == 1
    assert len((await client.get(f"{owner}/fingerprints")).json()["data"]["items"]) == 1


async def test_lists_come_in_pages(client: httpx.AsyncClient, owner: str) -> None:
    made = set()
    for _ in range(3):
        made.add((await client.post(f"{owner}/fingerprints", json=host_key())).json()["data"]["id"])
    first = (await client.get(f"{owner}/fingerprints", params={"limit": 2})).json()["data"]
    second = (await client.get(f"{owner}/fingerprints", params={"limit": 2, "cursor": first["next_cursor"]})).json()[
        "data"
    ]
    assert "next_cursor" not in second
    assert {item["id"] for item in first["items"] + second["items"]} == made


async def test_bad_requests(client: httpx.AsyncClient, owner: str) -> None:
    good, der = certificate()
    other, _ = certificate()
    key, other_key = host_key(), host_key()
    bad = [
        ("certificates", {"hash": good["hash"]}, "`encoded_cert` is missing"),
        ("certificates", {"encoded_cert": good["encoded_cert"]}, "`hash` is missing"),
        ("certificates", {**good, "hash": other["hash"]}, "`hash` is not the SHA-256 hash"),
        ("certificates", {**good, "hash": "jhg5UI7"}, "`hash` is not a SHA-256 hash"),
        ("certificates", {**good, "encoded_cert": "!!!"}, "`encoded_cert` is not base64"),
        ("certificates", {**good, "encoded_cert": "aGVsbG8="}, "not an X.509 certificate"),
        ("certificates", {**good, "encoded_cert": base64.b64encode(der[:-5]).decode()}, "not an X.509 certificate"),
        ("certificates", {**good, "hash": 5}, "`hash` must be text"),
        ("certificates", {**good, "hash": ""}, "`hash`"),
        ("certificates", {**good, "zzz": 1}, "`zzz`"),
        ("fingerprints", {"hash": key["hash"]}, "`public_key` is missing"),
        ("fingerprints", {**key, "hash": other_key["hash"]}, "`hash` is not the SHA-256 hash"),
        ("fingerprints", {**key, "hash": "MD5:aa:bb"}, "`hash` is not a SHA-256 hash"),
        ("fingerprints", {**key, "public_key": "ssh-ed25519"}, "not an SSH public key"),
        ("fingerprints", {**key, "public_key": "ssh-ed25519 AAAA"}, "not an SSH public key"),
        ("fingerprints", {**key, "public_key": "hello world"}, "not an SSH public key"),
        ("fingerprints", {**key, "public_key": key["public_key"] + "\nssh-rsa AAAA"}, "one line"),
    ]
    for what, request, named in bad:
        answer = await client.post(f"{owner}/{what}", json=request)
        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput"), request
        assert named in answer.json()["message"]
    for what in ("certificates", "fingerprints"):
        assert (await client.get(f"{owner}/{what}")).json()["data"] == {"items": []}


async def test_every_kind_of_key_is_taken(client: httpx.AsyncClient, owner: str) -> None:
    for private in (
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        ec.generate_private_key(ec.SECP256R1()),
    ):
        assert (await client.post(f"{owner}/fingerprints", json=host_key(private))).status_code == 201


async def test_what_openssl_and_pem_say_is_taken(client: httpx.AsyncClient, owner: str) -> None:
    request, der = certificate()
    pem = ssl.DER_cert_to_PEM_cert(der)
    answer = await client.post(f"{owner}/certificates", json={**request, "encoded_cert": pem})
    assert answer.status_code == 201, answer.text


async def test_an_unknown_owner_is_not_found(client: httpx.AsyncClient, owner: str) -> None:
    kind = "Connection" if "connections" in owner else "Destination"
    elsewhere = f"/v1/{kind.lower()}s/nowhere"
    request, _ = certificate()
    answers = [
        await client.get(f"{elsewhere}/certificates"),
        await client.post(f"{elsewhere}/certificates", json=request),
        await client.get(f"{elsewhere}/certificates/x"),
        await client.delete(f"{elsewhere}/certificates/x"),
        await client.get(f"{elsewhere}/fingerprints"),
        await client.post(f"{elsewhere}/fingerprints", json=host_key()),
        await client.get(f"{elsewhere}/fingerprints/x"),
        await client.delete(f"{elsewhere}/fingerprints/x"),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, f"NotFound_{kind}")}


@pytest.mark.parametrize("where", ALL, ids="-".join, indirect=True)
async def test_what_is_trusted_goes_with_its_owner(client: httpx.AsyncClient, owner: str) -> None:
    request, _ = certificate()
    assert (await client.post(f"{owner}/certificates", json=request)).status_code == 201
    assert (await client.post(f"{owner}/fingerprints", json=host_key())).status_code == 201
    assert (await client.delete(owner)).status_code == 200
    assert (await client.get(f"{owner}/certificates")).status_code == 404


async def test_the_older_request_names_its_owner(client: httpx.AsyncClient, owner: str) -> None:
    request, _ = certificate()
    word, identifier = owner.split("/")[2].rstrip("s"), owner.split("/")[3]
    answer = await client.post("/v1/certificates", json={**request, f"{word}_id": identifier})
    assert answer.status_code == 200
    assert answer.json() == {"code": "Success", "message": "The certificate has been approved."}
    assert len((await client.get(f"{owner}/certificates")).json()["data"]["items"]) == 1
    answer = await client.post("/v1/certificates", json={**request, f"{word}_id": "nowhere"})
    assert answer.status_code == 404
    for owners in ({}, {"connection_id": "a", "destination_id": "b"}):
        answer = await client.post("/v1/certificates", json={**request, **owners})
        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")


async def test_older_paths_of_connections_work(client: httpx.AsyncClient, owner: str) -> None:
    if "connections" in owner:
        older = owner.replace("connections", "connectors")
        assert (await client.post(f"{older}/fingerprints", json=host_key())).status_code == 201
        assert len((await client.get(f"{older}/fingerprints/")).json()["data"]["items"]) == 1


def test_the_hash_is_the_one_that_ssh_keygen_shows(tmp_path: Path) -> None:
    request = host_key()
    path = tmp_path / "key.pub"
    path.write_text(request["public_key"] + "\n")
    try:
        shown = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not installed")
    assert shown.split()[1] == f"SHA256:{request['hash']}"
