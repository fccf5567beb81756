"""The filters of rules."""

from uuid import UUID

import pytest

from syncline.emulator.descriptions import CorrelationFilter, FalseFilter, SqlFilter, TrueFilter
from syncline.emulator.errors import InvalidEntityError
from syncline.emulator.filters import FilterInput, compile_filter


def test_true_and_false() -> None:
    assert compile_filter(TrueFilter())(FilterInput())
    assert not compile_filter(FalseFilter())(FilterInput())


def test_sql() -> None:
    wanted = compile_filter(SqlFilter("size > @least", {"@least": 3}))
    assert wanted(FilterInput(properties={"size": 4}))
    assert not wanted(FilterInput(properties={"size": 3}))


def test_sql_that_cannot_be_read() -> None:
    with pytest.raises(InvalidEntityError, match="position 3"):
        compile_filter(SqlFilter("a ! b"))


SYSTEM = {
    "correlation_id": "c",
    "message_id": "m",
    "to": "t",
    "reply_to": "r",
    "session_id": "s",
    "reply_to_session_id": "rs",
    "content_type": "text/plain",
}


@pytest.mark.parametrize("name", sorted(SYSTEM))
def test_correlation_on_one_property_of_the_service(name: str) -> None:
    wanted = compile_filter(CorrelationFilter(**{name: SYSTEM[name]}))  # type: ignore[arg-type]
    assert wanted(FilterInput(**SYSTEM))  # type: ignore[arg-type]
    assert not wanted(FilterInput(**{**SYSTEM, name: "other"}))  # type: ignore[arg-type]
    assert not wanted(FilterInput())


def test_correlation_needs_everything_it_names() -> None:
    wanted = compile_filter(CorrelationFilter(label="created", properties={"region": "eu", "count": 2, "test": False}))
    right = {"region": "eu", "count": 2.0, "test": False, "more": 1}
    assert wanted(FilterInput(subject="created", properties=right))
    assert not wanted(FilterInput(subject="deleted", properties=right))
    assert not wanted(FilterInput(subject="created", properties={**right, "region": "EU"}))
    assert not wanted(FilterInput(subject="created", properties={**right, "test": 0}))
    assert not wanted(FilterInput(subject="created", properties={"region": "eu"}))


def test_correlation_takes_identifiers_of_any_type() -> None:
    identifier = UUID("12345678-1234-5678-1234-567812345678")
    assert compile_filter(CorrelationFilter(message_id=str(identifier)))(FilterInput(message_id=identifier))
    assert compile_filter(CorrelationFilter(correlation_id="7"))(FilterInput(correlation_id=7))
