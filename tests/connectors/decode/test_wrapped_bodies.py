"""Bodies with something around them: .NET's BrokeredMessage, a registry's header; and XML that says what it is not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.azure_service_bus.decode import decode_batch
from syncline.connectors.azure_service_bus.decode.dotnet_body import unwrapped
from tests.connectors.decode.batches import batch, check_complete

NAMESPACE = b"http://schemas.microsoft.com/2003/10/Serialization/"


def element(name: bytes, *records: bytes) -> bytes:
    return b"@" + bytes((len(name),)) + name + b"\x08" + bytes((len(NAMESPACE),)) + NAMESPACE + b"".join(records)


def record(kind: int, content: bytes, *, ends: bool = False) -> bytes:
    """A text record, whose type says how many bytes its length has."""
    return bytes((kind + ends,)) + len(content).to_bytes(_SIZES[kind], "little") + content


_SIZES = {0x98: 1, 0x9A: 2, 0x9C: 4, 0x9E: 1, 0xA0: 2, 0xA2: 4, 0xB6: 1, 0xB8: 2, 0xBA: 4}
FORMS = [
    (0x98, "utf-8"),
    (0x9A, "utf-8"),
    (0x9C, "utf-8"),
    (0xB6, "utf-16-le"),
    (0xB8, "utf-16-le"),
    (0xBA, "utf-16-le"),
]


@st.composite
def strings(draw: st.DrawFn) -> tuple[bytes, str]:
    """A body as the client makes it of a string, and the string."""
    parts = draw(st.lists(st.tuples(st.text(max_size=30), st.sampled_from(FORMS)), min_size=1, max_size=3))
    ends = draw(st.booleans())
    records = [
        record(kind, text.encode(charset), ends=ends and place == len(parts) - 1)
        for place, (text, (kind, charset)) in enumerate(parts)
    ]
    return element(b"string", *records, b"" if ends else b"\x01"), "".join(text for text, _ in parts)


@given(strings())
def test_a_string_is_unwrapped(made: tuple[bytes, str]) -> None:
    assert unwrapped(made[0]).decode() == made[1]


@given(st.binary(max_size=300), st.booleans())
def test_bytes_are_unwrapped(content: bytes, ends: bool) -> None:
    kind = 0x9E if len(content) < 256 else 0xA0
    body = element(b"base64Binary", record(kind, content, ends=ends), b"" if ends else b"\x01")
    assert unwrapped(body) == content


@given(strings(), st.data())
def test_what_is_not_whole_stays_as_it_is(made: tuple[bytes, str], data: st.DataObject) -> None:
    body, _ = made
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    assert unwrapped(cut) == cut
    assert unwrapped(body + b"!") == body + b"!"


@pytest.mark.parametrize(
    "body", [b"@", b"@home", b"@\x06string", element(b"string"), element(b"int", record(0x98, b"7"))]
)
def test_a_body_that_only_begins_like_one_stays_itself(body: bytes) -> None:
    assert unwrapped(body) == body


@pytest.mark.parametrize(
    ("message_type", "sync_type", "column", "expected"),
    [
        ("Json", "Unpacked", "value_v", [0, 1, 2, 3]),
        ("Json", "Packed", "value", ['{"v":0}', '{"v":1}', '{"v":2}', '{"v":3}']),
        ("Text", "Packed", "value", ['{"v":0}', '{"v":1}', '{"v":2}', '{"v":3}']),
    ],
)
def test_wrapped_messages_stand_among_others(
    message_type: str, sync_type: str, column: str, expected: list[object]
) -> None:
    bodies = [
        b'{"v":0}',
        element(b"string", record(0x98, b'{"v":1}', ends=True)),
        element(b"base64Binary", record(0x9E, b'{"v":2}', ends=True)),
        element(b"string", record(0xB6, '{"v":3}'.encode("utf-16-le"), ends=True)),
    ]
    rows, rejects = decode_batch(batch(bodies), message_type, sync_type)
    assert rejects.num_rows == 0
    assert rows.column(column).to_pylist() == expected


def test_a_wrapped_reject_keeps_its_bytes_as_they_came() -> None:
    body = element(b"string", record(0x98, b"{oops", ends=True))
    rows, rejects = decode_batch(batch([body]), "Json", "Unpacked")
    check_complete([body], rows, rejects)


def test_wrapped_xml() -> None:
    rows, _ = decode_batch(batch([element(b"string", record(0x98, b"<a>1</a>", ends=True))]), "Xml", "Packed")
    assert rows.column("value").to_pylist() == ["<a>1</a>"]


DOCUMENT = {"v": 1, "text": "Zoë"}


@pytest.mark.parametrize("sync_type", ["Packed", "Unpacked"])
@pytest.mark.parametrize("number", [0, 1, 255, 0x01020304, 0x7B7B7B7B, 0xFFFFFFFF])
def test_json_behind_a_schemas_number(sync_type: str, number: int) -> None:
    plain = json.dumps(DOCUMENT, ensure_ascii=False).encode()
    bodies = [plain, b"\0" + number.to_bytes(4) + plain, b"\1" + bytes(range(16)) + plain]
    rows, rejects = decode_batch(batch(bodies), "Json", sync_type)
    assert rejects.num_rows == 0, rejects.to_pylist()
    found = rows.column("value_v" if sync_type == "Unpacked" else "value").to_pylist()
    assert found == [1] * 3 if sync_type == "Unpacked" else [plain.decode()] * 3


@given(st.integers() | st.text(max_size=5) | st.lists(st.integers(0, 99), max_size=4))
def test_wide_json_is_not_taken_for_a_number_and_json(value: object) -> None:
    for charset in ("utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le"):
        text = json.dumps({"v": value}, ensure_ascii=False)
        rows, rejects = decode_batch(batch([text.encode(charset, "surrogatepass")]), "Json", "Packed")
        assert (rows.column("value").to_pylist(), rejects.num_rows) == ([text], 0)


@pytest.mark.parametrize("declared", ["utf-16", "UTF-16", "utf-16le", "UTF-32", "ucs-2", "us-ascii", "utf-8"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("content_type", [None, "application/xml", "text/xml; charset=utf-16"])
def test_xml_that_says_another_charset_than_its_own(declared: str, mark: bytes, content_type: str | None) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?>\r\n<Order><Id>7 é</Id></Order>'
    rows, rejects = decode_batch(batch([mark + text.encode()], content_type), "Xml", "Packed")
    assert rejects.num_rows == 0, rejects.to_pylist()
    assert rows.column("value").to_pylist() == [text]


def test_a_charset_that_holds_is_believed() -> None:
    text = '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'
    rows, _ = decode_batch(batch([text.encode("iso-8859-1")]), "Xml", "Packed")
    assert rows.column("value").to_pylist() == [text]
