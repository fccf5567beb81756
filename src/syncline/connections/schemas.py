"""Request and response bodies of connections."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
)

from syncline.api.models import Clearable, RequestModel, ResponseModel, Timestamp
from syncline.connections.scheduling import SCHEDULING, ScheduleRequest, scheduling
from syncline.connections.unavailable import UnavailableFields
from syncline.engine.schedule import SYNC_FREQUENCIES

SchemaStatus = Literal["ready", "blocked_on_capture"]
ScheduleType = Literal["auto", "manual"]
DestinationSchemaNames = Literal["FIVETRAN_NAMING", "SOURCE_NAMING"]
NetworkingMethod = Literal["Directly", "PrivateLink", "SshTunnel", "ProxyAgent"]

MOST_MINUTES = 525_600
"""A year: no threshold is longer."""

_SCHEDULE = "When the connection syncs, in place of sync_frequency and daily_sync_time."
_ABSENT_WHEN_EMPTY = ("daily_sync_time", "schedule", "connect_card", "connect_card_config", "destination_schema_names")


def _daily_sync_time(text: str) -> str:
    hour, colon, minutes = text.partition(":")
    if not (colon and minutes == "00" and len(hour) == 2 and hour.isascii() and hour.isdigit() and int(hour) < 24):
        raise ValueError("must be a full hour from 00:00 to 23:00")
    return text


def _redirect_uri(text: str) -> str:
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("must be a URI that starts with https:// or http://, such as https://your.site/path")
    if not text.isprintable() or " " in text:
        raise ValueError("must not hold spaces or control characters: percent-encode them")
    return text


def _identifier(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty: leave it out or give it a value")
    return text


def _sync_frequency(minutes: int) -> int:
    if minutes not in SYNC_FREQUENCIES:
        raise ValueError(f"must be one of {', '.join(map(str, SYNC_FREQUENCIES))} (minutes)")
    return minutes


SyncFrequency = Annotated[  # not a Literal, to which true is 1
    int,
    AfterValidator(_sync_frequency),
    WithJsonSchema({"type": "integer", "enum": list(SYNC_FREQUENCIES)}),
]
DataDelaySensitivity = Annotated[
    Literal["LOW", "NORMAL", "HIGH", "CUSTOM", "SYNC_FREQUENCY"],
    # The Terraform provider sends "" to get the default back.
    BeforeValidator(lambda value: "NORMAL" if value == "" else value),
]
DailySyncTime = Annotated[str, AfterValidator(_daily_sync_time)]
Identifier = Annotated[str, StringConstraints(max_length=255), AfterValidator(_identifier)]


class ConnectCardConfig(RequestModel):
    """How the Connect Card of a connection behaves."""

    redirect_uri: Annotated[str, StringConstraints(max_length=2048), AfterValidator(_redirect_uri)] = Field(
        description="Where the person is sent after the setup. Starts with https or http.",
        examples=["https://your.site/path"],
    )
    hide_setup_guide: bool = Field(default=False, description="Whether the card shows no setup guide.")
    all_fields: bool | None = Field(
        default=None, description="Whether the card shows the fields too that it hides otherwise."
    )


class CreateConnectionRequest(UnavailableFields):
    """A new connection."""

    group_id: Identifier = Field(description="The group that the connection belongs to.")
    service: Identifier = Field(description="The kind of source.", examples=["azure_service_bus"])
    trust_certificates: bool = Field(default=False, description="Whether certificates are trusted unseen.")
    trust_fingerprints: bool = Field(default=False, description="Whether SSH host keys are trusted unseen.")
    run_setup_tests: bool = Field(default=True, description="Whether the setup tests run now.")
    paused: bool = Field(default=False, description="Whether the connection syncs nothing until it is resumed.")
    pause_after_trial: bool = Field(
        default=False, description="Whether the connection is paused at the end of its trial."
    )
    sync_frequency: SyncFrequency = Field(default=360, description="Minutes between two syncs.")
    data_delay_sensitivity: DataDelaySensitivity = Field(
        default="NORMAL", description="How long after a missed sync the data count as delayed."
    )
    data_delay_threshold: Annotated[int, Field(ge=0, le=MOST_MINUTES)] = Field(
        default=0, description="That time in minutes, when the sensitivity is CUSTOM."
    )
    daily_sync_time: Clearable[DailySyncTime] = Field(
        default=None,
        description="The hour of the daily sync, 00:00 to 23:00; counts when sync_frequency is 1440.",
        examples=["14:00"],
    )
    schedule_type: ScheduleType = Field(default="auto", description="With manual, nothing but a request starts a sync.")
    schedule: Clearable[ScheduleRequest] = Field(default=None, description=_SCHEDULE)
    local_processing_agent_id: Clearable[Identifier] = Field(
        default=None, description="The former name of hybrid_deployment_agent_id.", deprecated=True
    )
    hybrid_deployment_agent_id: Clearable[Identifier] = Field(
        default=None, description="The agent that syncs on another machine."
    )
    connect_card_config: ConnectCardConfig | None = Field(
        default=None, description="Ask for a Connect Card, a page where another person completes the setup."
    )
    proxy_agent_id: Clearable[Identifier] = Field(default=None, description="The proxy agent to connect through.")
    private_link_id: Clearable[Identifier] = Field(default=None, description="The private link to connect through.")
    networking_method: NetworkingMethod = Field(default="Directly", description="How the source is reached.")
    destination_schema_names: DestinationSchemaNames | None = Field(
        default=None,
        description="How the names of tables and columns are made: FIVETRAN_NAMING, the default, makes lower snake "
        "case; SOURCE_NAMING keeps the source's names. It can never change.",
    )
    config: dict[str, Any] = Field(description="The settings of the source, and `schema`: the destination schema.")
    auth: dict[str, Any] | None = Field(default=None, description="Credentials of the source. Never answered.")


_NOT_COLUMNS = frozenset(
    {"config", "auth", "run_setup_tests", "is_historical_sync", "schema_status", *UnavailableFields.model_fields}
)


class UpdateConnectionRequest(UnavailableFields):
    """What changes about a connection. What is not named stays as it is."""

    trust_certificates: bool | None = Field(default=None, description="Whether certificates are trusted unseen.")
    trust_fingerprints: bool | None = Field(default=None, description="Whether SSH host keys are trusted unseen.")
    run_setup_tests: bool | None = Field(
        default=None, description="Whether the setup tests run now. When absent, they do if the setup changes."
    )
    paused: bool | None = Field(default=None, description="Whether the connection syncs nothing until it is resumed.")
    pause_after_trial: bool | None = Field(
        default=None, description="Whether the connection is paused at the end of its trial."
    )
    sync_frequency: SyncFrequency | None = Field(default=None, description="Minutes between two syncs.")
    data_delay_sensitivity: DataDelaySensitivity | None = Field(
        default=None, description="How long after a missed sync the data count as delayed."
    )
    data_delay_threshold: Annotated[int, Field(ge=0, le=MOST_MINUTES)] | None = Field(
        default=None, description="That time in minutes, when the sensitivity is CUSTOM."
    )
    daily_sync_time: Clearable[DailySyncTime] = Field(
        default=None,
        description="The hour of the daily sync, 00:00 to 23:00; counts when sync_frequency is 1440.",
        examples=["14:00"],
    )
    schedule_type: ScheduleType | None = Field(
        default=None, description="With manual, nothing but a request starts a sync."
    )
    schedule: Clearable[ScheduleRequest] = Field(default=None, description=_SCHEDULE)
    schema_status: SchemaStatus | None = Field(
        default=None, description="Only what it is already: it follows from the setup tests."
    )
    is_historical_sync: bool | None = Field(
        default=None, description="True starts a sync now that reads everything again; false changes nothing."
    )
    local_processing_agent_id: Clearable[Identifier] = Field(
        default=None, description="The former name of hybrid_deployment_agent_id.", deprecated=True
    )
    hybrid_deployment_agent_id: Clearable[Identifier] = Field(
        default=None, description="The agent that syncs on another machine."
    )
    proxy_agent_id: Clearable[Identifier] = Field(default=None, description="The proxy agent to connect through.")
    private_link_id: Clearable[Identifier] = Field(default=None, description="The private link to connect through.")
    networking_method: NetworkingMethod | None = Field(default=None, description="How the source is reached.")
    config: dict[str, Any] | None = Field(
        default=None, description="Settings of the source. Those that are absent stay, null removes one."
    )
    auth: dict[str, Any] | None = Field(default=None, description="Credentials of the source, in the same way.")

    def columns(self) -> dict[str, Any]:
        """The fields that are columns of the store, where they were sent.

        Raises:
            InvalidField: `schedule` lacks something, or says another thing than `schedule_type`.
        """
        sent = self.model_dump(exclude={*_NOT_COLUMNS, *SCHEDULING}, exclude_unset=True)
        return sent | scheduling(self)


class ResyncRequest(RequestModel):
    """Ask for everything, or for some tables, to be read again from the beginning."""

    scope: dict[str, list[str]] | None = Field(
        default=None,
        description="The tables to re-sync by the schema that they are in; everything when absent.",
        examples=[{"bus": ["orders"]}],
    )


class StateRequest(RequestModel):
    """How far streams have been read."""

    state: dict[str, dict[str, Any] | None] = Field(
        description="Positions by stream. Those that are absent stay; null has a stream read from its beginning.",
        examples=[{"orders": {"sequence_number": 1200, "enqueued_time": "2024-12-01T15:43:29Z"}}],
    )


class StateResponse(ResponseModel):
    """How far each stream has been read. One that is absent is read from its beginning."""

    state: dict[str, dict[str, Any]]


class ConnectCardRequest(RequestModel):
    """Ask for a Connect Card."""

    connect_card_config: ConnectCardConfig


class SyncRequest(RequestModel):
    """Ask for a sync."""

    force: bool = Field(default=False, description="Whether a sync that is running is stopped and begun anew.")


class TestRequest(RequestModel):
    """Ask for the setup tests."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    trust_certificates: bool | None = Field(default=None, description="Whether certificates are trusted unseen.")
    trust_fingerprints: bool | None = Field(default=None, description="Whether SSH host keys are trusted unseen.")


