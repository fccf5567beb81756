"""Fields that clients of the hosted API know and that cannot be in force here: a value is refused, and why."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from syncline.api.models import Clearable, RequestModel


def _no_secrets_manager(_value: object) -> object:
    raise ValueError("cannot be used: there are no external secrets managers here. Send secrets in `config` and `auth`")


def _no_virtual_warehouse(_value: object) -> object:
    raise ValueError(
        "cannot be used: all connections of a group load with the settings of its destination. Set the virtual "
        "warehouse in the destination's `config`"
    )


class DestinationConfiguration(RequestModel):
    """What the destination would do otherwise for this connection alone."""

    virtual_warehouse: Clearable[Annotated[str, AfterValidator(_no_virtual_warehouse)]] = Field(
        default=None, description="Refused, with what to do instead."
    )


class UnavailableFields(RequestModel):
    """The fields of a connection that only null, or nothing, may stand in."""

    destination_configuration: DestinationConfiguration | None = Field(
        default=None, description="Nothing can be set in it: the destination's own settings count."
    )
    external_secrets_manager_id: Clearable[Annotated[str, AfterValidator(_no_secrets_manager)]] = Field(
        default=None, description="Refused: there are no external secrets managers."
    )
    external_secrets_keys_config: Annotated[dict[str, Any], AfterValidator(_no_secrets_manager)] | None = Field(
        default=None, description="Refused: there are no external secrets managers."
    )
