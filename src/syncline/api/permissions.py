"""What a caller may do: the one place that decides it, for every request under ``/v1``.

A request asks for a level on a kind of thing (:mod:`syncline.api.needs` says which), and perhaps in one group or on one
connection. A user has levels by the role in the account and by the roles in groups (:mod:`syncline.api.roles`); a
system key has those it was made with.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from syncline.api.authentication import Caller
from syncline.api.errors import Forbidden
from syncline.api.needs import Target, needs_of
from syncline.api.roles import ACCOUNT_ROLES, GROUP_ROLES, NO_ROLE, Level, Resource
from syncline.store.database import Database
from syncline.store.models import Connection, GroupUser

_WORDS = {Level.READ: "see", Level.CREATE: "create", Level.EDIT: "change", Level.MANAGE: "manage"}


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
    is_list = method in ("GET", "HEAD")
    for need, target in needs_of(method, path, query, body):
        if need.resource is None:
            continue
        if await _level(database, caller, need.resource, target, need.level, is_list=is_list) < need.level:
            who = "This system key" if caller.permissions is not None else f"Your role ({caller.role or 'none'})"
            raise Forbidden(
                f"{who} does not allow {method} {path}: it needs permission to {_WORDS[need.level]} "
                f"{need.resource} resources. Ask an Account Administrator for it."
            )


def ensure_may_grant(caller: Caller, levels: Mapping[Resource, Level]) -> None:
    """Refuse to give someone, or a key, more than the caller may do in the whole account. The same goes for taking it
    from them: whoever has less shall not decide about those who have more.

    Raises:
        Forbidden: names what the caller lacks.
    """
    for resource, level in levels.items():
        if caller.permissions is not None:
            own = _level_of_key(caller.permissions, resource, Target(), is_list=True)
        else:
            own = _level_in_account(caller, resource)
        _refuse_more(resource, own, level)


async def ensure_may_grant_in_group(
    database: Database, caller: Caller, levels: Mapping[Resource, Level], group_id: str
) -> None:
    """Refuse to give someone, or to take from someone, more than the caller may do in a group.

    Raises:
        Forbidden: names what the caller lacks.
    """
    for resource, level in levels.items():
        own = await _level(database, caller, resource, Target(group_id=group_id), level, is_list=True)
        _refuse_more(resource, own, level)


def _refuse_more(resource: Resource, own: Level, level: Level) -> None:
    if own < level:
        raise Forbidden(
            f"You cannot grant or take permission to {_WORDS[level]} {resource} resources: you do not have it yourself."
        )


async def _level(
    database: Database, caller: Caller, resource: Resource, target: Target, enough: Level, *, is_list: bool
) -> Level:
    """What a caller may do with a target; no more is looked up than is `enough`."""
    if caller.permissions is not None:
        if any(_group_filter(permission) for permission in caller.permissions):
            target = await _with_group(database, target)
        return _level_of_key(caller.permissions, resource, target, is_list=is_list)
    allowed = _level_in_account(caller, resource)
    return allowed if allowed >= enough else max(allowed, await _level_in_group(database, caller, resource, target))


def _level_in_account(caller: Caller, resource: Resource) -> Level:
    return ACCOUNT_ROLES.get(caller.role, NO_ROLE).levels.get(resource, Level.NONE)


async def _with_group(database: Database, target: Target) -> Target:
    """The target with the group of its connection."""
    if target.connection_id is None or target.group_id is not None:
        return target
    async with database.session(read_only=True) as session:
        found = await session.scalar(select(Connection.group_id).where(Connection.id == target.connection_id))
    return Target(found, target.connection_id)


async def _level_in_group(database: Database, caller: Caller, resource: Resource, target: Target) -> Level:
    target = await _with_group(database, target)
    if target.group_id is None:
        return Level.NONE
    async with database.session(read_only=True) as session:
        membership = await session.get(GroupUser, (target.group_id, caller.user_id))
    if membership is None or membership.role not in GROUP_ROLES:
        return Level.NONE
    return GROUP_ROLES[membership.role].levels.get(resource, Level.NONE)


def _level_of_key(permissions: Sequence[Any], resource: Resource, target: Target, *, is_list: bool) -> Level:
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
