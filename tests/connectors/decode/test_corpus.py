"""A corpus of each format: published through the official SDK, read, decoded, loaded, and read back value for value."""

import gzip
import json
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from syncline.connectors.errors import SourceUnavailable
from syncline.emulator.emulator import EmulatorThread
from syncline.sync.run import SyncJob, run_sync
from syncline.sync.shape import stamp
from tests.connectors.azure_service_bus.conftest import (
    SUBSCRIPTION,
    Publish,
    _impatient_sdk,  # noqa: F401
    context_for,
    emulator,  # noqa: F401
    opened,
    publish,  # noqa: F401
    read_all,
)
from tests.connectors.decode.test_avro import INNER, logical, record
from tests.connectors.decode.test_avro import serialize as avro
from tests.connectors.decode.test_protobuf import IMPORTS, Protos
from tests.connectors.decode.test_protobuf import serialize as protobuf
from tests.support.schema_registry import KEY, SECRET, Fault, SchemaRegistryServer
from tests.sync.fakes import MemoryCheckpoints
from tests.warehouses.conftest import Target, duckdb_target, postgres_target, target  # noqa: F401

MOMENT = datetime(2024, 2, 29, 3, 4, 5, 678901, tzinfo=UTC)


@dataclass
class Corpus:
    """Messages of one format, and what has to be in the table after."""

    message_type: str
    sync_type: str
    messages: list[Any] = field(default_factory=list)
    expected: list[dict[str, Any] | None] = field(default_factory=list)
    """The columns of each message, without `value_` where they have it; None for one that is rejected."""
    as_json: frozenset[str] = frozenset()
    """Columns to compare as JSON."""

    def add(self, body: Any, expected: dict[str, Any] | None, **properties: Any) -> None:
        """A message with a data section, or with several where the body is a list."""
        self.add_amqp(expected, data_body=body if isinstance(body, list) else [body], properties=properties)

    def add_amqp(self, expected: dict[str, Any] | None, *, properties: dict[str, Any], **body: Any) -> None:
        """A message with a body of any AMQP kind."""
        properties = {**properties, "message_id": f"m{len(self.messages)}"}
        self.messages.append(AmqpAnnotatedMessage(properties=properties, **body))
        self.expected.append(expected)


def json_corpus(server: SchemaRegistryServer, folder: Path) -> Corpus:
    corpus = Corpus("Json", "Unpacked", as_json=frozenset({"nested", "mixed", "value"}))
    document = {
        "text": "Zoë 日本 𝄞", "small": 5, "big": 2**70, "exact": Decimal("12345678.123456789"), "yes": True,
        "none": None, "nested": {"a": [1, {"b": None}], "c": {}}, "mixed": [1], "at": "2024-02-29T03:04:05Z",
    }  # fmt: skip
    text = (
        '{"text": "Zoë 日本 𝄞", "small": 5, "big": 1180591620717411303424, "exact": 12345678.123456789, "yes": true, '
        '"none": null, "nested": {"a": [1, {"b": null}], "c": {}}, "mixed": [1], "at": "2024-02-29T03:04:05Z"}'
    )
    corpus.add(text.encode(), document)
    corpus.add([text[:40].encode(), text[40:].encode()], document)
    corpus.add(text.encode("utf-16"), document, content_type="application/json")
    corpus.add(gzip.compress(text.encode()), document, content_encoding="gzip")
    corpus.add(zlib.compress(text.encode("utf-16")), document, content_encoding="deflate")
    corpus.add_amqp(document, value_body=text, properties={})
    corpus.add_amqp({"text": "Zoë", "small": 7}, value_body={"text": "Zoë", "small": 7}, properties={})
    corpus.add_amqp({"value": [1, "two", 3]}, sequence_body=[[1, "two"], [3]], properties={})
    corpus.add(b'{"small": 1, "small": 32768, "mixed": true}', {"small": 32768, "mixed": True})
    corpus.add(b"[]", {"value": []})
    corpus.add(b"null", {"value": None})
    corpus.add(b"{}", {})
    corpus.add(b"", {})
    corpus.add_amqp({}, value_body=None, properties={})
    for body in (b"{", b'{"small": NaN}', b"\xff", b"[" * 2000):
        corpus.add(body, None)
    corpus.add(b"{}", None, content_encoding="gzip")
    return corpus


