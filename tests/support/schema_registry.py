"""A schema registry over HTTP, as far as serializers and decoders need one: Confluent's REST API, and Azure's."""

import base64
import contextlib
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

KEY, SECRET = "registry-key", "registry-secret"


@dataclass
class Registered:
    """A schema that was registered."""

    number: int
    guid: str
    entry: dict[str, Any]


@dataclass
class Fault:
    """What the next request gets instead of an answer."""

    status: int = 500
    body: bytes = b'{"error_code": 50001, "message": "trouble"}'
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


class SchemaRegistryServer:
    """Runs in a thread. Use it as a context manager."""

    def __init__(self, *, key: str | None = KEY, secret: str = SECRET, authorization: str | None = None) -> None:
        self.schemas: list[Registered] = []
        self.subjects: dict[str, list[int]] = {}
        self.azure: dict[str, str] = {}
        self.requests: list[str] = []
        self.faults: deque[Fault] = deque()
        self.broken: Fault | None = None
        """Given to every request, while it is set."""
        basic = None if key is None else f"Basic {base64.b64encode(f'{key}:{secret}'.encode()).decode()}"
        self._expected = authorization or basic
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "SchemaRegistryServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def client(self) -> Any:
        """The official client, for serializers."""
        from confluent_kafka.schema_registry import SchemaRegistryClient

        return SchemaRegistryClient({"url": self.url, "basic.auth.user.info": f"{KEY}:{SECRET}"})

    def register(self, subject: str, entry: dict[str, Any]) -> Registered:
        """Register a version of a subject; the same one again changes nothing."""
        entry = {name: entry[name] for name in ("schema", "schemaType", "references") if entry.get(name)}
        with self._lock:
            known = next((each for each in self.schemas if each.entry == entry), None)
            if known is None:
                known = Registered(len(self.schemas) + 1, str(uuid.uuid4()), entry)
                self.schemas.append(known)
            versions = self.subjects.setdefault(subject, [])
            if known.number not in versions:
                versions.append(known.number)
            return known

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON (or text) of the answer to a request."""
        match [unquote(part) for part in path.strip("/").split("/")]:
            case ["schemas", "types"]:
                return 200, ["JSON", "PROTOBUF", "AVRO"]
            case ["subjects"]:
                return 200, list(self.subjects)
            case ["schemas", "ids", number]:
                found = [each for each in self.schemas if str(each.number) == number]
                return (200, found[0].entry) if found else _unknown(40403)
            case ["schemas", "guids", guid]:
                found = [each for each in self.schemas if each.guid == guid]
                return (200, found[0].entry) if found else _unknown(40403)
            case ["subjects", subject, "versions"] if method == "POST":
                made = self.register(subject, json.loads(body))
                return 200, {"id": made.number, "guid": made.guid}
            case ["subjects", subject] if method == "POST":
                made = self.register(subject, json.loads(body))
                return 200, self._version(subject, self.subjects[subject].index(made.number) + 1)
            case ["subjects", subject, "versions", version]:
                versions = self.subjects.get(subject, [])
                place = len(versions) if version == "latest" else int(version)
                return (200, self._version(subject, place)) if 0 < place <= len(versions) else _unknown(40402)
            case ["$schemaGroups"]:
                return 200, {"value": ["group"]}
            case ["$schemaGroups", "$schemas", identifier]:
                text = self.azure.get(identifier)
                return (200, text) if text else (404, {"error": {"code": "ItemNotFound", "message": "no such schema"}})
        return 404, "<html>no such page</html>"

    def _version(self, subject: str, version: int) -> dict[str, Any]:
        made = self.schemas[self.subjects[subject][version - 1] - 1]
        return {"subject": subject, "version": version, "id": made.number, "guid": made.guid, **made.entry}

    def _handler(self) -> Callable[..., BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def log_message(self, *_: object) -> None:
                pass

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                registry.requests.append(f"{self.command} {self.path}")
                fault = registry.faults.popleft() if registry.faults else registry.broken
                if fault is not None:
                    time.sleep(fault.seconds)
                    self._send(fault.status, fault.body, fault.headers)
                elif registry._expected not in (None, self.headers.get("Authorization")):
                    self._send(401, b'{"error_code": 401, "message": "Unauthorized"}', {})
                else:
                    status, found = registry.answer(self.command, urlsplit(self.path).path, body)
                    self._send(status, found.encode() if isinstance(found, str) else json.dumps(found).encode(), {})

            def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the client may have seen enough
                    self.wfile.write(content)

        return Handler


def _unknown(code: int) -> tuple[int, Any]:
    return 404, {"error_code": code, "message": "not found"}
