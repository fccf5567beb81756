"""Which charset a text is taken to be in."""

import codecs

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.azure_service_bus.decode import decode_batch
from syncline.warehouses import types
from tests.connectors.decode.batches import batch, check_complete, typed

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def text(body: bytes, content_type: str | None = None, content_encoding: str | None = None) -> str:
    rows, rejects = decode_batch(batch([body], content_type, content_encoding), "Text", "Packed")
    assert rejects.num_rows == 0, rejects.to_pylist()
    column_type, (value,) = typed(rows, "value")
    assert column_type == types.STRING
    return str(value)


def reason(body: bytes, content_type: str | None = None, content_encoding: str | None = None) -> str:
    rows, rejects = decode_batch(batch([body], content_type, content_encoding), "Text", "Packed")
    check_complete([body], rows, rejects)
    return str(rejects.column("reason")[0].as_py())


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("Zoë".encode(), None, "Zoë"),
        ("Zoë".encode(), "text/plain", "Zoë"),
        ("Zoë".encode(), "text/plain; charset=UTF-8", "Zoë"),
        ("Zoë".encode("latin-1"), "text/plain; charset=iso-8859-1", "Zoë"),
        ("Zoë".encode("latin-1"), 'text/plain;format=flowed; CHARSET = "Latin1"', "Zoë"),
        ("10 €".encode("cp1252"), "text/plain;charset=windows-1252", "10 €"),
        ("日本".encode("shift_jis"), "text/plain;charset=Shift_JIS", "日本"),
        ("日本".encode("utf-16-be"), "text/plain;charset=utf-16", "日本"),
        ("Zoë".encode("utf-16-le"), "text/plain;charset=utf-16", "Zoë"),
        ("Zoë".encode("utf-16-le"), "text/plain;charset=utf-16le", "Zoë"),
        (codecs.BOM_UTF8 + "Zoë".encode(), None, "Zoë"),
        (codecs.BOM_UTF16_LE + "日本".encode("utf-16-le"), None, "日本"),
        (codecs.BOM_UTF16_BE + "日本".encode("utf-16-be"), "text/plain; charset=utf-8", "日本"),
        (codecs.BOM_UTF32_LE + "日本".encode("utf-32-le"), None, "日本"),
        (codecs.BOM_UTF32_BE + "日本".encode("utf-32-be"), None, "日本"),
        ("Zoë".encode("utf-16-le"), None, "Zoë"),
        ("Zoë".encode("utf-16-be"), None, "Zoë"),
        ("Zoë".encode("utf-32-le"), None, "Zoë"),
        ("Zoë".encode("utf-32-be"), None, "Zoë"),
        (b"a\0\0b", None, "a\0\0b"),
        (b"\0", None, "\0"),
    ],
)
def test_a_mark_then_what_is_declared_then_null_bytes_then_utf8(
    body: bytes, content_type: str | None, expected: str
) -> None:
    assert text(body, content_type) == expected


def test_a_charset_may_stand_where_the_compression_does() -> None:
    assert text("Zoë".encode("latin-1"), "text/plain", "ISO-8859-1") == "Zoë"
    assert text("Zoë".encode(), "text/plain", "utf-8") == "Zoë"


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"Zo\xeb", None, "not text in utf-8: byte 2"),
        (b"Zo\xeb", "text/plain; charset=ascii", "not text in ascii, which its sender"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8", None, "byte order mark"),
        (b"x", "text/plain; charset=klingon", "'klingon', which the message declares, is not known"),
        (b"x", "text/plain; charset=zlib", "not known"),
        (b"x", "text/plain; charset=unicode_escape", "not known"),
        (b"x", "text/plain; charset=punycode", "not known"),
    ],
)
def test_what_is_no_text_is_rejected(body: bytes, content_type: str | None, expected: str) -> None:
    assert expected in reason(body, content_type)


def test_one_odd_message_does_not_change_the_others() -> None:
    bodies = ["Zoë".encode(), b"\xff", "Zoë".encode("utf-16"), b"plain", "Zoë".encode("latin-1")]
    rows, rejects = decode_batch(batch(bodies, [None, None, None, None, "a/b;charset=latin1"]), "Text", "Packed")
    check_complete(bodies, rows, rejects)
    assert rows.column("value").to_pylist() == ["Zoë", "Zoë", "plain", "Zoë"]