def packed_json_corpus(server: SchemaRegistryServer, folder: Path) -> Corpus:
    corpus = Corpus("Json", "Packed", as_json=frozenset({"value"}))
    for document in ({"a": [1.5, {"b": "Zoë"}]}, [], 5, "text", {}):
        corpus.add(json.dumps(document).encode(), {"value": document})
        corpus.add_amqp({"value": document}, value_body=json.dumps(document), properties={})
    corpus.add(b"{", None)
    return corpus


def text_corpus(server: SchemaRegistryServer, folder: Path) -> Corpus:
    corpus = Corpus("Text", "Packed")
    for charset in ("utf-8", "utf-16", "utf-32"):
        corpus.add("Zoë 日本".encode(charset), {"value": "Zoë 日本"}, content_type="text/plain")
    corpus.add("Zoë".encode("latin-1"), {"value": "Zoë"}, content_type="text/plain; charset=iso-8859-1")
    corpus.add("Zoë".encode("latin-1"), {"value": "Zoë"}, content_encoding="iso-8859-1")
    corpus.add(gzip.compress(b"text"), {"value": "text"}, content_encoding="gzip")
    corpus.add([b"one ", b"two"], {"value": "one two"})
    corpus.add_amqp({"value": "Zoë"}, value_body="Zoë", properties={})
    corpus.add_amqp({"value": "5"}, value_body=5, properties={})
    corpus.add(b"", {"value": None})
    corpus.add(b"\xff", None)
    corpus.add(b"text", None, content_type="text/plain; charset=klingon")
    return corpus


def xml_corpus(server: SchemaRegistryServer, folder: Path) -> Corpus:
    corpus = Corpus("Xml", "Packed")
    document = '<?xml version="1.0"?><a b="c">Zoë &amp; <!-- kept --><x/></a>'
    corpus.add(document.encode(), {"value": document})
    corpus.add(document.encode("utf-16"), {"value": document})
    corpus.add(gzip.compress(document.encode()), {"value": document}, content_encoding="gzip")
    corpus.add_amqp({"value": document}, value_body=document, properties={})
    latin = '<?xml version="1.0" encoding="iso-8859-1"?><a>Zoë</a>'
    corpus.add(latin.encode("latin-1"), {"value": latin}, content_type="application/xml")
    for body in (b"<a>", b'<!DOCTYPE a [<!ENTITY e "&e;">]><a>&e;</a>'):
        corpus.add(body, None)
    return corpus


def avro_corpus(server: SchemaRegistryServer, folder: Path) -> Corpus:
    corpus = Corpus("Avro", "Unpacked", as_json=frozenset({"list", "inner"}))
    color = {"type": "enum", "name": "E", "symbols": ["RED", "GREEN"]}
    amount = logical("bytes", "decimal", precision=12, scale=2)
    fields = [
        ("yes", "boolean"), ("number", "int"), ("big", "long"), ("real", "double"), ("text", ["null", "string"]),
        ("raw", "bytes"), ("color", color), ("list", {"type": "array", "items": "long"}), ("inner", ["null", INNER]),
        ("amount", amount), ("day", logical("int", "date")), ("at", logical("long", "timestamp-micros")),
        ("local", logical("long", "local-timestamp-millis")),
    ]  # fmt: skip
    value = {
        "yes": True, "number": -5, "big": 2**62, "real": 0.1, "text": "Zoë 日本", "raw": b"\xff\0", "color": "GREEN",
        "list": [1, 2**62], "inner": None, "amount": Decimal("-12.34"), "day": date(1066, 10, 14), "at": MOMENT,
        "local": datetime(1900, 1, 1),  # noqa: DTZ001
    }  # fmt: skip
    (body,) = avro(server, record(*fields), value)
    corpus.add(body, value)
    corpus.add([body[:3], body[3:]], value)
    corpus.add(gzip.compress(body), value, content_encoding="gzip")
    corpus.add_amqp(value, value_body=body, properties={})
    wider = [(name, "long" if name == "number" else kind) for name, kind in fields if name != "yes"]
    newer = {**value, "number": 2**40, "color": "RED", "inner": {"at": MOMENT, "amount": Decimal(5)}}
    seen = {**newer, "yes": None, "inner": {"at": "2024-02-29T03:04:05.678000Z", "amount": 5.0}}
    (newest,) = avro(server, record(*wider, ("more", "string")), {**newer, "more": "x"})
    corpus.add(newest, {**seen, "more": "x"})
    for broken in (b"{}", body[:-1], body + b"\0", b"\0\0\0\0\x63" + body[5:]):
        corpus.add(broken, None)
    return corpus


