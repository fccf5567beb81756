"""The settings of an Azure Service Bus connection, and the rules that tie them together."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from syncline.connectors.azure_service_bus.connection_string import ConnectionString, parse_connection_string
from syncline.connectors.azure_service_bus.names import (
    LONGEST_SUBSCRIPTION,
    check_endpoint,
    check_host,
    check_namespace,
    check_queue,
    check_registry,
    check_schema,
    check_subscription,
    check_topic,
    check_user,
    parse_endpoint,
    registry_host,
)
from syncline.declarations import Configuration, InvalidField, MissingField, ServiceDeclaration, setting

AuthType = Literal["ConnectionString", "AzureActiveDirectory"]
SyncType = Literal["Unpacked", "Packed"]
MessageType = Literal["Avro", "Json", "Text", "Protobuf", "Xml"]
ReadMode = Literal["Browse", "Drain"]
ConnectionMethod = Literal["DIRECT", "PRIVATE_LINK", "SSH_TUNNEL"]

SUPPORTED_SYNC_TYPES: dict[str, tuple[SyncType, ...]] = {
    "Json": ("Packed", "Unpacked"),
    "Text": ("Packed",),
    "Xml": ("Packed",),
    "Avro": ("Unpacked",),
    "Protobuf": ("Unpacked",),
}
"""The sync types of each message type; the first is the default."""

_TO_ENTRA = "It is sent to Microsoft Entra alone, and is of no use without the refresh token."
_REGISTRY_TYPES = ("Avro", "Protobuf")
_DEFAULT_SUBSCRIBER_PREFIX = "fivetran_sub_"
_PUBLIC_HOST_SUFFIX = ".servicebus.windows.net"


def _check_connection_string(text: str) -> None:
    parse_connection_string(text)


class AzureServiceBusConfig(Configuration):
    """`config` of an Azure Service Bus connection."""

    schema_name: str | None = setting(
        name="schema",
        title="Destination schema",
        description="The schema that the tables are created in. It can never change.",
        mandatory=True,
        permanent=True,
        answered=False,
        example="service_bus",
        check=check_schema,
    )
    auth_type: AuthType = setting(
        title="Authentication",
        description="How to prove who we are: with a connection string, or with Microsoft Entra (Azure Active "
        "Directory).",
        default="ConnectionString",
        example="ConnectionString",
    )
    connection_string: str | None = setting(
        title="Connection string",
        description="The connection string of a shared access policy of the namespace.",
        secret=True,
        addressed_by=("asb_ip", "connection_method", "host_ip"),
        required_when={"auth_type": "ConnectionString"},
        check=_check_connection_string,
        host=lambda text: parse_connection_string(text).host,
    )
    namespace: str | None = setting(
        title="Namespace",
        description="The namespace to read from: its name, or its host name. A connection string names its own.",
        required_when={"auth_type": "AzureActiveDirectory"},
        example="my-namespace",
        check=check_namespace,
        host=str,
    )
    has_manage_permissions: bool = setting(
        title="Manage permission",
        description="Whether the credentials hold the Manage claim. With it, topics are found and subscriptions are "
        "made for you; without it, name both.",
        default=False,
        example=True,
    )
    topics: list[str] | None = setting(
        title="Topics",
        description="The topics to read. With the Manage permission it may be left out: then all are read.",
        required_when={"has_manage_permissions": False},
        unique=True,
        example=["orders", "payments"],
        check=check_topic,
    )
    subscriber_name: str | None = setting(
        title="Subscription",
        description="The subscription of each topic to read through. With the Manage permission it may be left out: "
        "then it is fivetran_sub_ and the schema's name.",
        required_when={"has_manage_permissions": False},
        example="fivetran_sub_service_bus",
        check=check_subscription,
    )
    queues: list[str] | None = setting(
        title="Queues",
        description="Queues to read beside the topics, each into a table of its own. None are read unless they are "
        "named here.",
        extension=True,
        unique=True,
        example=["invoices"],
        check=check_queue,
    )
    dead_letter_queues: bool = setting(
        title="Dead-letter queues",
        description="Whether to read the dead-letter queue of each subscription and queue as well, into a table named "
        "after the topic or queue and __dead_letter.",
        extension=True,
        default=False,
        example=True,
    )
    read_mode: ReadMode = setting(
        title="Read mode",
        description="Browse leaves messages where they are. Drain locks them, and removes them once they are in the "
        "destination.",
        extension=True,
        default="Browse",
        example="Drain",
    )
    message_type: MessageType | None = setting(
        title="Message type",
        description="The format of the messages.",
        required=True,
        example="Json",
    )
    sync_type: SyncType | None = setting(
        title="Sync type",
        description="Packed keeps a message whole in one column, Unpacked makes a column of each first-level field. "
        "Text and Xml are always Packed, Avro and Protobuf always Unpacked; Json may be either and is Packed when "
        "nothing is said.",
        example="Unpacked",
    )
    schema_registry_urls: list[str] | None = setting(
        title="Schema registry servers",
        description="The servers of the schema registry, each as server:port or as a URL.",
        required_when={"message_type": _REGISTRY_TYPES},
        unique=True,
        example=["registry.example.com:8081"],
        check=check_registry,
        host=registry_host,
    )
    schema_registry_key: str | None = setting(
        title="Schema registry key",
        description="The key (user name) for the schema registry.",
        required_when={"message_type": _REGISTRY_TYPES},
    )
    schema_registry_secret: str | None = setting(
        title="Schema registry secret",
        description="The secret that goes with the schema registry key.",
        secret=True,
        addressed_by=("schema_registry_urls",),
        required_when={"message_type": _REGISTRY_TYPES},
    )
    connection_method: ConnectionMethod = setting(
        title="Connection method",
        description="How to reach the namespace: directly, through an SSH host, or over a private link.",
        default="DIRECT",
        example="DIRECT",
    )
    host_ip: str | None = setting(
        title="SSH host",
        description="The address of the SSH host that leads to the namespace.",
        required_when={"connection_method": "SSH_TUNNEL"},
        example="203.0.113.7",
        check=check_host,
        host=str,
    )
    host_user: str | None = setting(
        title="SSH user",
        description="The user on the SSH host.",
        required_when={"connection_method": "SSH_TUNNEL"},
        example="syncline",
        check=check_user,
    )
    asb_ip: str | None = setting(
        title="Namespace address",
        description="The IP address or URL to dial instead of the namespace's host name, for example behind a "
        "gateway. TLS still expects the namespace's name, and the port is that of the connection string where this "
        "names none.",
        example="203.0.113.9",
        check=check_endpoint,
        host=lambda text: parse_endpoint(text)[0],
    )
    public_key: str | None = setting(
        title="Public key",
        description="The SSH public key of the group, for the authorized keys of the SSH host.",
        read_only=True,
    )

    def check(self, path: str) -> None:
        """Refuse combinations that can never work."""
        if self.message_type and self.sync_type and self.sync_type not in SUPPORTED_SYNC_TYPES[self.message_type]:
            supported = SUPPORTED_SYNC_TYPES[self.message_type][0]
            raise InvalidField(
                f"{path}.sync_type",
                f"does not go with message_type {self.message_type}, which can only be {supported}: "
                "send that, or leave it out",
                value=f'"{self.sync_type}"',
            )
        self._check_entities(path)

    def missing(self, *, path: str = "config", given: Mapping[str, Any] | None = None) -> list[MissingField]:
        """The needed fields that are absent. Who names queues alone needs neither topics nor a subscription."""
        found = super().missing(path=path, given=given)
        if not self.queues or self.topics:
            return found
        unneeded = {f"{path}.topics", f"{path}.subscriber_name"}
        return [field for field in found if field.field not in unneeded]

    def _check_entities(self, path: str) -> None:
        topics = {topic.casefold() for topic in self.topics or []}
        limit = self.parsed_connection_string.entity_path if self.parsed_connection_string else None
        for kind, names in (("topic", self.topics), ("queue", self.queues)):
            for index, name in enumerate(names or []):
                field = f"{path}.{kind}s[{index}]"
                if limit is not None and name.casefold() != limit.casefold():
                    raise InvalidField(
                        field,
                        f"is not the entity that the connection string is limited to by its EntityPath ({limit}): "
                        f"name that {kind} alone, or use a connection string of the namespace",
                        value=f'"{name}"',
                    )
                if kind == "queue" and name.casefold() in topics:
                    raise InvalidField(
                        field, f"stands in {path}.topics too: a name is a topic's or a queue's", value=f'"{name}"'
                    )

    def with_defaults(self, schema: str) -> Self:
        """This configuration with the subscription's name filled in, where it may be left out.

        Raises:
            InvalidField: The name made from the schema is too long for Service Bus.
        """
        if self.subscriber_name is not None or not self.has_manage_permissions:
            return self
        name = f"{_DEFAULT_SUBSCRIBER_PREFIX}{schema}"
        if len(name) > LONGEST_SUBSCRIPTION:
            raise InvalidField(
                "config.subscriber_name",
                f"is needed: the default, {name}, has {len(name)} characters, and Service Bus allows "
                f"{LONGEST_SUBSCRIPTION}; send a shorter name, or choose a schema of at most "
                f"{LONGEST_SUBSCRIPTION - len(_DEFAULT_SUBSCRIBER_PREFIX)} characters",
            )
        return self.model_copy(update={"subscriber_name": name})

    @property
    def effective_sync_type(self) -> SyncType:
        """The sync type that was set, or the default of the message type."""
        return self.sync_type or SUPPORTED_SYNC_TYPES[self.message_type or "Json"][0]

    @property
    def parsed_connection_string(self) -> ConnectionString | None:
        """The parts of the connection string; None with another kind of authentication, or without one."""
        if self.auth_type != "ConnectionString" or self.connection_string is None:
            return None
        return parse_connection_string(self.connection_string)

    @property
    def host(self) -> str:
        """The host name of the namespace; empty while it is not known."""
        if (parsed := self.parsed_connection_string) is not None:
            return parsed.host
        name = (self.namespace or "").rstrip(".")
        return name if "." in name or not name else f"{name}{_PUBLIC_HOST_SUFFIX}"


class ClientAccess(Configuration):
    """The application that is registered in Microsoft Entra."""

    client_id: str | None = setting(
        title="Client ID",
        description="The client ID of your Azure application.",
        secret=True,
        stays=_TO_ENTRA,
        required_when={"auth_type": "AzureActiveDirectory"},
    )
    client_secret: str | None = setting(
        title="Client secret",
        description="The client secret of your Azure application.",
        secret=True,
        stays=_TO_ENTRA,
        required_when={"auth_type": "AzureActiveDirectory"},
    )


class AzureServiceBusAuth(Configuration):
    """`auth` of an Azure Service Bus connection. Never answered."""

    client_access: ClientAccess | None = setting(
        title="Client access", description="The Azure application that acts for you.", secret=True
    )
    refresh_token: str | None = setting(
        title="Refresh token",
        description="A refresh token that the application was given for a person who may read the namespace.",
        secret=True,
        # It is sent to Microsoft Entra, but the tokens that it is exchanged for are sent here. Azure Schema Registry
        # gets one too, at Microsoft's own servers alone.
        addressed_by=("namespace", "asb_ip", "connection_method", "host_ip"),
        required_when={"auth_type": "AzureActiveDirectory"},
    )


DECLARATION = ServiceDeclaration(
    service="azure_service_bus",
    name="Azure Service Bus",
    description="Topics of an Azure Service Bus namespace, one table each, and queues.",
    config=AzureServiceBusConfig,
    auth=AzureServiceBusAuth,
    type="Events",
    features={
        "API_CONFIGURABLE": "Every setting can be sent.",
        "AUTHORIZATION_VIA_API": "With a connection string, or with a refresh token of Microsoft Entra.",
        "RE_SYNC": "Of the whole connection, as far back as messages are retained.",
        "DATA_BLOCKING": "Of topics and of columns.",
        "COLUMN_HASHING": "Of all columns but keys and system columns.",
    },
)
