"""Rules as elements of the administration API, and back."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from lxml import etree

from syncline.emulator.atom import (
    INSTANCE,
    SCHEMA,
    SERVICE_BUS,
    TYPE,
    Element,
    add,
    children,
    format_time,
    local_name,
    service_element,
)
from syncline.emulator.descriptions import (
    DEFAULT_RULE_NAME,
    CorrelationFilter,
    FalseFilter,
    Filter,
    PropertyValue,
    RuleDescription,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from syncline.emulator.durations import format_duration, parse_duration
from syncline.emulator.errors import InvalidEntityError

_COMPATIBILITY_LEVEL = "20"
_LARGEST_INT = 2**31

_CORRELATION_ELEMENTS = (
    ("CorrelationId", "correlation_id"),
    ("MessageId", "message_id"),
    ("To", "to"),
    ("ReplyTo", "reply_to"),
    ("Label", "label"),
    ("SessionId", "session_id"),
    ("ReplyToSessionId", "reply_to_session_id"),
    ("ContentType", "content_type"),
)


def read_rule(element: Element, name: str | None = None) -> RuleDescription:
    """A rule out of a `RuleDescription`; `name`, from the address, wins over the one inside.

    Raises `InvalidEntityError` for a filter, an action or a value of an unknown type.
    """
    parts = {local_name(child): child for child in children(element)}
    unknown = parts.keys() - {"Filter", "Action", "Name", "CreatedAt"}
    if unknown:
        raise InvalidEntityError(f"RuleDescription has no property {min(unknown)!r}.")
    inner_name = parts["Name"].text if "Name" in parts else None
    return RuleDescription(
        name=name or inner_name or DEFAULT_RULE_NAME,
        filter=_read_filter(parts["Filter"]) if "Filter" in parts else TrueFilter(),
        action=_read_action(parts["Action"]) if "Action" in parts else None,
    )


def write_rule(rule: RuleDescription) -> Element:
    """A rule as the service sends it."""
    element = service_element("RuleDescription")
    _write_filter(element, rule.filter)
    action = add(element, "Action")
    if rule.action is None:
        action.set(TYPE, "EmptyRuleAction")
    else:
        action.set(TYPE, "SqlRuleAction")
        _write_sql(action, rule.action.expression, rule.action.parameters)
    add(element, "CreatedAt", format_time(rule.created_at))
    add(element, "Name", rule.name)
    return element


def _type_of(element: Element) -> str:
    return (element.get(TYPE) or "").rpartition(":")[2]


def _text(element: Element, name: str) -> str | None:
    return element.findtext(f"{{{SERVICE_BUS}}}{name}")


def _read_filter(element: Element) -> Filter:
    match _type_of(element):
        case "TrueFilter":
            return TrueFilter()
        case "FalseFilter":
            return FalseFilter()
        case "SqlFilter":
            return SqlFilter(_text(element, "SqlExpression") or "", _read_values(element, "Parameters"))
        case "CorrelationFilter":
            given = {attribute: _text(element, name) for name, attribute in _CORRELATION_ELEMENTS}
            return CorrelationFilter(**given, properties=_read_values(element, "Properties"))
        case other:
            raise InvalidEntityError(
                f"Filter has the type {other!r}; use SqlFilter, CorrelationFilter, TrueFilter or FalseFilter."
            )


def _read_action(element: Element) -> SqlAction | None:
    match _type_of(element):
        case "EmptyRuleAction":
            return None
        case "SqlRuleAction":
            return SqlAction(_text(element, "SqlExpression") or "", _read_values(element, "Parameters"))
        case other:
            raise InvalidEntityError(f"Action has the type {other!r}; use SqlRuleAction or EmptyRuleAction.")


def _write_filter(parent: Element, wanted: Filter) -> None:
    element = add(parent, "Filter")
    element.set(TYPE, type(wanted).__name__)
    match wanted:
        case TrueFilter():
            _write_sql(element, "1=1", {})
        case FalseFilter():
            _write_sql(element, "1=0", {})
        case SqlFilter(expression, parameters):
            _write_sql(element, expression, parameters)
        case CorrelationFilter():
            for name, attribute in _CORRELATION_ELEMENTS:
                value = getattr(wanted, attribute)
                if value is not None:
                    add(element, name, value)
            _write_values(element, "Properties", wanted.properties)


def _write_sql(element: Element, expression: str, parameters: Mapping[str, PropertyValue]) -> None:
    add(element, "SqlExpression", expression)
    add(element, "CompatibilityLevel", _COMPATIBILITY_LEVEL)
    _write_values(element, "Parameters", parameters)


def _write_values(parent: Element, name: str, values: Mapping[str, PropertyValue]) -> None:
    if not values:
        return
    element = add(parent, name)
    for key, value in values.items():
        pair = add(element, "KeyValueOfstringanyType")
        add(pair, "Key", key)
        kind, text = _written(value)
        # The prefix of the type is declared where it is used, as the service does.
        holder = etree.SubElement(pair, f"{{{SERVICE_BUS}}}Value", nsmap={"d6p1": SCHEMA})
        if kind is None:
            holder.set(f"{{{INSTANCE}}}nil", "true")
        else:
            holder.set(TYPE, f"d6p1:{kind}")
            holder.text = text


def _written(value: PropertyValue) -> tuple[str | None, str]:
    match value:
        case None:
            return None, ""
        case bool():
            return "boolean", str(value).lower()
        case int():
            return "int" if -_LARGEST_INT <= value < _LARGEST_INT else "long", str(value)
        case float():
            return "double", repr(value)
        case datetime():
            return "dateTime", value.isoformat()
        case timedelta():
            return "duration", format_duration(value)
        case _:
            return "string", value


def _read_values(parent: Element, name: str) -> dict[str, PropertyValue]:
    holder = parent.find(f"{{{SERVICE_BUS}}}{name}")
    if holder is None:
        return {}
    values: dict[str, PropertyValue] = {}
    for pair in children(holder):
        key, value = _text(pair, "Key"), pair.find(f"{{{SERVICE_BUS}}}Value")
        if not key or value is None:
            raise InvalidEntityError(f"{name}: each entry needs a Key and a Value.")
        values[key] = _read_value(f"{name}: {key}", value)
    return values


def _read_boolean(text: str) -> bool:
    if text not in ("true", "false", "1", "0"):
        raise ValueError(text)
    return text in ("true", "1")


def _read_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_READERS: Mapping[str, Callable[[str], PropertyValue]] = {
    "string": str,
    "int": int,
    "long": int,
    "short": int,
    "double": float,
    "float": float,
    "decimal": float,
    "boolean": _read_boolean,
    "dateTime": _read_time,
    "duration": parse_duration,
}


def _read_value(where: str, element: Element) -> PropertyValue:
    if element.get(f"{{{INSTANCE}}}nil") == "true":
        return None
    kind = _type_of(element) or "string"
    reader = _READERS.get(kind)
    if reader is None:
        raise InvalidEntityError(f"{where} has the type {kind!r}; use one of {', '.join(_READERS)}.")
    text = element.text or ""
    try:
        return reader(text)
    except ValueError as error:
        raise InvalidEntityError(f"{where}: {text[:100]!r} is not a value of the type {kind}.") from error
