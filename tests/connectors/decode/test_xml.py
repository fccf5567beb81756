"""Decoding batches of XML messages."""

import codecs
import resource
import socket
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from syncline.connectors.azure_service_bus.decode import decode_batch
from syncline.warehouses import types
from tests.connectors.decode.batches import batch, check_complete, typed


def decode(*bodies: bytes, content_type: str | None = None) -> list[str]:
    rows, rejects = decode_batch(batch(bodies, content_type), "Xml", "Packed")
    assert rejects.num_rows == 0, rejects.to_pylist()
    column_type, texts = typed(rows, "value")
    assert column_type == types.XML
    return texts


def reason(body: bytes, content_type: str | None = None) -> str:
    rows, rejects = decode_batch(batch([body], content_type), "Xml", "Packed")
    check_complete([body], rows, rejects)
    return str(rejects.column("reason")[0].as_py())


DOCUMENTS = [
    "<a/>",
    '<?xml version="1.0"?>\n<!-- kept -->\n<a b="c">  text &amp; more <![CDATA[<x>]]></a>\n',
    '<n:a xmlns:n="urn:x" xmlns="urn:y"><b/></n:a>',
    '<!DOCTYPE cXML SYSTEM "http://xml.example.com/cXML.dtd"><cXML/>',
    '<!DOCTYPE a [<!ENTITY e "text"><!ELEMENT a ANY>]><a>&e;</a>',
    "<Zoë>日本</Zoë>",
    "<a>" * 200 + "</a>" * 200,
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_a_document_is_kept_as_it_came(document: str) -> None:
    assert decode(document.encode()) == [document]


@pytest.mark.parametrize(
    ("head", "charset", "content_type", "mark"),
    [
        ("", "utf-8", None, codecs.BOM_UTF8),
        ("", "utf-16-le", None, codecs.BOM_UTF16_LE),
        ("", "utf-16-be", None, codecs.BOM_UTF16_BE),
        ('<?xml version="1.0" encoding="utf-16"?>', "utf-16-le", None, codecs.BOM_UTF16_LE),
        ('<?xml version="1.0" encoding="utf-16"?>', "utf-16-be", None, b""),
        ('<?xml version="1.0" encoding="iso-8859-1"?>', "latin-1", None, b""),
        ("<?xml version='1.0' encoding='windows-1252' standalone='yes'?>", "cp1252", "application/xml", b""),
        ("", "latin-1", "text/xml; charset=iso-8859-1", b""),
        ('<?xml version="1.0" encoding="utf-8"?>', "latin-1", "text/xml; charset=iso-8859-1", b""),
    ],
)
def test_a_mark_then_what_the_message_declares_then_what_the_document_does(
    head: str, charset: str, content_type: str | None, mark: bytes
) -> None:
    document = f"{head}<a>Zoë</a>"
    assert decode(mark + document.encode(charset), content_type=content_type) == [document]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"text", "not well-formed"),
        (b"<a>", "not well-formed"),
        (b"<a/><b/>", "not well-formed"),
        (b"<a b=1/>", "not well-formed"),
        (b"<a>&nbsp;</a>", "not well-formed"),
        (b"<a>\x01</a>", "not well-formed"),
        (b"<a>\xff</a>", "not text in utf-8"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "klingon"),
        (b"<a>" * 100_000, "not well-formed"),
    ],
)
def test_what_is_not_well_formed_is_rejected(body: bytes, expected: str) -> None:
    assert expected in reason(body)


def laughs(levels: int, where: str) -> bytes:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(levels))
    return f'<!DOCTYPE a [<!ENTITY e0 "ha">{entities}]>{where.format(f"&e{levels};")}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        laughs(12, "<a>{}</a>"),
        laughs(12, '<a b="{}"/>'),
        laughs(5, "<a>{}</a>") + b" ",
        b'<!DOCTYPE a [<!ENTITY e "' + b"x" * 100_000 + b'">]><a>' + b"&e;" * 50_000 + b"</a>",
        b'<!DOCTYPE a [<!ENTITY e "&e;">]><a>&e;</a>',
        b"<!DOCTYPE a [<!ENTITY % p \"<!ENTITY &#37; q '" + b"%p;" * 20 + b"'>\">%p;]><a>&q;</a>",
    ],
    ids=["content", "attribute", "fewer", "quadratic", "itself", "parameters"],
)
def test_a_document_that_blows_up_is_rejected_at_once(body: bytes) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    assert "not well-formed" in reason(body)
    assert time.monotonic() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 50_000


def test_nothing_is_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = threading.Event()

        def serve() -> None:
            server.settimeout(1)
            try:
                server.accept()
            except TimeoutError:
                return
            asked.set()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        documents = [
            f'<!DOCTYPE a SYSTEM "{url}"><a/>',
            f'<!DOCTYPE a [<!ENTITY e SYSTEM "{url}">]><a>&e;</a>',
            f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{secret}">]><a>&e;</a>',
            f'<!DOCTYPE a [<!ENTITY % p SYSTEM "{url}">%p;]><a/>',
            f'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file://{secret}"/></a>',
            f'<?xml-stylesheet href="{url}"?><a/>',
        ]
        assert decode(*(document.encode() for document in documents)) == documents
        thread.join()
        assert not asked.is_set()


NAMES = st.text("abcXYZ_", min_size=1, max_size=5)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=10)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> etree._Element:
    element = etree.Element(draw(NAMES), draw(st.dictionaries(NAMES, TEXT, max_size=2)))
    element.text = draw(TEXT)
    if depth:
        element.extend(draw(st.lists(elements(depth=depth - 1), max_size=2)))
    return element


@given(st.lists(elements(), max_size=4), st.sampled_from(["utf-8", "utf-16", "ascii", "iso-8859-1"]))
def test_documents_come_back_as_they_were_written(documents: list[etree._Element], charset: str) -> None:
    bodies = [etree.tostring(each, encoding=charset, xml_declaration=True) for each in documents]
    for text, written in zip(decode(*bodies), documents, strict=True):
        again = etree.fromstring(text.encode("utf-16"), etree.XMLParser(encoding="utf-16"))
        assert etree.tostring(again, method="c14n") == etree.tostring(written, method="c14n")


@given(st.lists(st.binary(max_size=20) | st.sampled_from(["<a/>", "<a>é</a>", "<a"]).map(str.encode)))
def test_every_message_is_a_row_or_a_reject(bodies: list[bytes]) -> None:
    rows, rejects = decode_batch(batch(bodies), "Xml", "Packed")
    check_complete(bodies, rows, rejects)
