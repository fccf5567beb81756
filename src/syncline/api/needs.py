"""Which permission each operation needs: one entry for each, and no operation without one.

A request is about one group or one connection where its path, its body or a filter names it; permissions that are
limited to that thing count then. Where nothing is named it is about the whole account.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from syncline.api.roles import Level, Resource

_READING = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about, as far as it says so."""

    group_id: str | None = None
    connection_id: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """The permission that an operation needs."""

    level: Level
    resource: Resource | None
    """None: whoever has a key may."""
    at: str = ""
    """The parameter of the path, of the query (in lists) or of the body that names a group, a destination (which has
    its group's id) or a connection."""


def _at(resource: Resource, at: str) -> Iterator[Need]:
    """To see, to create, to change and to manage what `at` names."""
    return (Need(level, resource, at) for level in (Level.READ, Level.CREATE, Level.EDIT, Level.MANAGE))


_ANYONE = Need(Level.NONE, None)
_SEE_ACCOUNT, _, _, _MANAGE_ACCOUNT = _at(Resource.ACCOUNT, "")
_SEE_USERS, _, _, _MANAGE_USERS = _at(Resource.USER, "")
_SEE_ROLES, _, _, _ = _at(Resource.ROLES, "")
_SEE_GROUPS, _CREATE_GROUPS, _, _ = _at(Resource.DESTINATION, "")
_SEE_GROUP, _CREATE_IN_GROUP, _EDIT_GROUP, _MANAGE_GROUP = _at(Resource.DESTINATION, "group_id")
_SEE_DESTINATION, _, _EDIT_DESTINATION, _MANAGE_DESTINATION = _at(Resource.DESTINATION, "destination_id")
_SEE_CONNECTIONS, _CREATE_CONNECTIONS, _, _ = _at(Resource.CONNECTOR, "group_id")
_SEE_CONNECTION, _, _EDIT_CONNECTION, _MANAGE_CONNECTION = _at(Resource.CONNECTOR, "connection_id")

