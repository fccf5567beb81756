"""Which errors of drivers are about rows, and which are not."""

import duckdb
import psycopg
import pyarrow as pa
import pytest

from syncline.warehouses.errors import RowsRefused
from syncline.warehouses.refusals import conversions, is_of_rows, rows_refused


class DriverError(Exception):
    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.NumericValueOutOfRange("value overflows numeric format"),
        psycopg.errors.ProgramLimitExceeded("row is too big"),
        psycopg.errors.UniqueViolation("duplicate key"),
        duckdb.ConversionException("Could not convert string"),
        duckdb.ConstraintException("CHECK constraint failed"),
        DriverError("IO: [libpq] Failed to execute COPY statement: row is too big. SQLSTATE: 54000"),
        DriverError("[CAST_OVERFLOW] The value cannot be cast. SQLSTATE: 22003"),
        DriverError("String is too long", "22000"),
        Exception("22001", "[22001] String or binary data would be truncated. (2628)"),
        pa.ArrowInvalid("Float value was truncated"),
    ],
    ids=str,
)
def test_what_is_in_rows(error: Exception) -> None:
    assert is_of_rows(error)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.InsufficientPrivilege("permission denied"),
        psycopg.errors.UndefinedColumn("no such column"),
        psycopg.errors.NotNullViolation("null value in column"),
        psycopg.errors.DiskFull("no space left on device"),
        psycopg.errors.QueryCanceled("canceling statement due to statement timeout"),
        psycopg.OperationalError("server closed the connection unexpectedly"),
        duckdb.ConstraintException("NOT NULL constraint failed: orders.owner"),
        duckdb.OutOfMemoryException("failed to allocate"),
        duckdb.IOException("disk is full"),
        duckdb.CatalogException("no such table"),
        Exception("42S02", "Invalid object name"),
        ConnectionError("reset"),
        OSError(28, "No space left on device"),
        ValueError("no such setting"),
    ],
    ids=str,
)
def test_what_is_not(error: Exception) -> None:
    assert not is_of_rows(error)


def test_a_service_may_tell_by_its_words_alone() -> None:
    error = Exception("Error in the load: check 'stl_load_errors' for details")
    assert rows_refused("Service", error) is None
    refused = rows_refused("Service", error, "stl_load_errors")
    assert refused is not None
    assert str(refused).startswith("Service does not take it: Error in the load")


def test_a_refusal_is_found_below_what_was_put_around_it_and_keeps_no_secret() -> None:
    error = RuntimeError("step failed")
    error.__cause__ = DriverError("hunter2 is out of range", "22003")
    refused = rows_refused("Service", error, secrets=["hunter2"])
    assert refused is not None
    assert refused.message == "Service does not take it: ****** is out of range"


def test_values_that_cannot_be_converted_are_refused_and_a_lack_of_memory_is_none() -> None:
    with pytest.raises(RowsRefused, match="types of its table"), conversions():
        pa.array(["x"]).cast(pa.int64())
    with pytest.raises(MemoryError), conversions():
        raise pa.ArrowMemoryError("malloc failed")
