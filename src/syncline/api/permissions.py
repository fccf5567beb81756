"""What a caller may do: the one place that decides it, for every request under ``/v1``.

A request asks for a level on a kind of thing (:data:`_RULES` says which), and perhaps in one group or on one
connection. A user has levels by the role in the account and by the roles in groups (:mod:`syncline.api.roles`); a
system key has those it was made with.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from syncline.api.authentication import Caller
from syncline.api.errors import Forbidden
from syncline.api.roles import ACCOUNT_ROLES, GROUP_ROLES, NO_ROLE, Level, Resource
from syncline.store.database import Database
from syncline.store.models import Connection, GroupUser

_READING = {"GET", "HEAD"}
_CHANGES = {"GET": Level.READ, "HEAD": Level.READ, "POST": Level.EDIT, "DELETE": Level.MANAGE}
"""The level that a method asks for; EDIT for others."""
_CREATES = {**_CHANGES, "POST": Level.CREATE}
_MANAGES = {"GET": Level.READ, "HEAD": Level.READ}
_WORDS = {Level.READ: "see", Level.CREATE: "create", Level.EDIT: "change", Level.MANAGE: "manage"}


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which permission the requests to a path need. Groups of the pattern name the thing that it is about."""

    path: re.Pattern[str]
    resource: Resource | None
    """None: every caller may."""
    levels: Mapping[str, Level]
    otherwise: Level
    fields: tuple[str, ...]
    """Fields of the body that name the thing where the path does not."""
    filters: tuple[str, ...]
    """Parameters that limit a list to what is in one thing."""


def _rule(
    path: str,
    resource: Resource | None,
    levels: Mapping[str, Level] = _CHANGES,
    otherwise: Level = Level.EDIT,
    *,
    fields: tuple[str, ...] = (),
    filters: tuple[str, ...] = (),
) -> _Rule:
    return _Rule(re.compile(f"^/v1/{path}(?=/|$)"), resource, levels, otherwise, fields, filters)


_RULES = (
    _rule("account/info", None),
    _rule("metadata/connectors/(?P<connection>[^/]+)", Resource.CONNECTOR),
    _rule("metadata", None),
    _rule("groups$", Resource.DESTINATION, _CREATES),
    _rule("groups/(?P<group>[^/]+)/connections", Resource.CONNECTOR),
    _rule("groups/(?P<group>[^/]+)/users", Resource.DESTINATION, _MANAGES, Level.MANAGE),
    _rule("groups/(?P<group>[^/]+)", Resource.DESTINATION),
    _rule("destinations$", Resource.DESTINATION, _CREATES, fields=("group_id",)),
    _rule("destinations/(?P<group>[^/]+)", Resource.DESTINATION),
    _rule("connections$", Resource.CONNECTOR, _CREATES, fields=("group_id",), filters=("group_id",)),
    _rule("connections/(?P<connection>[^/]+)", Resource.CONNECTOR),
    _rule("certificates", Resource.CONNECTOR, fields=("connection_id", "destination_id")),
    _rule("users", Resource.USER, _MANAGES, Level.MANAGE),
    _rule("roles", Resource.ROLES),
)
"""The first that fits is used; what none fits belongs to the account's administration."""
_ACCOUNT_RULE = _rule(".*", Resource.ACCOUNT, _MANAGES, Level.MANAGE)


@dataclass(frozen=True, slots=True)
class _Target:
    """What a request is about, as far as it says so."""

    group_id: str | None = None
    connection_id: str | None = None


async def authorize(
    database: Database,
    caller: Caller,
    method: str,
    path: str,
    query: Mapping[str, str],
    body: Mapping[str, Any],
) -> None:
    """Let a request pass that its caller may make.

    Raises:
        Forbidden: with what is lacking.
    """
    rule, target = _find_rule(method, path, query, body)
    if rule.resource is None:
        return
    needed = rule.levels.get(method, rule.otherwise)
    if caller.permissions is not None:
        if any(_group_filter(permission) for permission in caller.permissions):
            target = await _with_group(database, target)
        allowed = _level_of_key(caller.permissions, rule.resource, target, is_list=method in _READING)
    else:
        allowed = ACCOUNT_ROLES.get(caller.role, NO_ROLE).levels.get(rule.resource, Level.NONE)
        if allowed < needed:
            allowed = max(allowed, await _level_in_group(database, caller, rule.resource, target))
    if allowed < needed:
        who = "This system key" if caller.permissions is not None else f"Your role ({caller.role or 'none'})"
        raise Forbidden(
            f"{who} does not allow {method} {path}: it needs permission to {_WORDS[needed]} "
            f"{rule.resource} resources. Ask an Account Administrator for it."
        )


