"""Find the messages of a batch that the destination does not take, and load the others."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa

from syncline.connectors.base import RawBatch
from syncline.warehouses.errors import RowsRefused


def load_in_parts(
    batch: RawBatch,
    load: Callable[[RawBatch], list[pa.Table]],
    reject: Callable[[RawBatch, Sequence[str]], pa.Table],
) -> list[pa.Table]:
    """Load a batch of which rows were refused, the halves of it if it is refused again, the halves of what is refused
    of these, and so on. Each part is decoded anew, so that it has the columns and types of its own messages alone. One
    message among `n` takes some `2 * log2(n)` loads to find.

    Args:
        batch: The batch.
        load: Decodes and loads a part; gives the tables of rejects that decoding it made. Raises ``RowsRefused``.
        reject: Makes rejects of the messages of a part.

    Returns:
        All rejects: those of decoding, and a message that is refused alone with the destination's reason.
    """
    rejects: list[pa.Table] = []
    parts = [batch]
    while parts:
        part = parts.pop()
        try:
            rejects += load(part)
        except RowsRefused as error:
            if part.table.num_rows == 1:
                rejects.append(reject(part, [f"The destination refused it. {error}"]))
                continue
        else:
            continue
        middle = part.table.num_rows // 2
        parts += [replace(part, table=half) for half in (part.table.slice(middle), part.table.slice(0, middle))]
    return rejects