class SetupTest(ResponseModel):
    """The outcome of one setup test."""

    title: str
    status: str
    message: str
    details: str | dict[str, Any] = ""


class Alert(ResponseModel):
    """A task or a warning."""

    code: str
    message: str
    details: str = ""


class ConnectionStatus(ResponseModel):
    """How a connection fares."""

    tasks: list[Alert]
    warnings: list[Alert]
    schema_status: SchemaStatus
    update_state: Literal["on_schedule", "delayed"]
    setup_state: Literal["incomplete", "connected", "broken"]
    sync_state: Literal["scheduled", "syncing", "paused", "rescheduled"]
    is_historical_sync: bool
    rescheduled_for: Timestamp | None


class ConnectCard(ResponseModel):
    """A link that lets another person complete the setup, for one day."""

    token: str
    uri: str


class ConnectCardConfigResponse(ResponseModel):
    """The Connect Card's settings, as they were sent."""

    redirect_uri: str
    hide_setup_guide: bool
    all_fields: bool | None = None

    @model_serializer(mode="wrap")
    def _without_what_was_not_sent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        if self.all_fields is None:
            values.pop("all_fields", None)
        return values


class ConnectCardResponse(ResponseModel):
    """A Connect Card and the connection that it is for."""

    connector_id: str
    connect_card: ConnectCard
    connect_card_config: ConnectCardConfigResponse


