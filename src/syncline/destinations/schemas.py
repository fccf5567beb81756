"""Request and response models of destinations."""

from typing import Any, Literal

from syncline.api.models import Clearable, RequestModel, ResponseModel

Region = Literal[
    "LOCAL",
    "GCP_US_EAST4",
    "GCP_US_WEST1",
    "GCP_US_CENTRAL1",
    "GCP_EUROPE_WEST3",
    "GCP_AUSTRALIA_SOUTHEAST1",
    "GCP_NORTHAMERICA_NORTHEAST1",
    "GCP_EUROPE_WEST2",
    "GCP_ASIA_SOUTHEAST1",
    "GCP_ASIA_SOUTHEAST2",
    "GCP_ASIA_SOUTH1",
    "GCP_ASIA_NORTHEAST1",
    "AWS_US_EAST_1",
    "AWS_US_EAST_2",
    "AWS_US_WEST_2",
    "AWS_AP_NORTHEAST_1",
    "AWS_AP_SOUTHEAST_1",
    "AWS_AP_SOUTHEAST_2",
    "AWS_EU_CENTRAL_1",
    "AWS_EU_WEST_1",
    "AWS_EU_WEST_2",
    "AWS_AP_SOUTH_1",
    "AWS_CA_CENTRAL_1",
    "AWS_US_GOV_WEST_1",
    "AZURE_EASTUS2",
    "AZURE_AUSTRALIAEAST",
    "AZURE_UKSOUTH",
    "AZURE_WESTEUROPE",
    "AZURE_CENTRALUS",
    "AZURE_CANADACENTRAL",
    "AZURE_UAENORTH",
    "AZURE_SOUTHEASTASIA",
    "AZURE_EASTUS",
    "AZURE_JAPANEAST",
    "AZURE_CENTRALINDIA",
]
"""`LOCAL` is one's own machines, where everything runs. The others are taken because clients send them."""
TimeZoneOffset = Literal[
    "-11",
    "-10",
    "-9",
    "-8",
    "-7",
    "-6",
    "-5",
    "-4",
    "-3",
    "-2",
    "-1",
    "0",
    "+1",
    "+2",
    "+3",
    "+4",
    "+5",
    "+6",
    "+7",
    "+8",
    "+9",
    "+10",
    "+11",
    "+12",
]
"""Hours from UTC of the sync schedule's midnight."""
NetworkingMethod = Literal["Directly", "PrivateLink", "SshTunnel", "ProxyAgent"]
SetupStatus = Literal["incomplete", "connected", "broken"]


class CreateDestination(RequestModel):
    """The body of a request for a new destination."""

    group_id: str
    service: str
    time_zone_offset: TimeZoneOffset
    region: Region = "LOCAL"
    config: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies defaults
    run_setup_tests: bool = True
    trust_certificates: bool = False
    trust_fingerprints: bool = False
    daylight_saving_time_enabled: bool = False
    networking_method: NetworkingMethod = "Directly"
    private_link_id: Clearable[str] = None
    proxy_agent_id: Clearable[str] = None
    hybrid_deployment_agent_id: Clearable[str] = None
    local_processing_agent_id: Clearable[str] = None
    external_secrets_manager_id: Clearable[str] = None

    def attributes(self) -> dict[str, Any]:
        """The fields that are only stored, and answered as they came."""
        return self.model_dump(include=set(ATTRIBUTES), exclude_none=True)


class UpdateDestination(RequestModel):
    """The body of a request that changes a destination: only what is in it changes."""

    region: Region | None = None
    time_zone_offset: TimeZoneOffset | None = None
    config: dict[str, Any] | None = None
    run_setup_tests: bool | None = None
    trust_certificates: bool | None = None
    trust_fingerprints: bool | None = None
    daylight_saving_time_enabled: bool | None = None
    networking_method: NetworkingMethod | None = None
    private_link_id: Clearable[str] = None
    proxy_agent_id: Clearable[str] = None
    hybrid_deployment_agent_id: Clearable[str] = None
    local_processing_agent_id: Clearable[str] = None
    external_secrets_manager_id: Clearable[str] = None

    def columns(self) -> dict[str, Any]:
        """The fields that are columns of the store, where they were sent."""
        return self.model_dump(include=set(_COLUMNS), exclude_unset=True)

    def attributes(self) -> dict[str, Any]:
        """The fields that are only stored, where they were sent."""
        return self.model_dump(include=set(ATTRIBUTES), exclude_unset=True)


class TestDestination(RequestModel):
    """The body of a request for setup tests. Nothing of it is stored: it counts for these tests alone."""

    __test__ = False

    trust_certificates: bool | None = None
    trust_fingerprints: bool | None = None


IDENTIFIERS = (
    "private_link_id",
    "proxy_agent_id",
    "hybrid_deployment_agent_id",
    "local_processing_agent_id",
    "external_secrets_manager_id",
)
ATTRIBUTES = ("trust_certificates", "trust_fingerprints", *IDENTIFIERS)
_COLUMNS = ("region", "time_zone_offset", "daylight_saving_time_enabled", "networking_method")


class SetupTest(ResponseModel):
    """The outcome of one setup test."""

    title: str
    status: str
    message: str
    details: str = ""


class ListedDestination(ResponseModel):
    """A destination, as lists answer it."""

    id: str
    group_id: str
    service: str
    region: str
    time_zone_offset: str
    setup_status: SetupStatus
    daylight_saving_time_enabled: bool
    networking_method: str
    trust_certificates: bool
    trust_fingerprints: bool
    private_link_id: str | None = None
    proxy_agent_id: str | None = None
    hybrid_deployment_agent_id: str | None = None
    local_processing_agent_id: str | None = None
    external_secrets_manager_id: str | None = None


class DestinationResponse(ListedDestination):
    """A destination, as answered. Secrets of the config are ``******``."""

    setup_tests: list[SetupTest]
    config: dict[str, Any]
