"""The SQL language of subscription rules: an expression becomes a function of a message.

The grammar is the condition part of the service's documented "subscription rule SQL filter syntax".
An expression is compiled once and bounded in length and nesting, so that neither compiling nor
evaluating it can take the emulator down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from syncline.emulator.errors import InvalidEntityError
from syncline.emulator.sql_tokens import Token, tokenize
from syncline.emulator.sql_values import (
    COMPARISONS,
    LikePattern,
    calculate,
    compare,
    conjunction,
    disjunction,
    is_like,
    like_pattern,
    negation,
    truth,
)

MAXIMUM_EXPRESSION_LENGTH = 1024
"""The service's limit on a filter expression, in characters."""

_MAXIMUM_NESTING = 32
_RESERVED = frozenset(
    {"AND", "OR", "NOT", "IN", "LIKE", "ESCAPE", "IS", "NULL", "EXISTS", "TRUE", "FALSE"},
)


@dataclass(frozen=True, slots=True)
class FilterInput:
    """What a filter may look at in a message; `subject` is what older clients call label."""

    message_id: object = None
    correlation_id: object = None
    to: str | None = None
    reply_to: str | None = None
    subject: str | None = None
    session_id: str | None = None
    reply_to_session_id: str | None = None
    content_type: str | None = None
    enqueued_time: datetime | None = None
    sequence_number: int | None = None
    properties: Mapping[str, object] = field(default_factory=dict)


Evaluation = Callable[[FilterInput], object]

_SYSTEM_PROPERTIES: dict[str, str] = {
    "contenttype": "content_type",
    "correlationid": "correlation_id",
    "enqueuedtimeutc": "enqueued_time",
    "label": "subject",
    "messageid": "message_id",
    "replyto": "reply_to",
    "replytosessionid": "reply_to_session_id",
    "sequencenumber": "sequence_number",
    "sessionid": "session_id",
    "subject": "subject",
    "to": "to",
}


def compile_sql(expression: str, parameters: Mapping[str, object]) -> Callable[[FilterInput], bool]:
    """A function that tells whether the expression is true for a message.

    `parameters` gives the values of names such as `@size`. Raises `InvalidEntityError`, with the
    position of what is wrong, for an expression that the emulator cannot read.
    """
    if not expression.strip():
        raise InvalidEntityError("The SQL filter is empty; use 1=1 to let every message through.")
    if len(expression) > MAXIMUM_EXPRESSION_LENGTH:
        raise InvalidEntityError(
            f"The SQL filter has {len(expression)} characters; at most {MAXIMUM_EXPRESSION_LENGTH} are allowed."
        )
    evaluate = _Parser(tokenize(expression), parameters).parse()
    return lambda message: evaluate(message) is True


