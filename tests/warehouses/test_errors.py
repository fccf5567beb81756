"""What an error says of why."""

import psycopg
import pytest

from syncline.warehouses.errors import first_reason, reason


def test_the_reason_is_where_it_began_and_not_what_was_put_around_it():
    error = RuntimeError("step=load failed with exception:\n\n<class OSError>")
    error.__cause__ = OSError("the disk\nis full")
    assert first_reason(error) == "the disk is full"


def test_a_reason_is_never_empty_and_never_only_a_name():
    assert reason(TimeoutError()) == "TimeoutError"
    assert reason(KeyError("columns")) == "KeyError: 'columns'"


def test_a_reason_has_bounds_and_no_secrets():
    assert reason(ValueError("no access with hunter2-token nor hunter2"), ["hunter2", "hunter2-token"]) == (
        "no access with ****** nor ******"
    )
    assert len(reason(ValueError("x" * 10_000))) == 500


def test_the_reason_of_postgresql_has_its_details_without_values_of_rows(postgres_target):
    with pytest.raises(psycopg.Error) as caught:
        postgres_target.query("""SELECT '{"a": "secret \\ud800"}'::jsonb""")
    assert reason(caught.value) == (
        "invalid input syntax for type json DETAIL: Unicode low surrogate must follow a high surrogate."
    )
