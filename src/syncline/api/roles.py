"""The roles that users can have, and what each may do. Whatever a role decides is decided by this table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal


class Resource(StrEnum):
    """A kind of thing that permissions are given for."""

    ACCOUNT = "ACCOUNT"
    """The account itself and its system keys."""
    USER = "USER"
    TEAM = "TEAM"
    ROLES = "ROLES"
    WEBHOOK = "WEBHOOK"
    DESTINATION = "DESTINATION"
    """Groups, their users and their destinations."""
    CONNECTOR = "CONNECTOR"
    """Connections."""
    TRANSFORMATION = "TRANSFORMATION"
    REMOTE_EXECUTION_AGENT = "REMOTE_EXECUTION_AGENT"


class Level(IntEnum):
    """How much may be done with a kind of thing. Each level includes those below it."""

    NONE = 0
    READ = 1
    CREATE = 2
    """Read, and make new ones."""
    EDIT = 3
    """Make new ones and change any."""
    MANAGE = 4
    """Everything: delete too, and say who else may do what."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role: in the whole account, or in a group."""

    name: str
    scope: Literal["ACCOUNT", "DESTINATION"]
    """The whole account, or a group."""
    description: str
    levels: Mapping[Resource, Level]
    """What the role allows; nothing for a resource that is not named."""
    replaced_by: str = ""
    """For an older name that clients still send: the present one."""


ADMINISTRATOR = "Account Administrator"

_ACCOUNT_ROLES = (
    Role(
        ADMINISTRATOR,
        "ACCOUNT",
        "Does everything in the account: users, keys, groups, destinations and connections.",
        dict.fromkeys(Resource, Level.MANAGE),
    ),
    Role(
        "Account Analyst",
        "ACCOUNT",
        "Does everything with groups, destinations and connections, and sees the account and its users.",
        {
            **dict.fromkeys(Resource, Level.READ),
            Resource.DESTINATION: Level.MANAGE,
            Resource.CONNECTOR: Level.MANAGE,
            Resource.TRANSFORMATION: Level.MANAGE,
        },
    ),
    Role("Account Reviewer", "ACCOUNT", "Sees everything and changes nothing.", dict.fromkeys(Resource, Level.READ)),
)
_GROUP_ROLES = (
    Role(
        "Manage Destination",
        "DESTINATION",
        "Does everything with one group: its users, its destination and its connections.",
        {Resource.DESTINATION: Level.MANAGE, Resource.CONNECTOR: Level.MANAGE},
    ),
    Role(
        "Edit Destination",
        "DESTINATION",
        "Changes the destination of one group and does everything with the group's connections.",
        {Resource.DESTINATION: Level.EDIT, Resource.CONNECTOR: Level.MANAGE},
    ),
    Role(
        "View Destination",
        "DESTINATION",
        "Sees one group, its destination and its connections.",
        {Resource.DESTINATION: Level.READ, Resource.CONNECTOR: Level.READ},
    ),
    Role(
        "Create Connection",
        "DESTINATION",
        "Sees one group and creates connections in it.",
        {Resource.DESTINATION: Level.READ, Resource.CONNECTOR: Level.CREATE},
    ),
)
_OLDER_GROUP_ROLES = {
    "Destination Administrator": "Manage Destination",
    "Destination Analyst": "Edit Destination",
    "Destination Reviewer": "View Destination",
    "Connector Creator": "Create Connection",
}


def _named(roles: tuple[Role, ...]) -> dict[str, Role]:
    return {role.name: role for role in roles}


ACCOUNT_ROLES: Mapping[str, Role] = _named(_ACCOUNT_ROLES)
"""Roles in the whole account, by name."""
GROUP_ROLES: Mapping[str, Role] = _named(_GROUP_ROLES) | {
    older: Role(older, "DESTINATION", f"The older name of {present}.", _named(_GROUP_ROLES)[present].levels, present)
    for older, present in _OLDER_GROUP_ROLES.items()
}
"""Roles in a group, by name; older names too."""
CREATOR = "Manage Destination"
"""The role that whoever makes a group has in it."""
NO_ROLE = Role("", "ACCOUNT", "Allows nothing.", {})
"""What stands for the role of a user who has none in the account."""