def protobuf_corpus(server: SchemaRegistryServer, folder: Path) -> Corpus:
    corpus = Corpus("Protobuf", "Unpacked", as_json=frozenset({"list", "map", "inner"}))
    text = f"""
        syntax = "proto3"; {IMPORTS}
        message Order {{
          bool yes = 1; int32 number = 2; uint64 big = 3; double real = 4; optional string text = 5; bytes raw = 6;
          Color color = 7; repeated int64 list = 8; map<string, Inner> map = 9; Inner inner = 10;
          google.protobuf.Timestamp at = 11; google.protobuf.StringValue wrapped = 12;
        }}
        enum Color {{ RED = 0; GREEN = 1; }}
        message Inner {{ int64 n = 1; }}
    """
    order = Protos(folder, {"order.proto": text})["Order"]
    message = order(
        yes=True, number=-5, big=2**64 - 1, real=0.1, text="Zoë 日本", raw=b"\xff\0", color=1, list=[1, 2**62],
        map={"a": {"n": 1}}, inner={"n": 2}, wrapped={"value": "w"},
    )  # fmt: skip
    message.at.FromDatetime(MOMENT)
    value = {
        "yes": True, "number": -5, "big": Decimal(2**64 - 1), "real": 0.1, "text": "Zoë 日本", "raw": b"\xff\0",
        "color": "GREEN", "list": [1, 2**62], "map": {"a": {"n": 1}}, "inner": {"n": 2}, "at": MOMENT, "wrapped": "w",
    }  # fmt: skip
    empty = {
        "yes": False, "number": 0, "big": Decimal(0), "real": 0.0, "text": None, "raw": b"", "color": "RED", "list": [],
        "map": {}, "inner": None, "at": None, "wrapped": None,
    }  # fmt: skip
    body, bare = protobuf(server, message, order())
    corpus.add(body, value)
    corpus.add(bare, empty)
    corpus.add([body[:3], body[3:]], value)
    corpus.add(gzip.compress(body), value, content_encoding="gzip")
    corpus.add_amqp(value, value_body=body, properties={})
    for broken in (b"{}", body[:-1], body[:5] + b"\x02\x09", b"\0\0\0\0\x63" + body[5:]):
        corpus.add(broken, None)
    return corpus


MAKERS = [json_corpus, packed_json_corpus, text_corpus, xml_corpus, avro_corpus, protobuf_corpus]


@pytest.mark.parametrize("make", MAKERS, ids=[make.__name__ for make in MAKERS])
def test_what_was_published_is_in_the_table(
    emulator: EmulatorThread,  # noqa: F811
    publish: Publish,  # noqa: F811
    target: Target,  # noqa: F811
    server: SchemaRegistryServer,
    tmp_path: Path,
    make: Callable[[SchemaRegistryServer, Path], Corpus],
) -> None:
    corpus = make(server, tmp_path)
    publish(corpus.messages)
    context = context_for(
        emulator.connection_string("Listen"),
        topics=["orders"],
        subscriber_name=SUBSCRIPTION,
        message_type=corpus.message_type,
        sync_type=corpus.sync_type,
        schema_registry_urls=[server.url],
        schema_registry_key=KEY,
        schema_registry_secret=SECRET,
    )
    batches = read_all(context)
    rejected: dict[str, bytes] = {}
    rows = 0
    with opened(context) as source, target.open() as loader:
        for batch in batches:
            decoded = source.decode(batch)
            loader.load("orders", stamp(decoded.columns, MOMENT))
            rejected |= {each["message_id"]: each["body"] for each in decoded.rejects.to_pylist()}
            rows += decoded.columns.num_rows
    assert rows + len(rejected) == len(corpus.messages)
    sent = {f"m{place}": message for place, message in enumerate(corpus.messages)}
    wanted = {f"m{place}" for place, expected in enumerate(corpus.expected) if expected is None}
    assert set(rejected) == wanted
    for identifier, body in rejected.items():
        assert body == b"".join(sent[identifier].body)
    check_table(target, corpus)


