"""What a format's decoder takes and gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoded bodies of a batch."""

    fields: Sequence[pa.Field]
    """The columns found, with names as in the source."""
    columns: Sequence[pa.Array]
    """One value for each body that was not rejected, in the order of the bodies."""
    reasons: dict[int, str]
    """Why a body was rejected, by its place in the batch."""


Decoder = Callable[[pa.ChunkedArray], Decoded]
"""Decodes a column of bodies (binary). Bad bodies get a reason; a decoder never raises for what is in them."""

EMPTY_BODY = "The body is empty."
