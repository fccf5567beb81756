"""Clients of HTTP connect only where the policy allows it, and expect the host's own name there."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import requests
import trustme

from syncline.networking import HostPolicy, HostRefused
from syncline.networking.dialling import checked_adapter, checked_transport
from syncline.networking.failures import own_words
from tests.support.sockets import saying

Get = Callable[[str], str]


class Page(BaseHTTPRequestHandler):
    """Answers every request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server on 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    made = trustme.CA()
    with made.cert_pem.tempfile() as path:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", path)
        monkeypatch.setenv("SSL_CERT_FILE", path)
        yield made


def certificate(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def with_httpx(policy: HostPolicy) -> Get:
    def get(url: str) -> str:
        with httpx.Client(transport=checked_transport(policy, ssl.create_default_context()), trust_env=False) as client:
            return client.get(url).text

    return get


def with_requests(policy: HostPolicy) -> Get:
    def get(url: str) -> str:
        with requests.Session() as session:
            session.mount("http://", checked_adapter(policy))
            session.mount("https://", checked_adapter(policy))
            return session.get(url).text

    return get


@pytest.fixture(params=[with_httpx, with_requests])
def client(request: pytest.FixtureRequest) -> Callable[[HostPolicy], Get]:
    return request.param


def leading_to(*addresses: str) -> HostPolicy:
    return HostPolicy(resolver=lambda host, port: addresses)


def test_the_addresses_that_were_checked_are_dialled_in_turn(client: Callable[[HostPolicy], Get]) -> None:
    with serving() as port:
        assert client(leading_to("127.0.0.2", "127.0.0.1"))(f"http://bus.example.com:{port}/") == "ok"


def test_tls_goes_on_expecting_the_name(client: Callable[[HostPolicy], Get], authority: trustme.CA) -> None:
    policy = leading_to("127.0.0.1")
    with serving(certificate(authority, "bus.example.com")) as port:
        assert client(policy)(f"https://bus.example.com:{port}/") == "ok"
        with pytest.raises((httpx.ConnectError, requests.exceptions.SSLError), match=r"other\.example\.com"):
            client(policy)(f"https://other.example.com:{port}/")


def test_another_name_may_be_expected(authority: trustme.CA) -> None:
    with serving(certificate(authority, "bus.example.com")) as port, requests.Session() as session:
        session.mount("https://", checked_adapter(HostPolicy(), "bus.example.com"))
        assert session.get(f"https://127.0.0.1:{port}/").text == "ok"


@pytest.mark.parametrize("url", ["http://bus.example.com", "http://127.0.0.1", "http://localhost", "http://127.1"])
def test_what_is_forbidden_is_not_dialled(client: Callable[[HostPolicy], Get], url: str) -> None:
    policy = HostPolicy(allows_private=False, resolver=lambda host, port: ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        with pytest.raises(HostRefused):
            client(policy)(f"{url}:{server.getsockname()[1]}/")
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_name_is_looked_at_again_each_time_it_is_dialled(client: Callable[[HostPolicy], Get]) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    get = client(HostPolicy(resolver=lambda host, port: next(answers)))
    with serving() as port:
        assert get(f"http://bus.example.com:{port}/") == "ok"
        with pytest.raises(HostRefused, match=r"169\.254\.169\.254"):
            get(f"http://bus.example.com:{port}/")


def test_a_proxy_of_the_environment_is_not_asked(
    client: Callable[[HostPolicy], Get], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving() as port:
        assert client(leading_to("127.0.0.1"))(f"http://bus.example.com:{port}/") == "ok"


def test_why_it_failed_is_told_without_what_the_other_side_said(client: Callable[[HostPolicy], Get]) -> None:
    with saying(b"SSH-2.0-internal-host\r\n\r\n") as port:
        with pytest.raises(Exception, match="internal-host") as caught:
            client(HostPolicy())(f"http://127.0.0.1:{port}/")
        assert own_words(caught.value, "it does not answer in HTTP") == "it does not answer in HTTP"
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of either library
        client(HostPolicy())("http://127.0.0.1:1/")
    assert own_words(caught.value, "") == "Connection refused"