def check_table(target: Target, corpus: Corpus) -> None:  # noqa: F811
    """Every message that was not rejected is there with its values, and null in all other columns."""
    columns = [name for name in target.columns("orders") if name.startswith("value")]
    selected = ", ".join(
        f"CAST({name} AS VARCHAR)" if name.removeprefix("value_") in corpus.as_json else name for name in columns
    )
    found = {row[0]: row[1:] for row in target.query(f"SELECT message_id, {selected} FROM bus.orders")}
    expected = {f"m{place}": each for place, each in enumerate(corpus.expected) if each is not None}
    assert found.keys() == expected.keys()
    for identifier, values in expected.items():
        for name, value in zip(columns, found[identifier], strict=True):
            short = name if name == "value" else name.removeprefix("value_")
            read = json.loads(value) if short in corpus.as_json and value is not None else value
            assert plain(read) == plain(values.get(short)), (identifier, name)


def plain(value: Any) -> Any:
    """A value in a form that does not depend on how a driver gives it."""
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    return value


def test_a_message_of_the_sdk_says_how_it_is_encoded(emulator: EmulatorThread, publish: Publish) -> None:  # noqa: F811
    publish([ServiceBusMessage(b"x", content_type="text/plain; charset=latin1")])
    corpus = Corpus("Text", "Packed")
    corpus.add(b"y", {}, content_encoding="gzip")
    publish(corpus.messages)
    context = context_for(emulator.connection_string("Listen"), topics=["orders"], subscriber_name=SUBSCRIPTION)
    found = [row for batch in read_all(context) for row in batch.table.to_pylist()]
    assert [row["content_type"] for row in found] == ["text/plain; charset=latin1", None]
    assert [row["content_encoding"] for row in found] == [None, "gzip"]


def test_a_registry_that_is_down_ends_the_sync_and_the_next_one_goes_on(
    emulator: EmulatorThread,  # noqa: F811
    publish: Publish,  # noqa: F811
    duckdb_target: Target,  # noqa: F811
    server: SchemaRegistryServer,
    tmp_path: Path,
) -> None:
    publish(avro(server, record(("a", "int")), *({"a": number} for number in range(50))))
    context = context_for(
        emulator.connection_string("Listen"),
        topics=["orders"],
        subscriber_name=SUBSCRIPTION,
        message_type="Avro",
        schema_registry_urls=[server.url],
        schema_registry_key=KEY,
        schema_registry_secret=SECRET,
    )
    job = SyncJob(
        connection_id="connection",
        run_id="run",
        service="azure_service_bus",
        schema="bus",
        context=context,
        warehouse="duckdb",
        warehouse_config=duckdb_target.config,
        working_directory=tmp_path / "work",
    )
    checkpoints = MemoryCheckpoints()
    server.broken = Fault(503)
    with pytest.raises(SourceUnavailable, match="schema registry"):
        run_sync(job, checkpoints, on_progress=lambda progress: None, stop=threading.Event())
    assert checkpoints.positions() == {}
    server.broken = None
    outcome = run_sync(job, checkpoints, on_progress=lambda progress: None, stop=threading.Event())
    assert (outcome.rows, outcome.rejected) == (50, 0)
    assert duckdb_target.query("SELECT sum(value_a), count(*) FROM bus.orders") == [(sum(range(50)), 50)]