class SyncDetails(ResponseModel):
    """The latest sync."""

    run_id: str
    state: str
    trigger: str
    queued_at: Timestamp
    started_at: Timestamp | None
    ended_at: Timestamp | None
    rows: int
    bytes: int
    batches: int
    rejected: int
    error: str | None


class ConnectionResponse(ResponseModel):
    """A connection. `daily_sync_time`, `schedule`, `connect_card`, `connect_card_config` and `destination_schema_names`
    are absent where they do not apply or were not sent."""

    id: str
    service: str
    schema_name: str = Field(serialization_alias="schema")
    paused: bool
    status: ConnectionStatus
    daily_sync_time: str | None = None
    succeeded_at: Timestamp | None
    sync_frequency: int
    group_id: str
    connected_by: str
    setup_tests: list[SetupTest]
    source_sync_details: SyncDetails | dict[str, Any]
    service_version: int
    created_at: Timestamp
    failed_at: Timestamp | None
    private_link_id: str | None
    proxy_agent_id: str | None
    networking_method: str
    connect_card: ConnectCard | None = None
    pause_after_trial: bool
    data_delay_threshold: int
    data_delay_sensitivity: str
    schedule_type: str
    schedule: dict[str, Any] | None = None
    local_processing_agent_id: str | None
    connect_card_config: ConnectCardConfigResponse | None = None
    hybrid_deployment_agent_id: str | None
    destination_schema_names: str | None = None
    config: dict[str, Any]

    @model_serializer(mode="wrap")
    def _without_what_does_not_apply(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        for name in _ABSENT_WHEN_EMPTY:
            if values.get(name) is None:
                values.pop(name, None)
        return values
