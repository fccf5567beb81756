"""Whether a destination refused rows for what is in them, or could not load any.

Only what is known to be about the rows counts: what is wrong with the table, the permissions, the disk or the network
is no reason to reject messages.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from syncline.networking import chain
from syncline.warehouses.errors import RowsRefused, WarehouseError, reason

_CLASSES_OF_ROWS = frozenset({"21", "22", "23", "44", "54"})
"""Classes of SQLSTATE: cardinality, data, constraints, the check option of a view, limits of the program."""
_NOT_NULL = "23502"
"""Somebody demands a column that no message may have: a fault of the table, which would reject them all."""
_KINDS_OF_ROWS = frozenset({"DataError", "IntegrityError", "InvalidInputException", "ArrowInvalid", "UnicodeError"})
"""Errors that say as much by their class, most of them by that of Python's database API."""
_IN_TEXT = re.compile(r"SQLSTATE[:=]?\s*\(?([0-9A-Z]{5})\b")
_STATE = re.compile(r"[0-9A-Z]{5}")
_OF_ROWS_BY_TEXT = re.compile(r"invalid memory alloc request size|NUL \(0x00\) character", re.IGNORECASE)
_NOT_NULL_BY_TEXT = re.compile(r"NOT NULL constraint|cannot insert the value NULL", re.IGNORECASE)
_OF_VALUES = (pa.ArrowException, ValueError, TypeError, OverflowError)
"""What Arrow and Python raise for values that cannot become others."""


def sql_state(error: BaseException) -> str:
    """The SQLSTATE of a driver's error; empty where it tells none."""
    for name in ("sqlstate", "pgcode"):
        if isinstance(state := getattr(error, name, None), str) and _STATE.fullmatch(state):
            return state
    if error.args and isinstance(error.args[0], str) and _STATE.fullmatch(error.args[0]):
        return error.args[0]
    found = _IN_TEXT.search(str(error))
    return found[1] if found else ""


def is_of_rows(error: BaseException, texts: str = "") -> bool:
    """Whether one error, without what it was raised for, is about what is in rows.

    Args:
        error: An error of a driver.
        texts: A regular expression for what the service says of rows without a state or a class of its own.
    """
    said = str(error)
    state = sql_state(error)
    if state == _NOT_NULL or _NOT_NULL_BY_TEXT.search(said):
        return False
    if state[:2] in _CLASSES_OF_ROWS or _OF_ROWS_BY_TEXT.search(said):
        return True
    if texts and re.search(texts, said, re.IGNORECASE):
        return True
    return state[:2] in ("", "HY") and not _KINDS_OF_ROWS.isdisjoint(of.__name__ for of in type(error).__mro__)


def rows_refused(
    service: str, error: BaseException, texts: str = "", secrets: Iterable[str] = ()
) -> RowsRefused | None:
    """`error`, whatever is around its cause, as a refusal of rows by `service`; None when it is something else."""
    refused: RowsRefused | None = None
    for cause in chain(error):
        if isinstance(cause, WarehouseError):
            return cause if isinstance(cause, RowsRefused) else None
        # The last one says it best: those around it repeat what it says, and add to it.
        if is_of_rows(cause, texts):
            refused = RowsRefused(f"{service} does not take it: {reason(cause, secrets)}")
    return refused


@contextmanager
def conversions() -> Iterator[None]:
    """For a block that gives rows other types, in memory.

    Raises:
        RowsRefused: There are values that cannot have them.
    """
    try:
        yield
    except MemoryError:
        raise
    except _OF_VALUES as error:
        raise RowsRefused(f"It cannot be given the types of its table: {reason(error)}") from error
