"""Requests about the rules of a subscription: add, remove, list."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from syncline.amqp import Described, Timestamp, ULong
from syncline.emulator.conditions import InvalidRequestError
from syncline.emulator.descriptions import (
    CorrelationFilter,
    FalseFilter,
    Filter,
    RuleDescription,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from syncline.emulator.operations import NOTHING, Answer, Operation

# The codes of the service's described types. Those of rules and actions have one digit more than
# those of filters: so they are on the wire.
_RULE = ULong(0x13700000004)
_EMPTY_ACTION = ULong(0x13700000005)
_SQL_ACTION = ULong(0x13700000006)
_SQL_FILTER = ULong(0x1370000006)
_TRUE_FILTER = ULong(0x1370000007)
_FALSE_FILTER = ULong(0x1370000008)
_CORRELATION_FILTER = ULong(0x1370000009)

_CORRELATION_FIELDS = tuple(field.name for field in fields(CorrelationFilter) if field.name != "properties")


def add(operation: Operation) -> Answer:
    """`add-rule`: one more rule for the subscription."""
    topic, subscription = _subscription(operation)
    description = operation.body.get("rule-description")
    if not isinstance(description, dict):
        raise InvalidRequestError("The field 'rule-description' must be a map with a filter.")
    action = description.get("sql-rule-action")
    expression = action.get("expression") if isinstance(action, dict) else None
    rule = RuleDescription(
        operation.text("rule-name"),
        _read_filter(description),
        SqlAction(str(expression)) if expression else None,
    )
    operation.connection.namespace.create_rule(topic, subscription, rule)
    return Answer({})


def remove(operation: Operation) -> Answer:
    """`remove-rule`: the subscription does without that rule."""
    operation.connection.namespace.delete_rule(*_subscription(operation), operation.text("rule-name"))
    return Answer({})


def enumerate_rules(operation: Operation) -> Answer:
    """`enumerate-rules`: a page of the subscription's rules."""
    skip, top = operation.integer("skip"), operation.integer("top", at_least=1)
    rules = operation.connection.namespace.rules(*_subscription(operation))[skip : skip + top]
    if not rules:
        return NOTHING
    return Answer({"rules": [{"rule-description": _write_rule(rule)} for rule in rules]})


def _subscription(operation: Operation) -> tuple[str, str]:
    address = operation.address
    if address.subscription is None:
        raise InvalidRequestError(f"'{address.entity}' is no subscription; only subscriptions have rules.")
    return address.entity, address.subscription


def _read_filter(description: Mapping[Any, Any]) -> Filter:
    if isinstance(sql := description.get("sql-filter"), dict):
        expression = str(sql.get("expression") or "")
        constant = expression.replace(" ", "")
        if constant == "1=1":
            return TrueFilter()
        return FalseFilter() if constant == "1=0" else SqlFilter(expression)
    if isinstance(correlation := description.get("correlation-filter"), dict):
        values = {
            name: None if (value := correlation.get(name.replace("_", "-"))) is None else str(value)
            for name in _CORRELATION_FIELDS
        }
        return CorrelationFilter(**values, properties=dict(correlation.get("properties") or {}))
    raise InvalidRequestError(
        "The field 'rule-description' has no filter: give it a 'sql-filter' or a 'correlation-filter'."
    )


def _write_rule(rule: RuleDescription) -> Described:
    action = (
        Described(_EMPTY_ACTION, []) if rule.action is None else Described(_SQL_ACTION, [rule.action.expression, None])
    )
    created = Timestamp.from_datetime(rule.created_at)
    return Described(_RULE, [_write_filter(rule.filter), action, rule.name, created])


def _write_filter(rule_filter: Filter) -> Described:
    match rule_filter:
        case TrueFilter():
            return Described(_TRUE_FILTER, [])
        case FalseFilter():
            return Described(_FALSE_FILTER, [])
        case SqlFilter(expression=expression):
            return Described(_SQL_FILTER, [expression, None])
        case CorrelationFilter():
            values: list[Any] = [getattr(rule_filter, name) for name in _CORRELATION_FIELDS]
            return Described(_CORRELATION_FILTER, [*values, dict(rule_filter.properties)])
