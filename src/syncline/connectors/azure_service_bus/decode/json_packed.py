"""JSON, packed: the whole message is one JSON column, `value`, its text exactly as it came."""

import pyarrow as pa

from syncline.connectors.azure_service_bus.decode.charsets import seem_utf8
from syncline.connectors.azure_service_bus.decode.json_text import Unreadable, parse, text_of
from syncline.connectors.azure_service_bus.decode.outcome import Decoded
from syncline.connectors.schema_registry import SchemaRegistry
from syncline.warehouses import types


def decode(messages: pa.Table, schemas: SchemaRegistry | None = None) -> Decoded:
    """Check that each body is JSON, and keep its text.

    Parsing checks more than a destination's own JSON type does, so a load never fails for a message's sake.
    """
    field = types.arrow_field("value", types.JSON)
    reasons = {place: str(value) for place, value in enumerate(parse(messages)) if isinstance(value, Unreadable)}
    bodies = messages.column("body")
    if not reasons and seem_utf8(bodies):
        try:
            return Decoded([field], [bodies.cast(pa.string())], {})
        except pa.ArrowInvalid:
            pass  # some body is in another charset
    columns = (messages.column(name).to_pylist() for name in ("body", "content_type", "content_encoding"))
    texts = [text_of(*each) for place, each in enumerate(zip(*columns, strict=True)) if place not in reasons]
    return Decoded([field], [pa.array(texts, pa.string())], reasons)
