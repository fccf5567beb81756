"""The SQL language of subscription rules."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.emulator.errors import InvalidEntityError
from syncline.emulator.sql_filter import FilterInput, compile_sql
from syncline.emulator.sql_values import conjunction, disjunction, is_like, like_pattern, negation

MESSAGE = FilterInput(
    message_id="m-1",
    subject="order.created",
    session_id="s1",
    content_type="application/json",
    enqueued_time=datetime(2026, 5, 1, tzinfo=UTC),
    properties={
        "Colour": "blue",
        "quantity": 10,
        "price": 2.5,
        "urgent": True,
        "late": False,
        "my property": "yes",
        "quote]d": 1,
        "percent": "100%",
        "nothing": None,
    },
)


def passes(expression: str, message: FilterInput = MESSAGE, **parameters: object) -> bool:
    return compile_sql(expression, {f"@{name}": value for name, value in parameters.items()})(message)


@pytest.mark.parametrize(
    "expression",
    [
        "1=1",
        "Colour = 'blue'",
        "colour = 'blue'",
        "user.Colour = 'blue'",
        "[my property] = 'yes'",
        "\"my property\" = 'yes'",
        "[quote]]d] = 1",
        "quantity > 9 AND quantity >= 10 AND quantity < 11 AND quantity <= 10",
        "quantity <> 9 and quantity != 8",
        "price * 4 = quantity",
        "quantity / 3 = 3",
        "quantity % 3 = 1",
        "-quantity = -10",
        "quantity - 4 - 3 = 3",
        "2 + 3 * 2 = 8",
        "(2 + 3) * 2 = quantity",
        "urgent",
        "urgent = TRUE",
        "NOT late",
        "NOT NOT urgent",
        "late OR urgent",
        "late AND late OR urgent",
        "Colour IN ('red', 'blue')",
        "Colour NOT IN ('red', 'green')",
        "sys.Label LIKE 'order.%'",
        "sys.subject LIKE '_rder.create_'",
        "Colour NOT LIKE 'r%'",
        "percent LIKE '%!%' ESCAPE '!'",
        "missing IS NULL",
        "nothing IS NULL",
        "Colour IS NOT NULL",
        "EXISTS(Colour)",
        "EXISTS(user.Colour) AND NOT EXISTS(missing)",
        "property(Colour) = 'blue' AND p([my property]) = 'yes'",
        "sys.MessageId = 'm-1' AND sys.SessionId = 's1' AND sys.ContentType LIKE '%json'",
        "sys.EnqueuedTimeUtc IS NOT NULL",
        "Colour > 'black'",
        "price = 25e-1",
        "0.5 < .75",
    ],
)
def test_passes(expression: str) -> None:
    assert passes(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "1=2",
        "Colour = 'Blue'",
        "missing = 1",
        "missing <> 1",
        "NOT (missing = 1)",
        "missing",
        "Colour",
        "quantity",
        "Colour = 1",
        "Colour <> 1",
        "urgent = 1",
        "quantity / 0 = 1",
        "quantity + Colour = 1",
        "Colour NOT IN ('red', missing)",
        "missing NOT IN ('red')",
        "quantity LIKE '1%'",
        "nothing = NULL",
        "percent LIKE 'a!' + missing",
        "sys.To = 'x'",
    ],
)
def test_does_not_pass(expression: str) -> None:
    assert not passes(expression)


def test_parameters_stand_for_values() -> None:
    assert passes("quantity = @Size AND Colour IN (@colour)", size=10, colour="blue")
    assert passes(
        "sys.EnqueuedTimeUtc < @before",
        before=datetime(2026, 6, 1),  # noqa: DTZ001 - as it comes over the wire
    )
    assert passes("@a < @b", a=timedelta(seconds=1), b=timedelta(seconds=2))
    assert passes("percent LIKE '%~%' ESCAPE @e", e="~")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("a = ", "the end of the expression at position 5"),
        ("a = = 1", "position 5"),
        ("(a = 1", "')'"),
        ("a = 1)", "position 6"),
        ("a b", "position 3"),
        ("a = 'open", "quote at position 5"),
        ("a = [", "quote at position 5"),
        ("a ; b", "';' at position 3"),
        ("a = @missing", "@missing at position 5"),
        ("sys.nonsense = 1", "messageid"),
        ("other.name = 1", "scope 'other' at position 1"),
        ("a NOT b", "LIKE or IN"),
        ("a IS 1", "NULL"),
        ("a IN ()", "position 7"),
        ("a LIKE 'x!' ESCAPE '!'", "escape character is the last"),
        ("a LIKE 'x' ESCAPE 'ab'", "one character"),
        ("a LIKE 'x' ESCAPE 1", "escape character"),
        ("a = 99999999999999999999", "64-bit"),
        ("a = 1 AND", "position 10"),
        ("EXISTS()", "position 8"),
        ("AND = 1", "position 1"),
        ("(" * 500 + "1=1" + ")" * 500, "nests more than"),
        ("a = 1 OR " * 200 + "a = 1", "at most 1024"),
    ],
)
def test_says_what_is_wrong_and_where(expression: str, said: str) -> None:
    with pytest.raises(InvalidEntityError) as raised:
        compile_sql(expression, {})
    assert said in raised.value.message


WORDS = st.sampled_from(
    [
        "a",
        "sys.",
        "Label",
        "'x%'",
        "1",
        "2.5",
        "@p",
        "AND",
        "OR",
        "NOT",
        "IN",
        "LIKE",
        "ESCAPE",
        "IS",
        "NULL",
        "EXISTS",
        "p",
        "TRUE",
        "[b]",
        "'!'",
        ".",
        "(",
        ")",
        ",",
        "=",
        "<>",
        "<",
        "+",
        "-",
        "*",
        "/",
        "%",
    ]
)


@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=30).map(" ".join)))
def test_any_text_compiles_or_is_refused(expression: str) -> None:
    try:
        evaluate = compile_sql(expression, {"@p": 1})
    except InvalidEntityError:
        return
    assert evaluate(MESSAGE) in (True, False)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.datetimes(), st.timedeltas()
)


@given(
    left=VALUES,
    right=VALUES,
    operator=st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "LIKE", "+ 1 <", "/ 0 =", "% 7 =", "* 2 ="]),
)
def test_no_message_breaks_a_filter(left: object, right: object, operator: str) -> None:
    message = FilterInput(properties={"left": left, "right": right})
    for expression in (f"left {operator} right", f"NOT (left {operator} right)", "left IN (right, 1, 'a')"):
        assert compile_sql(expression, {})(message) in (True, False)


T, F, U = True, False, None


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (T, T, T, T),
        (T, F, F, T),
        (T, U, U, T),
        (F, T, F, T),
        (F, F, F, F),
        (F, U, F, U),
        (U, T, U, T),
        (U, F, F, U),
        (U, U, U, U),
    ],
)
def test_three_valued_logic(left: bool | None, right: bool | None, both: bool | None, either: bool | None) -> None:
    assert conjunction([left, right]) is both
    assert disjunction([left, right]) is either
    words = {T: "(1=1)", F: "(1=2)", U: "(missing=1)"}
    for operator, result in (("AND", both), ("OR", either)):
        expression = f"{words[left]} {operator} {words[right]}"
        assert passes(expression) is (result is True)
        assert passes(f"NOT ({expression})") is (result is False)


def test_not_of_unknown_is_unknown() -> None:
    assert negation(None) is None
    assert negation(True) is False
    assert negation(False) is True


@given(st.text(alphabet="ab%_!", max_size=12), st.text(alphabet="ab", max_size=12))
def test_like_agrees_with_the_obvious_definition(pattern: str, text: str) -> None:
    def matches(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "%":
            return any(matches(pattern[1:], text[skip:]) for skip in range(len(text) + 1))
        return bool(text) and pattern[0] in ("_", text[0]) and matches(pattern[1:], text[1:])

    assert is_like(text, like_pattern(pattern, None)) is matches(pattern, text)


def test_like_is_not_exponential() -> None:
    started = time.perf_counter()
    assert not passes("a LIKE '" + "%a" * 100 + "b'", FilterInput(properties={"a": "a" * 2000}))
    assert time.perf_counter() - started < 2