@given(st.lists(TEXTS), st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-16-le", "utf-32-be", "utf-8-sig"]))
def test_declared_texts_come_back(texts: list[str], charset: str) -> None:
    bodies = [each.encode(charset) for each in texts]
    rows, rejects = decode_batch(batch(bodies, f"text/plain; charset={charset}"), "Text", "Packed")
    assert rejects.num_rows == 0
    expected = [
        each.removeprefix("\ufeff") if "-le" in charset or "-be" in charset or charset == "utf-8" else each
        for each in texts
    ]
    # A body without a character is none at all, a byte order mark or not.
    assert rows.column("value").to_pylist() == [each or None for each in expected]


@given(st.lists(st.binary(max_size=20)), st.sampled_from([None, "text/plain;charset=utf-16", "charset=x", "charset="]))
def test_every_message_is_a_row_or_a_reject(bodies: list[bytes], content_type: str | None) -> None:
    rows, rejects = decode_batch(batch(bodies, content_type), "Text", "Packed")
    check_complete(bodies, rows, rejects)
    assert rows.schema.field("value").type == pa.string()


C_TEXTS = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(C_TEXTS, st.integers(1, 9))
def test_nulls_at_the_end_change_no_letter(text: str, nulls: int) -> None:
    """As C programs end their text, and others pad it."""
    rows, rejects = decode_batch(batch([text.encode() + b"\0" * nulls]), "Text", "Packed")
    assert rejects.num_rows == 0
    assert rows.column("value")[0].as_py().rstrip("\0") == text.removeprefix("\ufeff") or text.startswith("\ufeff")


@pytest.mark.parametrize(
    "text", ["hello", "Zoë", "日本語のテキスト, 1 です", "smile 😀", "a\tb\n", "x", "{'a': 'ü'}", "Привет, мир 7"]
)
@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("end", ["", "\0"])
def test_wide_text_that_nothing_declares_is_recognised(text: str, charset: str, end: str) -> None:
    rows, rejects = decode_batch(batch([(text + end).encode(charset)]), "Text", "Packed")
    assert rejects.num_rows == 0
    assert rows.column("value")[0].as_py().rstrip("\0") == text


@pytest.mark.parametrize(
    "text",
    [
        "key\0value\0",
        "name\0Bob\0age\x007\0",
        "ab\0\0cd",
        "a\0b\0c and more",
        "ab\0\0cd\0\0",
        "ok\0\0no\0\0",
        "x\0abc\0y\0",
    ],
)
def test_nulls_between_words_make_no_wide_text(text: str) -> None:
    rows, _ = decode_batch(batch([text.encode()]), "Text", "Packed")
    assert rows.column("value").to_pylist() == [text]


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["a", "ab", "Zoë 漢字"])
def test_declared_wide_text_is_read_in_the_order_that_it_has(text: str, charset: str) -> None:
    kind = f"text/plain; charset={charset[:6]}"
    rows, _ = decode_batch(batch([text.encode(charset)], kind), "Text", "Packed")
    assert rows.column("value").to_pylist() == [text]


@pytest.mark.parametrize("end", [b"\0", b"\0\0", b"\0\0\0", b"\n\0"])
@pytest.mark.parametrize("sync_type", ["Packed", "Unpacked"])
def test_json_and_xml_of_a_c_program(sync_type: str, end: bytes) -> None:
    rows, rejects = decode_batch(batch([b'{"v":1}' + end, b'{"v": 22}' + end]), "Json", sync_type)
    assert rejects.num_rows == 0
    assert rows.column("value_v" if sync_type == "Unpacked" else "value").to_pylist()[0] in (1, '{"v":1}', '{"v":1}\n')
    rows, rejects = decode_batch(batch([b"<a>1</a>" + end]), "Xml", "Packed")
    assert (rows.num_rows, rejects.num_rows) == (1, 0)


@pytest.mark.parametrize("body", [b"Zo\xeb\0", b"Zo\xeb!\0", b"\xe9t\xe9\0\0\0"])
def test_text_of_another_charset_that_a_c_program_ended_is_a_reject(body: bytes) -> None:
    rows, rejects = decode_batch(batch([body]), "Text", "Packed")
    check_complete([body], rows, rejects)
    assert rejects.num_rows == 1


@pytest.mark.parametrize("nulls", range(1, 8))
@pytest.mark.parametrize("sync_type", ["Packed", "Unpacked"])
@pytest.mark.parametrize("document", [b"1", b"12", b"{}", b"[1]", b'"a"'])
def test_json_of_any_length_may_end_with_nulls(document: bytes, sync_type: str, nulls: int) -> None:
    rows, rejects = decode_batch(batch([document + b"\0" * nulls]), "Json", sync_type)
    assert (rows.num_rows, rejects.num_rows) == (1, 0)
    if sync_type == "Packed":
        assert rows.column("value").to_pylist() == [document.decode()]