NEEDS: Mapping[str, Need] = {
    "GET /v1/account/info": _ANYONE,
    "GET /v1/metadata/connector-types": _ANYONE,
    "GET /v1/metadata/connector-types/{service}": _ANYONE,
    "GET /v1/metadata/connectors/{connection_id}/schemas": _SEE_CONNECTION,
    "GET /v1/metadata/connectors/{connection_id}/tables": _SEE_CONNECTION,
    "GET /v1/metadata/connectors/{connection_id}/columns": _SEE_CONNECTION,
    "GET /v1/roles": _SEE_ROLES,
    "GET /v1/system-keys": _SEE_ACCOUNT,
    "POST /v1/system-keys": _MANAGE_ACCOUNT,
    "GET /v1/system-keys/{key_id}": _SEE_ACCOUNT,
    "PATCH /v1/system-keys/{key_id}": _MANAGE_ACCOUNT,
    "DELETE /v1/system-keys/{key_id}": _MANAGE_ACCOUNT,
    "POST /v1/system-keys/{key_id}/rotate": _MANAGE_ACCOUNT,
    "GET /v1/users": _SEE_USERS,
    "POST /v1/users": _MANAGE_USERS,
    "GET /v1/users/{user_id}": _SEE_USERS,
    "PATCH /v1/users/{user_id}": _MANAGE_USERS,
    "DELETE /v1/users/{user_id}": _MANAGE_USERS,
    "DELETE /v1/users/{user_id}/role": _MANAGE_USERS,
    "GET /v1/users/{user_id}/groups": _SEE_USERS,
    "POST /v1/users/{user_id}/groups": _MANAGE_USERS,
    "GET /v1/users/{user_id}/groups/{group_id}": _SEE_USERS,
    "PATCH /v1/users/{user_id}/groups/{group_id}": _MANAGE_USERS,
    "DELETE /v1/users/{user_id}/groups/{group_id}": _MANAGE_USERS,
    "GET /v1/groups": _SEE_GROUPS,
    "POST /v1/groups": _CREATE_GROUPS,
    "GET /v1/groups/{group_id}": _SEE_GROUP,
    "PATCH /v1/groups/{group_id}": _EDIT_GROUP,
    "DELETE /v1/groups/{group_id}": _MANAGE_GROUP,
    "GET /v1/groups/{group_id}/public-key": _SEE_GROUP,
    "GET /v1/groups/{group_id}/service-account": _SEE_GROUP,
    "GET /v1/groups/{group_id}/users": _SEE_GROUP,
    "POST /v1/groups/{group_id}/users": _MANAGE_GROUP,
    "DELETE /v1/groups/{group_id}/users/{user_id}": _MANAGE_GROUP,
    "GET /v1/groups/{group_id}/connections": _SEE_CONNECTIONS,
    "GET /v1/destinations": _SEE_GROUPS,
    "POST /v1/destinations": _CREATE_IN_GROUP,
    "GET /v1/destinations/{destination_id}": _SEE_DESTINATION,
    "PATCH /v1/destinations/{destination_id}": _EDIT_DESTINATION,
    "DELETE /v1/destinations/{destination_id}": _MANAGE_DESTINATION,
    "POST /v1/destinations/{destination_id}/test": _EDIT_DESTINATION,
    "GET /v1/destinations/{destination_id}/certificates": _SEE_DESTINATION,
    "POST /v1/destinations/{destination_id}/certificates": _EDIT_DESTINATION,
    "GET /v1/destinations/{destination_id}/certificates/{hash:path}": _SEE_DESTINATION,
    "DELETE /v1/destinations/{destination_id}/certificates/{hash:path}": _MANAGE_DESTINATION,
    "GET /v1/destinations/{destination_id}/fingerprints": _SEE_DESTINATION,
    "POST /v1/destinations/{destination_id}/fingerprints": _EDIT_DESTINATION,
    "GET /v1/destinations/{destination_id}/fingerprints/{hash:path}": _SEE_DESTINATION,
    "DELETE /v1/destinations/{destination_id}/fingerprints/{hash:path}": _MANAGE_DESTINATION,
    "GET /v1/connections": _SEE_CONNECTIONS,
    "POST /v1/connections": _CREATE_CONNECTIONS,
    "GET /v1/connections/{connection_id}": _SEE_CONNECTION,
    "PATCH /v1/connections/{connection_id}": _EDIT_CONNECTION,
    "DELETE /v1/connections/{connection_id}": _MANAGE_CONNECTION,
    "POST /v1/connections/{connection_id}/sync": _EDIT_CONNECTION,
    "POST /v1/connections/{connection_id}/resync": _EDIT_CONNECTION,
    "POST /v1/connections/{connection_id}/test": _EDIT_CONNECTION,
    "POST /v1/connections/{connection_id}/connect-card": _EDIT_CONNECTION,
    "GET /v1/connections/{connection_id}/state": _SEE_CONNECTION,
    "PATCH /v1/connections/{connection_id}/state": _EDIT_CONNECTION,
    "GET /v1/connections/{connection_id}/schemas": _SEE_CONNECTION,
    "POST /v1/connections/{connection_id}/schemas": _EDIT_CONNECTION,
    "PATCH /v1/connections/{connection_id}/schemas": _EDIT_CONNECTION,
    "POST /v1/connections/{connection_id}/schemas/reload": _EDIT_CONNECTION,
    "POST /v1/connections/{connection_id}/schemas/tables/resync": _EDIT_CONNECTION,
    "POST /v1/connections/{connection_id}/schemas/drop-columns": _MANAGE_CONNECTION,
    "PATCH /v1/connections/{connection_id}/schemas/{schema}": _EDIT_CONNECTION,
    "PATCH /v1/connections/{connection_id}/schemas/{schema}/tables/{table:path}": _EDIT_CONNECTION,
    "POST /v1/connections/{connection_id}/schemas/{schema}/tables/{table:path}/resync": _EDIT_CONNECTION,
    "GET /v1/connections/{connection_id}/schemas/{schema}/tables/{table:path}/columns": _SEE_CONNECTION,
    "PATCH /v1/connections/{connection_id}/schemas/{schema}/tables/{table:path}/columns/{column:path}": (
        _EDIT_CONNECTION
    ),
    "DELETE /v1/connections/{connection_id}/schemas/{schema}/tables/{table:path}/columns/{column:path}": (
        _MANAGE_CONNECTION
    ),
    "GET /v1/connections/{connection_id}/certificates": _SEE_CONNECTION,
    "POST /v1/connections/{connection_id}/certificates": _EDIT_CONNECTION,
    "GET /v1/connections/{connection_id}/certificates/{hash:path}": _SEE_CONNECTION,
    "DELETE /v1/connections/{connection_id}/certificates/{hash:path}": _MANAGE_CONNECTION,
    "GET /v1/connections/{connection_id}/fingerprints": _SEE_CONNECTION,
    "POST /v1/connections/{connection_id}/fingerprints": _EDIT_CONNECTION,
    "GET /v1/connections/{connection_id}/fingerprints/{hash:path}": _SEE_CONNECTION,
    "DELETE /v1/connections/{connection_id}/fingerprints/{hash:path}": _MANAGE_CONNECTION,
    "POST /v1/certificates": _EDIT_CONNECTION,
}
"""By method and path. What stands nowhere here belongs to the administration of the account."""
INSTEAD: Mapping[str, Need] = {"POST /v1/certificates": _EDIT_DESTINATION}
"""For an operation on either of two things: what it needs when the body names the second one alone."""

