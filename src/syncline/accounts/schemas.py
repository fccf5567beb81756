"""Request and response models of the account, its users, roles and system keys."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema

from syncline.api.models import Clearable, RequestModel, ResponseModel, Timestamp
from syncline.api.roles import ACCOUNT_ROLES, GROUP_ROLES, Level, Resource, Role
from syncline.store.models import ApiKey, GroupUser, User

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PICTURE = re.compile(r"https?://\S+|data:image/[a-z.+-]+;base64,[A-Za-z0-9+/]+=*")


_NOT_BLANK: dict[str, JsonValue] = {"pattern": r"\S"}
_URI: dict[str, JsonValue] = {"format": "uri"}


def _check_email(text: str) -> str:
    if not _EMAIL.fullmatch(text) or not text.isprintable():
        raise ValueError("is not an e-mail address: send one such as person@example.com")
    return text


def _check_printable(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty: leave it out or give it a value")
    if not text.isprintable():
        raise ValueError("holds a character that cannot be printed: remove it")
    return text


def _check_picture(text: str) -> str:
    if not _PICTURE.fullmatch(text):
        raise ValueError("is not a picture: send an http or https URL, or a data URI such as data:image/png;base64,...")
    return text


def _check_account_role(name: str) -> str:
    if name not in ACCOUNT_ROLES:
        raise ValueError(f"is not a role in the account: use one of {', '.join(ACCOUNT_ROLES)}")
    return name


def _check_group_role(name: str) -> str:
    if name not in GROUP_ROLES:
        present = [role.name for role in GROUP_ROLES.values() if not role.replaced_by]
        raise ValueError(f"is not a role in a group: use one of {', '.join(present)}")
    return name


Email = Annotated[str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(_check_email)]
Name = Annotated[str, Field(max_length=200, json_schema_extra=_NOT_BLANK), AfterValidator(_check_printable)]
Phone = Annotated[str, Field(max_length=40, json_schema_extra=_NOT_BLANK), AfterValidator(_check_printable)]
Picture = Annotated[str, Field(max_length=100_000, json_schema_extra=_URI), AfterValidator(_check_picture)]
AccountRole = Annotated[
    str, AfterValidator(_check_account_role), WithJsonSchema({"type": "string", "enum": list(ACCOUNT_ROLES)})
]
GroupRole = Annotated[
    str, AfterValidator(_check_group_role), WithJsonSchema({"type": "string", "enum": list(GROUP_ROLES)})
]


class AccountInfoResponse(ResponseModel):
    """Whom an API key stands for."""

    account_id: str
    account_name: str
    user_id: str | None = None
    """The user of the key; absent for a system key."""
    system_key_id: str | None = None
    """The system key; absent for the key of a user."""


class InviteUser(RequestModel):
    """The body of a request that invites a user."""

    email: Email
    given_name: Name
    family_name: Name
    phone: Clearable[Phone] = None
    picture: Clearable[Picture] = None
    role: AccountRole | None = None
    """Without a role in the account, the user may do what roles in groups allow."""


class UpdateUser(RequestModel):
    """The body of a request that changes a user. What is absent stays; an empty phone or picture goes."""

    given_name: Name = Field(default_factory=str)
    family_name: Name = Field(default_factory=str)
    phone: Clearable[Phone] = None
    picture: Clearable[Picture] = None
    role: AccountRole = Field(default_factory=str)


class UserResponse(ResponseModel):
    """A user, as answered."""

    id: str
    email: str
    given_name: str
    family_name: str
    verified: bool
    invited: bool
    picture: str | None
    phone: str | None
    role: str | None
    """The role in the account or, in the list of a group's users, in the group."""
    active: bool
    logged_in_at: Timestamp | None
    """Null: nobody signs in to this server, keys act for people."""
    created_at: Timestamp

    @classmethod
    def of(cls, user: User, role: str | None = None) -> "UserResponse":
        """Answer a user of the store, with the role in a group when there is one to show."""
        return cls(
            id=user.id,
            email=user.email,
            given_name=user.given_name,
            family_name=user.family_name,
            verified=not user.invited,
            invited=user.invited,
            picture=user.picture,
            phone=user.phone,
            role=role or user.role or None,
            active=True,
            logged_in_at=None,
            created_at=user.created_at,
        )


