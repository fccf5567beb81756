"""JSON, packed: the whole message is one JSON column, `value`, its text exactly as it came."""

import pyarrow as pa

from syncline.connectors.azure_service_bus.decode.json_text import Unreadable, parse, without_byte_order_mark
from syncline.connectors.azure_service_bus.decode.outcome import Decoded
from syncline.warehouses import types


def decode(bodies: pa.ChunkedArray) -> Decoded:
    """Check that each body is JSON, and keep its text.

    Parsing checks more than a destination's own JSON type does, so a load never fails for a message's sake.
    """
    reasons = {place: str(value) for place, value in enumerate(parse(bodies)) if isinstance(value, Unreadable)}
    raw = bodies.to_pylist()
    texts = [without_byte_order_mark(body).decode() for place, body in enumerate(raw) if place not in reasons]
    return Decoded([types.arrow_field("value", types.JSON)], [pa.array(texts, pa.string())], reasons)
