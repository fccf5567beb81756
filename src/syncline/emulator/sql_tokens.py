"""The words of a SQL filter: names, literals, parameters and operators, with their positions."""

import re
from dataclasses import dataclass
from typing import Literal

from syncline.emulator.errors import InvalidEntityError

Kind = Literal["name", "quoted", "string", "integer", "decimal", "parameter", "operator", "end"]

_LARGEST_LONG = 2**63 - 1

_PATTERN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<decimal>(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
  | (?P<integer>[0-9]+)
  | (?P<string>'(?:[^']|'')*')
  | (?P<bracketed>\[(?:[^\]]|\]\])+\])
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<parameter>@[^\W\d]\w*)
  | (?P<name>[^\W\d]\w*)
  | (?P<operator><>|!=|<=|>=|[=<>+\-*/%(),.])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word: `text` is what it stands for (quotes removed), `position` counts characters from 1."""

    kind: Kind
    text: str
    position: int

    def is_word(self, *words: str) -> bool:
        """Whether this is one of these keywords (a quoted name is never a keyword)."""
        return self.kind == "name" and self.text.upper() in words

    def is_operator(self, *operators: str) -> bool:
        """Whether this is one of these operators."""
        return self.kind == "operator" and self.text in operators

    def __str__(self) -> str:
        return "the end of the expression" if self.kind == "end" else repr(self.text)


def tokenize(expression: str) -> list[Token]:
    """The words of an expression, the last of kind `end`.

    Raises `InvalidEntityError`, with the position, for a character that cannot start a word.
    """
    tokens: list[Token] = []
    offset = 0
    while offset < len(expression):
        match = _PATTERN.match(expression, offset)
        if match is None:
            raise InvalidEntityError(_unreadable(expression, offset))
        if match.lastgroup != "space":
            tokens.append(_token(match, offset + 1))
        offset = match.end()
    tokens.append(Token("end", "", len(expression) + 1))
    return tokens


def _token(match: re.Match[str], position: int) -> Token:
    text = match.group()
    match match.lastgroup:
        case "string":
            return Token("string", text[1:-1].replace("''", "'"), position)
        case "bracketed":
            return Token("quoted", text[1:-1].replace("]]", "]"), position)
        case "quoted":
            return Token("quoted", text[1:-1].replace('""', '"'), position)
        case "integer":
            if int(text) > _LARGEST_LONG:
                raise InvalidEntityError(
                    f"The SQL filter's number at position {position} is larger than a 64-bit integer."
                )
            return Token("integer", text, position)
        case "decimal":
            return Token("decimal", text, position)
        case "parameter":
            return Token("parameter", text, position)
        case "name":
            return Token("name", text, position)
        case _:
            return Token("operator", text, position)


def _unreadable(expression: str, offset: int) -> str:
    character = expression[offset]
    if character in "'\"[":
        closing = "]" if character == "[" else character
        return f"The SQL filter's quote at position {offset + 1} is empty or not closed with {closing}."
    return f"The SQL filter has an unexpected character {character!r} at position {offset + 1}."