def ensure_may_grant(caller: Caller, levels: Mapping[Resource, Level]) -> None:
    """Refuse to give someone, or a key, more than the caller may do in the whole account.

    Raises:
        Forbidden: names what the caller lacks.
    """
    for resource, level in levels.items():
        if caller.permissions is not None:
            own = _level_of_key(caller.permissions, resource, _Target(), is_list=True)
        else:
            own = ACCOUNT_ROLES.get(caller.role, NO_ROLE).levels.get(resource, Level.NONE)
        if own < level:
            raise Forbidden(
                f"You cannot grant permission to {_WORDS[level]} {resource} resources: you do not have it yourself."
            )


def _find_rule(method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> tuple[_Rule, _Target]:
    for rule in _RULES:
        found = rule.path.match(path)
        if found is not None:
            named = found.groupdict()
            if named:
                return rule, _Target(named.get("group"), named.get("connection"))
            if method in _READING:
                return rule, _target_named(rule.filters, query)
            return rule, _target_named(rule.fields, body)
    return _ACCOUNT_RULE, _Target()


def _target_named(names: tuple[str, ...], values: Mapping[str, Any]) -> _Target:
    """What a request is about by the values that its endpoint looks at, and by no others: whatever else a client
    sends must not open a door. A request that names two things is not limited to either."""
    named = {name: value for name, value in values.items() if name in names and isinstance(value, str)}
    if len(named) != 1:
        return _Target()
    ((name, value),) = named.items()
    return _Target(connection_id=value) if name == "connection_id" else _Target(group_id=value)


async def _with_group(database: Database, target: _Target) -> _Target:
    """The target with the group of its connection."""
    if target.connection_id is None or target.group_id is not None:
        return target
    async with database.session(read_only=True) as session:
        found = await session.scalar(select(Connection.group_id).where(Connection.id == target.connection_id))
    return _Target(found, target.connection_id)


async def _level_in_group(database: Database, caller: Caller, resource: Resource, target: _Target) -> Level:
    target = await _with_group(database, target)
    if target.group_id is None:
        return Level.NONE
    async with database.session(read_only=True) as session:
        membership = await session.get(GroupUser, (target.group_id, caller.user_id))
    if membership is None or membership.role not in GROUP_ROLES:
        return Level.NONE
    return GROUP_ROLES[membership.role].levels.get(resource, Level.NONE)


def _level_of_key(permissions: Sequence[Any], resource: Resource, target: _Target, *, is_list: bool) -> Level:
    """The level of a system key on a target. A permission for the very thing counts before one for its group, and
    that before one for all. A list shows what is in it, so it has the least level of what may be in it."""
    general, in_group, on_thing = Level.NONE, None, None
    hidden = [Level.MANAGE]
    thing = target.connection_id if resource is Resource.CONNECTOR else target.group_id
    for permission in permissions:
        if permission["resource_type"] != resource:
            continue
        level = Level[permission["access_level"]]
        things, groups = _filter(permission, "ids"), _group_filter(permission)
        if not things and not groups:
            general = level
        elif thing in things:
            on_thing = level
        elif target.group_id in groups:
            in_group = level
        elif is_list and thing is None and (things or target.group_id is None):
            hidden.append(level)
    allowed = next(level for level in (on_thing, in_group, general) if level is not None)
    return min(allowed, *hidden)


def _filter(permission: Mapping[str, Any], name: str) -> list[str]:
    return list((permission.get("resource_filter") or {}).get(name) or [])


def _group_filter(permission: Mapping[str, Any]) -> list[str]:
    return _filter(permission, "group_ids")