class _Parser:
    """Recursive descent, one method for each level of precedence, the loosest first."""

    def __init__(self, tokens: list[Token], parameters: Mapping[str, object]) -> None:
        self._tokens = tokens
        self._parameters = {name.lower(): value for name, value in parameters.items()}
        self._at = 0
        self._nesting = 0

    def parse(self) -> Evaluation:
        evaluation = self._disjunction()
        if self._token.kind != "end":
            raise self._unexpected("AND, OR or the end of the expression")
        return evaluation

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _advance(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._at += 1
        return token

    def _take_word(self, *words: str) -> bool:
        return self._token.is_word(*words) and bool(self._advance())

    def _take_operator(self, *operators: str) -> str | None:
        return self._advance().text if self._token.is_operator(*operators) else None

    def _expect_operator(self, symbol: str) -> None:
        if self._take_operator(symbol) is None:
            raise self._unexpected(repr(symbol))

    def _unexpected(self, wanted: str) -> InvalidEntityError:
        return InvalidEntityError(
            f"The SQL filter has {self._token} at position {self._token.position} where {wanted} was expected."
        )

    def _disjunction(self) -> Evaluation:
        operands = [self._conjunction()]
        while self._take_word("OR"):
            operands.append(self._conjunction())
        return operands[0] if len(operands) == 1 else partial(_any, operands)

    def _conjunction(self) -> Evaluation:
        operands = [self._negation()]
        while self._take_word("AND"):
            operands.append(self._negation())
        return operands[0] if len(operands) == 1 else partial(_all, operands)

    def _negation(self) -> Evaluation:
        negated = False
        seen = False
        while self._take_word("NOT"):
            negated, seen = not negated, True
        operand = self._predicate()
        return partial(_not, operand, negated) if seen else operand

    def _predicate(self) -> Evaluation:
        left = self._sum()
        symbol = self._take_operator(*COMPARISONS)
        if symbol is not None:
            return partial(_compare, symbol, left, self._sum())
        if self._take_word("IS"):
            absent = not self._take_word("NOT")
            if not self._take_word("NULL"):
                raise self._unexpected("NULL")
            return partial(_is_null, left, absent)
        negated = self._take_word("NOT")
        if self._take_word("LIKE"):
            return partial(_not, self._like(left), negated)
        if self._take_word("IN"):
            return partial(_not, self._in(left), negated)
        if negated:
            raise self._unexpected("LIKE or IN")
        return left

    def _like(self, left: Evaluation) -> Evaluation:
        position = self._token.position
        pattern = self._sum()
        escape = self._escape() if self._take_word("ESCAPE") else None
        if isinstance(pattern, partial) and pattern.func is _constant:
            return partial(_like_constant, left, self._pattern(pattern.args[0], escape, position))
        return partial(_like, left, pattern, escape)

    def _escape(self) -> str:
        token = self._token
        if token.kind == "parameter":
            value = self._parameter(self._advance())
        elif token.kind == "string":
            value = self._advance().text
        else:
            raise self._unexpected("the escape character in quotes")
        if not isinstance(value, str) or len(value) != 1:
            raise InvalidEntityError(f"The SQL filter's ESCAPE at position {token.position} needs one character.")
        return value

    def _pattern(self, pattern: object, escape: str | None, position: int) -> LikePattern | None:
        if not isinstance(pattern, str):
            return None
        try:
            return like_pattern(pattern, escape)
        except ValueError as error:
            raise InvalidEntityError(f"The SQL filter's LIKE at position {position}: {error}.") from error

    def _in(self, left: Evaluation) -> Evaluation:
        self._expect_operator("(")
        choices = [self._sum()]
        while self._take_operator(","):
            choices.append(self._sum())
        self._expect_operator(")")
        return partial(_in, left, choices)

    def _sum(self) -> Evaluation:
        first = self._product()
        rest: list[tuple[str, Evaluation]] = []
        while (symbol := self._take_operator("+", "-")) is not None:
            rest.append((symbol, self._product()))
        return partial(_calculate, first, rest) if rest else first

    def _product(self) -> Evaluation:
        first = self._signed()
        rest: list[tuple[str, Evaluation]] = []
        while (symbol := self._take_operator("*", "/", "%")) is not None:
            rest.append((symbol, self._signed()))
        return partial(_calculate, first, rest) if rest else first

    def _signed(self) -> Evaluation:
        signs: list[str] = []
        while (symbol := self._take_operator("+", "-")) is not None:
            signs.append(symbol)
        operand = self._operand()
        if not signs:
            return operand
        return partial(_calculate, partial(_constant, 0), [("-" if signs.count("-") % 2 else "+", operand)])

    def _operand(self) -> Evaluation:
        token = self._token
        if token.is_operator("("):
            return self._parenthesis()
        match token.kind:
            case "string":
                return partial(_constant, self._advance().text)
            case "integer":
                return partial(_constant, int(self._advance().text))
            case "decimal":
                return partial(_constant, float(self._advance().text))
            case "parameter":
                return partial(_constant, self._parameter(self._advance()))
            case "name" | "quoted":
                return self._named()
            case _:
                raise self._unexpected("a property, a value or '('")

    def _parenthesis(self) -> Evaluation:
        position = self._advance().position
        self._nesting += 1
        if self._nesting > _MAXIMUM_NESTING:
            raise InvalidEntityError(
                f"The SQL filter nests more than {_MAXIMUM_NESTING} parentheses at position {position}."
            )
        inner = self._disjunction()
        self._nesting -= 1
        self._expect_operator(")")
        return inner

    def _parameter(self, token: Token) -> object:
        try:
            return self._parameters[token.text.lower()]
        except KeyError:
            raise InvalidEntityError(
                f"The SQL filter's parameter {token.text} at position {token.position} has no value; "
                "give it one among the rule's parameters."
            ) from None

    def _named(self) -> Evaluation:
        token = self._token
        if token.is_word("TRUE", "FALSE"):
            return partial(_constant, self._advance().text.upper() == "TRUE")
        if token.is_word("NULL"):
            self._advance()
            return partial(_constant, None)
        if token.is_word("EXISTS", "PROPERTY", "P") and self._tokens[self._at + 1].is_operator("("):
            return self._function()
        return self._property()

    def _function(self) -> Evaluation:
        tests_presence = self._advance().text.upper() == "EXISTS"
        self._expect_operator("(")
        found = self._property()
        self._expect_operator(")")
        return partial(_is_null, found, False) if tests_presence else found

    def _property(self) -> Evaluation:
        token = self._token
        if token.kind == "name" and self._tokens[self._at + 1].is_operator("."):
            scope = token.text.lower()
            if scope not in ("sys", "user"):
                raise InvalidEntityError(
                    f"The SQL filter's scope {token.text!r} at position {token.position} is unknown; "
                    "use sys. for the properties of the service and user. (or none) for the application's."
                )
            self._advance()
            self._advance()
            if scope == "sys":
                return self._system_property()
        token = self._token
        if token.kind not in ("name", "quoted") or token.is_word(*_RESERVED):
            raise self._unexpected("the name of a property")
        return partial(_application_property, self._advance().text)

    def _system_property(self) -> Evaluation:
        token = self._token
        attribute = _SYSTEM_PROPERTIES.get(token.text.lower())
        if token.kind not in ("name", "quoted") or attribute is None:
            known = ", ".join(sorted(_SYSTEM_PROPERTIES))
            raise self._unexpected(f"one of the properties {known}")
        self._advance()
        return partial(_system_property, attribute)


def _constant(value: object, _message: FilterInput) -> object:
    return value


def _application_property(name: str, message: FilterInput) -> object:
    if name in message.properties:
        return message.properties[name]
    wanted = name.lower()
    return next((value for key, value in message.properties.items() if str(key).lower() == wanted), None)


def _system_property(attribute: str, message: FilterInput) -> object:
    return getattr(message, attribute)


def _any(operands: list[Evaluation], message: FilterInput) -> object:
    return disjunction(truth(operand(message)) for operand in operands)


def _all(operands: list[Evaluation], message: FilterInput) -> object:
    return conjunction(truth(operand(message)) for operand in operands)


def _not(operand: Evaluation, negated: bool, message: FilterInput) -> object:
    value = truth(operand(message))
    return negation(value) if negated else value


def _compare(symbol: str, left: Evaluation, right: Evaluation, message: FilterInput) -> object:
    return compare(symbol, left(message), right(message))


def _is_null(operand: Evaluation, absent: bool, message: FilterInput) -> object:
    return (operand(message) is None) is absent


def _in(left: Evaluation, choices: list[Evaluation], message: FilterInput) -> object:
    value = left(message)
    return disjunction(compare("=", value, choice(message)) for choice in choices)


def _like_constant(left: Evaluation, pattern: LikePattern | None, message: FilterInput) -> object:
    text = left(message)
    return is_like(text, pattern) if pattern is not None and isinstance(text, str) else None


def _like(left: Evaluation, right: Evaluation, escape: str | None, message: FilterInput) -> object:
    text, pattern = left(message), right(message)
    if not isinstance(text, str) or not isinstance(pattern, str):
        return None
    try:
        return is_like(text, like_pattern(pattern, escape))
    except ValueError:
        # A pattern out of a message that ends in its escape character matches nothing known.
        return None


def _calculate(first: Evaluation, rest: list[tuple[str, Evaluation]], message: FilterInput) -> object:
    value = first(message)
    for symbol, operand in rest:
        value = calculate(symbol, value, operand(message))
    return value