class AddGroupUser(RequestModel):
    """The body of a request that adds a user to a group."""

    email: Email
    role: GroupRole = "View Destination"


class AddMembership(RequestModel):
    """The body of a request that adds a user to the group `id`."""

    id: Annotated[str, Field(min_length=1, max_length=100)]
    role: GroupRole


class UpdateMembership(RequestModel):
    """The body of a request that changes a user's role in a group. What is absent stays."""

    role: GroupRole | None = None


class MembershipResponse(ResponseModel):
    """A user's role in a group, whose identifier is `id`."""

    id: str
    role: str
    created_at: Timestamp

    @classmethod
    def of(cls, member: GroupUser) -> "MembershipResponse":
        """Answer a membership of the store."""
        return cls(id=member.group_id, role=member.role, created_at=member.created_at)


class RoleResponse(ResponseModel):
    """A role, as answered."""

    name: str
    description: str
    scope: list[Literal["ACCOUNT", "DESTINATION"]]
    is_custom: bool
    is_deprecated: bool
    replacement_role_name: str | None

    @classmethod
    def of(cls, role: Role) -> "RoleResponse":
        """Answer a role."""
        return cls(
            name=role.name,
            description=role.description,
            scope=[role.scope],
            is_custom=False,
            is_deprecated=bool(role.replaced_by),
            replacement_role_name=role.replaced_by or None,
        )


ExpirationPeriod = Literal["ONE_WEEK", "ONE_MONTH", "THREE_MONTHS", "SIX_MONTHS", "INFINITE"]
ResourceType = Literal[
    "ACCOUNT",
    "USER",
    "WEBHOOK",
    "TEAM",
    "ROLES",
    "DESTINATION",
    "TRANSFORMATION",
    "REMOTE_EXECUTION_AGENT",
    "CONNECTOR",
]
Identifier = Annotated[str, Field(min_length=1, max_length=100)]


class ResourceFilter(RequestModel):
    """The things that a permission is limited to: themselves, or all of some groups."""

    ids: list[Identifier] | None = Field(default=None, max_length=1000)
    group_ids: list[Identifier] | None = Field(default=None, max_length=1000)


class Permission(RequestModel):
    """What a system key may do with a kind of thing."""

    resource_type: ResourceType
    access_level: Literal["NONE", "READ", "MANAGE"]
    resource_filter: ResourceFilter | None = None

    def levels(self) -> dict[Resource, Level]:
        """What the permission allows, whatever it is limited to."""
        return {Resource(self.resource_type): Level[self.access_level]}


Permissions = Annotated[list[Permission], Field(min_length=1, max_length=1000)]


class CreateSystemKey(RequestModel):
    """The body of a request for a system key."""

    name: Name
    permissions: Permissions
    expiration_period: ExpirationPeriod = "SIX_MONTHS"


class UpdateSystemKey(RequestModel):
    """The body of a request that changes a system key. What is absent stays."""

    name: Name | None = None
    permissions: Permissions | None = None


class RotateSystemKey(RequestModel):
    """The body of a request for a new secret."""

    expiration_period: ExpirationPeriod | None = None
    """Absent: six months, or never again for a key that does not expire."""


class PermissionResponse(ResponseModel):
    """A permission of a system key, as answered."""

    resource_type: ResourceType
    access_level: Literal["NONE", "READ", "MANAGE"]
    resource_filter: dict[str, list[str]] | None = None


class SystemKeyResponse(ResponseModel):
    """A system key, as answered."""

    id: str
    name: str
    key: str
    secret: str | None = None
    """Only in the answer to its creation and rotation."""
    permissions: list[PermissionResponse]
    created_at: Timestamp
    updated_at: Timestamp | None = None
    expired_at: Timestamp | None = None
    """When it stops working; absent for a key that does not expire."""

    @classmethod
    def of(cls, key: ApiKey, secret: str | None = None) -> "SystemKeyResponse":
        """Answer a system key of the store."""
        return cls(
            id=key.system_key_id or "",
            name=key.name,
            key=key.key,
            secret=secret,
            permissions=[PermissionResponse(**permission) for permission in key.permissions or []],
            created_at=key.created_at,
            updated_at=key.updated_at,
            expired_at=key.expires_at,
        )
