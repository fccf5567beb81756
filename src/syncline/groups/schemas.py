"""Request and response models of groups."""

from typing import Annotated

from pydantic import AfterValidator, Field

from syncline.api.models import RequestModel, ResponseModel, Timestamp
from syncline.store.models import Group


def _check_name(name: str) -> str:
    if not name.strip():
        raise ValueError("is empty: give the group a name")
    if name != name.strip():
        raise ValueError("begins or ends with white space: remove it")
    if not name.isprintable():
        raise ValueError("holds a character that cannot be printed: remove it")
    return name


GroupName = Annotated[
    str, Field(max_length=200, json_schema_extra={"pattern": r"^\S(.*\S)?$"}), AfterValidator(_check_name)
]


class CreateGroup(RequestModel):
    """The body of a request for a new group."""

    name: GroupName


class UpdateGroup(RequestModel):
    """The body of a request that changes a group. What is absent stays."""

    name: GroupName | None = None


class GroupResponse(ResponseModel):
    """A group, as answered."""

    id: str
    name: str
    created_at: Timestamp

    @classmethod
    def of(cls, group: Group) -> "GroupResponse":
        """Answer a group of the store."""
        return cls(id=group.id, name=group.name, created_at=group.created_at)


class PublicKeyResponse(ResponseModel):
    """A group's SSH public key, for the `authorized_keys` of a tunnel's host."""

    public_key: str


class ServiceAccountResponse(ResponseModel):
    """The cloud service account that acts for a group; null, for a server of your own has none."""

    service_account: str | None
