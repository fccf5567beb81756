"""Whether a subscription takes a message: the filter of a rule as a function of a message."""

from collections.abc import Callable, Mapping

from syncline.emulator.descriptions import CorrelationFilter, FalseFilter, Filter, SqlFilter, TrueFilter
from syncline.emulator.sql_filter import FilterInput, compile_sql
from syncline.emulator.sql_values import compare

__all__ = ["FilterInput", "compile_filter"]

_SYSTEM_PROPERTIES = (
    # Property of the filter, property of the message.
    ("correlation_id", "correlation_id"),
    ("message_id", "message_id"),
    ("to", "to"),
    ("reply_to", "reply_to"),
    ("label", "subject"),
    ("session_id", "session_id"),
    ("reply_to_session_id", "reply_to_session_id"),
    ("content_type", "content_type"),
)


def compile_filter(filter: Filter) -> Callable[[FilterInput], bool]:  # noqa: A002 - the service's own word
    """A function that tells whether a message passes the filter.

    Raises `InvalidEntityError` for a SQL expression that cannot be read.
    """
    match filter:
        case TrueFilter():
            return lambda _message: True
        case FalseFilter():
            return lambda _message: False
        case SqlFilter(expression, parameters):
            return compile_sql(expression, parameters)
        case CorrelationFilter():
            return _compile_correlation(filter)


def _compile_correlation(wanted: CorrelationFilter) -> Callable[[FilterInput], bool]:
    system = [
        (attribute, value) for own, attribute in _SYSTEM_PROPERTIES if (value := getattr(wanted, own)) is not None
    ]
    properties: Mapping[str, object] = dict(wanted.properties)

    def passes(message: FilterInput) -> bool:
        # An identifier may be a number or a UUID on the wire; a filter always writes it as text.
        if any(_text(getattr(message, attribute)) != value for attribute, value in system):
            return False
        return all(compare("=", message.properties.get(name), value) is True for name, value in properties.items())

    return passes


def _text(value: object) -> str | None:
    return None if value is None else str(value)
