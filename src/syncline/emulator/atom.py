"""The Atom envelopes of the administration API: entries, feeds and errors.

Everything is in the form that the official SDKs read: the prefixes `i` and `d2p1` are part of it,
because one of them looks for the prefixed names instead of the namespaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from lxml import etree

from syncline.emulator.errors import InvalidEntityError

ATOM = "http://www.w3.org/2005/Atom"
SERVICE_BUS = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
SCHEMA = "http://www.w3.org/2001/XMLSchema"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"

TYPE = f"{{{INSTANCE}}}type"

ENTRY_TYPE = "application/atom+xml;type=entry;charset=utf-8"
FEED_TYPE = "application/atom+xml;type=feed;charset=utf-8"
ERROR_TYPE = "application/xml; charset=utf-8"

Element = etree._Element

# The stubs of lxml do not know the default namespace, whose prefix is None.
_ATOM_PREFIXES = cast("dict[str, str]", {None: ATOM})
_SERVICE_PREFIXES = cast("dict[str, str]", {None: SERVICE_BUS, "i": INSTANCE})


@dataclass(frozen=True, slots=True)
class Entry:
    """One entity in an answer: its address, its name and the element that describes it."""

    identifier: str
    title: str
    content: Element
    published: datetime
    updated: datetime


def service_element(name: str) -> Element:
    """An element of the service's namespace that can stand as the content of an entry."""
    return etree.Element(f"{{{SERVICE_BUS}}}{name}", nsmap=_SERVICE_PREFIXES)


def add(parent: Element, name: str, text: str | None = None) -> Element:
    """Append an element of the service's namespace, with text when there is some."""
    child = etree.SubElement(parent, f"{{{SERVICE_BUS}}}{name}")
    if text is not None:
        # What XML cannot hold becomes a replacement character; a body never fails to be written.
        child.text = "".join(character if _is_allowed(character) else "\ufffd" for character in text)
    return child


def _is_allowed(character: str) -> bool:
    return character in "\t\n\r" or "\x20" <= character <= "\ud7ff" or "\ue000" <= character not in "\ufffe\uffff"


def local_name(element: Element) -> str:
    """The name of an element without its namespace."""
    return etree.QName(element).localname


def children(element: Element) -> list[Element]:
    """The elements inside, without comments and processing instructions."""
    return [child for child in element if isinstance(child.tag, str)]


def format_time(moment: datetime) -> str:
    """A time as the service writes it: UTC, with microseconds and `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_content(body: bytes) -> Element:
    """The description inside the `entry` that a client sent.

    Entities are not expanded and nothing is fetched. Raises `InvalidEntityError` for a body that is
    not an entry with one element as its content.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InvalidEntityError(f"The body is not well-formed XML: {error}.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidEntityError("The body has a document type declaration; send it without one.")
    content = root.find(f"{{{ATOM}}}content") if root.tag == f"{{{ATOM}}}entry" else None
    described = children(content) if content is not None else []
    if len(described) != 1:
        raise InvalidEntityError("The body must be an Atom entry whose content holds one description.")
    return described[0]


def write_entry(entry: Entry) -> bytes:
    """The body that answers for one entity."""
    return _serialized(_entry(entry))


def write_feed(identifier: str, title: str, entries: Sequence[Entry], next_address: str | None) -> bytes:
    """The body of a list, with a link to the next page when there is one."""
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap=_ATOM_PREFIXES)
    _add_atom(feed, "title", title).set("type", "text")
    _add_atom(feed, "id", identifier)
    _add_atom(feed, "updated", format_time(datetime.now(UTC)))
    _add_link(feed, "self", identifier)
    if next_address is not None:
        _add_link(feed, "next", next_address)
    feed.extend([_entry(entry) for entry in entries])
    return _serialized(feed)


def write_error(code: int, detail: str) -> bytes:
    """The body of an error."""
    error = etree.Element("Error")
    etree.SubElement(error, "Code").text = str(code)
    etree.SubElement(error, "Detail").text = "".join(
        character if _is_allowed(character) else "\ufffd" for character in detail
    )
    return _serialized(error)


def _entry(entry: Entry) -> Element:
    element = etree.Element(f"{{{ATOM}}}entry", nsmap=_ATOM_PREFIXES)
    _add_atom(element, "id", entry.identifier)
    _add_atom(element, "title", entry.title).set("type", "text")
    _add_atom(element, "published", format_time(entry.published))
    _add_atom(element, "updated", format_time(entry.updated))
    _add_link(element, "self", entry.identifier)
    content = _add_atom(element, "content")
    content.set("type", "application/xml")
    content.append(entry.content)
    return element


def _add_atom(parent: Element, name: str, text: str | None = None) -> Element:
    child = etree.SubElement(parent, f"{{{ATOM}}}{name}")
    child.text = text
    return child


def _add_link(parent: Element, relation: str, address: str) -> None:
    link = _add_atom(parent, "link")
    link.set("rel", relation)
    link.set("href", address)


def _serialized(element: Element) -> bytes:
    return etree.tostring(element, xml_declaration=True, encoding="utf-8")