_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


def needs_of(
    method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any]
) -> Iterator[tuple[Need, Target]]:
    """What a request needs, and what it is about. Where several operations fit its path, it needs what each does."""
    is_known = False
    for pattern, key in _BY_METHOD.get("GET" if method == "HEAD" else method, ()):
        found = pattern.fullmatch(path)
        if found is not None:
            is_known = True
            given = query if method in _READING else body
            need = _chosen(key, given)
            yield need, _target(need.at, found.groupdict(), given)
    if not is_known:
        yield (_SEE_ACCOUNT if method in _READING else _MANAGE_ACCOUNT), Target()


def check_operations(operations: Iterable[tuple[str, str]]) -> None:
    """Compare the table with the operations (method and path) that there are.

    Raises:
        RuntimeError: names those without an entry, and entries without an operation.
    """
    there = {_without_convertors(f"{method} {path}") for method, path in operations}
    listed = {_without_convertors(key) for key in NEEDS}
    if there != listed:
        raise RuntimeError(
            f"operations and their permissions differ: without an entry in NEEDS are {sorted(there - listed)}, and "
            f"without an operation {sorted(listed - there)}"
        )


def _chosen(key: str, given: Mapping[str, Any]) -> Need:
    """The entry of an operation, or the other one when only that one's thing is named. The endpoint refuses to be
    told of both."""
    first, second = NEEDS[key], INSTEAD.get(key)
    return second if second is not None and given.get(second.at) is not None and not given.get(first.at) else first


def _target(name: str, parameters: Mapping[str, str], given: Mapping[str, Any]) -> Target:
    """What a request is about by the one value that its endpoint looks at: whatever else a client sends must not open
    a door."""
    value = parameters.get(name, given.get(name) if name else None)
    if not isinstance(value, str):
        return Target()
    return Target(connection_id=value) if name == "connection_id" else Target(group_id=value)


def _without_convertors(key: str) -> str:
    return re.sub(r":\w+\}", "}", key)


def _compiled(path: str) -> re.Pattern[str]:
    """The pattern of a path. A parameter is one segment, or with `:path` any number of them."""
    position, pattern = 0, ""
    for found in _PARAMETER.finditer(path):
        pattern += re.escape(path[position : found.start()])
        pattern += f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"
        position = found.end()
    return re.compile(pattern + re.escape(path[position:]))


def _by_method() -> dict[str, list[tuple[re.Pattern[str], str]]]:
    compiled: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for key in NEEDS:
        method, path = key.split(" ", 1)
        compiled.setdefault(method, []).append((_compiled(path), key))
    return compiled


_BY_METHOD = _by_method()
