"""The administration API as the official Python SDK uses it, unmodified, over HTTPS."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.management import (
    AccessRights,
    AuthorizationRule,
    CorrelationRuleFilter,
    EntityStatus,
    FalseRuleFilter,
    ServiceBusAdministrationClient,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from syncline.emulator.namespace import Namespace
from tests.emulator.administration_server import READER, AdministrationServer, serve_administration

UNBOUNDED = timedelta(days=10675199, hours=2, minutes=48, seconds=5, microseconds=477581)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdministrationServer]:
    folder: Path = tmp_path_factory.mktemp("administration")
    with serve_administration(folder) as running:
        yield running


@pytest.fixture
def server(running: AdministrationServer) -> Iterator[AdministrationServer]:
    """The running server, with an empty namespace again at the end."""
    yield running
    running.emulator.call(empty)


def empty(namespace: Namespace) -> None:
    for queue in namespace.queues():
        namespace.delete_queue(queue.name)
    for topic in namespace.topics():
        namespace.delete_topic(topic.name)


def client_of(server: AdministrationServer, **changes: object) -> ServiceBusAdministrationClient:
    return ServiceBusAdministrationClient.from_connection_string(
        server.connection_string(),
        **{"connection_verify": str(server.authority_file), "retry_total": 0, **changes},
    )


@pytest.fixture
def client(server: AdministrationServer) -> Iterator[ServiceBusAdministrationClient]:
    with client_of(server) as client:
        yield client


QUEUE = {
    "auto_delete_on_idle": timedelta(minutes=6),
    "dead_lettering_on_message_expiration": True,
    "default_message_time_to_live": timedelta(days=7),
    "duplicate_detection_history_time_window": timedelta(minutes=5),
    "enable_batched_operations": False,
    "enable_express": True,
    "enable_partitioning": True,
    "lock_duration": timedelta(seconds=13),
    "max_delivery_count": 14,
    "max_size_in_megabytes": 3072,
    "requires_duplicate_detection": True,
    "requires_session": True,
    "user_metadata": 'what <it> is & "why" – ünï',
    "max_message_size_in_kilobytes": 2048,
}


def test_every_property_of_a_queue_comes_back(client: ServiceBusAdministrationClient) -> None:
    created = client.create_queue("orders", **QUEUE)
    fetched = client.get_queue("orders")
    (listed,) = client.list_queues()
    for queue in (created, fetched, listed):
        assert queue.name == "orders"
        assert {name: queue[name] for name in QUEUE} == QUEUE
        assert queue.status == EntityStatus.ACTIVE
        assert queue.availability_status == "Available"
        assert not queue.authorization_rules


def test_a_queue_starts_with_the_defaults_of_the_service(client: ServiceBusAdministrationClient) -> None:
    queue = client.create_queue("orders")
    assert queue.lock_duration == timedelta(minutes=1)
    assert queue.max_delivery_count == 10
    assert queue.max_size_in_megabytes == 1024
    assert queue.default_message_time_to_live == queue.auto_delete_on_idle == UNBOUNDED
    assert queue.duplicate_detection_history_time_window == timedelta(minutes=10)
    assert queue.requires_session is False
    assert queue.forward_to is None


def test_forwarding_comes_back_as_an_address(
    server: AdministrationServer, client: ServiceBusAdministrationClient
) -> None:
    client.create_queue("target")
    queue = client.create_queue("source", forward_to="target", forward_dead_lettered_messages_to="target")
    assert queue.forward_to == queue.forward_dead_lettered_messages_to == f"sb://127.0.0.1:{server.tls_port}/target"
    assert server.emulator.call(lambda namespace: namespace.get_queue("source").forward_to) == "target"


def test_authorization_rules_come_back(client: ServiceBusAdministrationClient) -> None:
    rule = AuthorizationRule(
        type="SharedAccessAuthorizationRule",
        claim_type="SharedAccessKey",
        claim_value="None",
        rights=[AccessRights.LISTEN, AccessRights.SEND],
        created_at_utc=datetime(2026, 1, 1, tzinfo=UTC),
        modified_at_utc=datetime(2026, 1, 1, tzinfo=UTC),
        key_name="worker",
        primary_key="first",
        secondary_key="second",
    )
    for entity in (
        client.create_queue("queue", authorization_rules=[rule]),
        client.create_topic("topic", authorization_rules=[rule]),
    ):
        (found,) = entity.authorization_rules
        assert (found.key_name, found.primary_key, found.secondary_key) == ("worker", "first", "second")
        assert found.rights == [AccessRights.LISTEN, AccessRights.SEND]
        assert found.claim_type == "SharedAccessKey"
        assert found.created_at_utc == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_queue_is_updated(client: ServiceBusAdministrationClient) -> None:
    queue = client.create_queue("orders", max_delivery_count=3, requires_session=True)
    queue.max_delivery_count = 5
    queue.status = EntityStatus.SEND_DISABLED
    client.update_queue(queue, lock_duration=timedelta(seconds=30))
    found = client.get_queue("orders")
    assert found.max_delivery_count == 5
    assert found.status == EntityStatus.SEND_DISABLED
    assert found.lock_duration == timedelta(seconds=30)
    assert found.requires_session
    assert found.default_message_time_to_live == UNBOUNDED
    queue.requires_session = False
    with pytest.raises(HttpResponseError, match="RequiresSession cannot change"):
        client.update_queue(queue)


def test_runtime_properties_of_a_queue(client: ServiceBusAdministrationClient) -> None:
    before = datetime.now(UTC)
    client.create_queue("orders")
    found = client.get_queue_runtime_properties("orders")
    assert found.name == "orders"
    assert found.size_in_bytes == found.total_message_count == found.active_message_count == 0
    assert found.dead_letter_message_count == found.scheduled_message_count == 0
    assert found.transfer_message_count == found.transfer_dead_letter_message_count == 0
    for moment in (found.created_at_utc, found.updated_at_utc, found.accessed_at_utc):
        assert moment is not None
        assert abs(moment - before) < timedelta(seconds=30)
    assert [queue.name for queue in client.list_queues_runtime_properties()] == ["orders"]


def test_runtime_counts_follow_the_messages(
    server: AdministrationServer, client: ServiceBusAdministrationClient
) -> None:
    client.create_topic("orders")
    client.create_subscription("orders", "all")
    with (
        ServiceBusClient.from_connection_string(server.emulator.connection_string()) as messaging,
        messaging.get_topic_sender("orders") as sender,
        messaging.get_subscription_receiver("orders", "all", max_wait_time=5) as receiver,
    ):
        sender.send_messages([ServiceBusMessage("x" * 100) for _ in range(5)])
        sender.schedule_messages(ServiceBusMessage("later"), datetime.now(UTC) + timedelta(hours=1))
        receiver.dead_letter_message(receiver.receive_messages()[0], reason="wrong")
    counts = client.get_subscription_runtime_properties("orders", "all")
    assert counts.active_message_count == 4
    assert counts.dead_letter_message_count == 1
    assert counts.total_message_count == 5
    topic = client.get_topic_runtime_properties("orders")
    assert topic.size_in_bytes > 500
    assert topic.scheduled_message_count == 1


TOPIC = {
    "default_message_time_to_live": timedelta(minutes=11),
    "max_size_in_megabytes": 2048,
    "requires_duplicate_detection": True,
    "duplicate_detection_history_time_window": timedelta(minutes=12),
    "enable_batched_operations": False,
    "support_ordering": False,
    "auto_delete_on_idle": timedelta(minutes=10),
    "enable_partitioning": True,
    "enable_express": True,
    "user_metadata": "metadata",
    "max_message_size_in_kilobytes": 1024,
}


def test_every_property_of_a_topic_comes_back(client: ServiceBusAdministrationClient) -> None:
    created = client.create_topic("events/orders", **TOPIC)
    fetched = client.get_topic("events/orders")
    (listed,) = client.list_topics()
    for topic in (created, fetched, listed):
        assert topic.name == "events/orders"
        assert {name: topic[name] for name in TOPIC} == TOPIC
        assert topic.status == EntityStatus.ACTIVE


def test_a_topic_is_updated_and_counted(client: ServiceBusAdministrationClient) -> None:
    topic = client.create_topic("orders")
    client.update_topic(topic, user_metadata="changed", status=EntityStatus.DISABLED)
    found = client.get_topic("orders")
    assert found.user_metadata == "changed"
    assert found.status == EntityStatus.DISABLED
    client.create_subscription("orders", "all")
    counts = client.get_topic_runtime_properties("orders")
    assert counts.subscription_count == 1
    assert counts.size_in_bytes == counts.scheduled_message_count == 0
    assert counts.accessed_at_utc is not None
    assert [each.subscription_count for each in client.list_topics_runtime_properties()] == [1]


SUBSCRIPTION = {
    "auto_delete_on_idle": timedelta(minutes=6),
    "dead_lettering_on_message_expiration": True,
    "dead_lettering_on_filter_evaluation_exceptions": False,
    "default_message_time_to_live": timedelta(days=7),
    "enable_batched_operations": False,
    "lock_duration": timedelta(seconds=13),
    "max_delivery_count": 14,
    "requires_session": True,
    "user_metadata": "fivetran",
}


def test_every_property_of_a_subscription_comes_back(
    server: AdministrationServer, client: ServiceBusAdministrationClient
) -> None:
    client.create_topic("orders")
    client.create_queue("target")
    created = client.create_subscription("orders", "all", **SUBSCRIPTION)
    fetched = client.get_subscription("orders", "all")
    (listed,) = client.list_subscriptions("orders")
    for subscription in (created, fetched, listed):
        assert subscription.name == "all"
        assert {name: subscription[name] for name in SUBSCRIPTION} == SUBSCRIPTION
    forwarding = client.create_subscription("orders", "onwards", forward_to="target")
    assert forwarding.forward_to == f"sb://127.0.0.1:{server.tls_port}/target"


def test_a_subscription_is_updated_counted_and_deleted(client: ServiceBusAdministrationClient) -> None:
    client.create_topic("orders")
    subscription = client.create_subscription("orders", "all")
    client.update_subscription("orders", subscription, default_message_time_to_live="P7D")
    assert client.get_subscription("orders", "all").default_message_time_to_live == timedelta(days=7)
    counts = client.get_subscription_runtime_properties("orders", "all")
    assert counts.total_message_count == counts.active_message_count == counts.dead_letter_message_count == 0
    assert [each.name for each in client.list_subscriptions_runtime_properties("orders")] == ["all"]
    client.delete_subscription("orders", "all")
    with pytest.raises(ResourceNotFoundError):
        client.get_subscription("orders", "all")
    assert list(client.list_subscriptions("orders")) == []


def test_rules(client: ServiceBusAdministrationClient) -> None:
    client.create_topic("orders")
    client.create_subscription("orders", "all")
    (default,) = client.list_rules("orders", "all")
    assert default.name == "$Default"
    assert isinstance(default.filter, TrueRuleFilter)
    assert default.action is None

    parameters = {
        "@text": "a",
        "@whole": 1,
        "@large": 2**40,
        "@fraction": 1.5,
        "@flag": True,
        "@moment": datetime(2026, 1, 1, tzinfo=UTC),
        "@span": timedelta(hours=1),
    }
    client.create_rule(
        "orders",
        "all",
        "sql",
        filter=SqlRuleFilter("size > @whole AND kind = @text", parameters=parameters),
        action=SqlRuleAction("SET a = @b", parameters={"@b": "c"}),
    )
    sql = client.get_rule("orders", "all", "sql")
    assert isinstance(sql.filter, SqlRuleFilter)
    assert sql.filter.sql_expression == "size > @whole AND kind = @text"
    assert sql.filter.parameters == parameters
    assert isinstance(sql.action, SqlRuleAction)
    assert (sql.action.sql_expression, sql.action.parameters) == ("SET a = @b", {"@b": "c"})

    wanted = {
        "correlation_id": "c",
        "message_id": "m",
        "to": "t",
        "reply_to": "r",
        "label": "l",
        "session_id": "s",
        "reply_to_session_id": "rs",
        "content_type": "ct",
        "properties": {"a": "x", "b": 2, "c": False},
    }
    client.create_rule("orders", "all", "correlation", filter=CorrelationRuleFilter(**wanted))
    correlation = client.get_rule("orders", "all", "correlation").filter
    assert isinstance(correlation, CorrelationRuleFilter)
    assert vars(correlation) == wanted

    client.create_rule("orders", "all", "never", filter=FalseRuleFilter())
    assert isinstance(client.get_rule("orders", "all", "never").filter, FalseRuleFilter)
    assert [rule.name for rule in client.list_rules("orders", "all")] == ["$Default", "correlation", "never", "sql"]

    sql.filter = SqlRuleFilter("1=1")
    sql.action = None
    client.update_rule("orders", "all", sql)
    updated = client.get_rule("orders", "all", "sql")
    assert updated.filter.sql_expression == "1=1"
    assert updated.action is None
    client.delete_rule("orders", "all", "$Default")
    with pytest.raises(ResourceNotFoundError):
        client.get_rule("orders", "all", "$Default")
    with pytest.raises(HttpResponseError, match="position 5"):
        client.create_rule("orders", "all", "broken", filter=SqlRuleFilter("a = "))


def test_lists_come_in_pages(server: AdministrationServer, client: ServiceBusAdministrationClient) -> None:
    for number in range(205):
        client.create_topic(f"topic-{number:03}")
    names = [f"topic-{number:03}" for number in range(205)]
    assert [topic.name for topic in client.list_topics()] == names
    assert [topic.name for topic in client.list_topics(max_page_size=40, start_index=5)] == names[5:]
    assert [len(list(page)) for page in client.list_topics().by_page()] == [100, 100, 5]


def test_what_is_not_there(client: ServiceBusAdministrationClient) -> None:
    client.create_topic("orders")
    for ask in (
        lambda: client.get_queue("absent"),
        lambda: client.get_topic("absent"),
        lambda: client.delete_queue("absent"),
        lambda: client.get_subscription("orders", "absent"),
        lambda: client.get_subscription("absent", "all"),
        lambda: client.get_rule("orders", "absent", "rule"),
        lambda: client.delete_subscription("orders", "absent"),
        lambda: client.create_subscription("absent", "all"),
        lambda: list(client.list_subscriptions("absent")),
    ):
        with pytest.raises(ResourceNotFoundError):
            ask()
    assert list(client.list_queues()) == []


def test_what_is_there_already(client: ServiceBusAdministrationClient) -> None:
    client.create_topic("orders")
    client.create_subscription("orders", "all")
    client.create_rule("orders", "all", "rule")
    for ask in (
        lambda: client.create_topic("Orders"),
        lambda: client.create_queue("orders"),
        lambda: client.create_subscription("orders", "ALL"),
        lambda: client.create_rule("orders", "all", "rule"),
    ):
        with pytest.raises(ResourceExistsError):
            ask()


def test_what_cannot_be(client: ServiceBusAdministrationClient) -> None:
    client.create_topic("orders")
    with pytest.raises(HttpResponseError, match="at most 50 are allowed") as raised:
        client.create_subscription("orders", "x" * 51)
    assert raised.value.status_code == 400
    with pytest.raises(HttpResponseError, match="LockDuration is PT10M; it may be at most PT5M"):
        client.create_subscription("orders", "all", lock_duration=timedelta(minutes=10))


def test_the_manage_claim_is_needed(server: AdministrationServer) -> None:
    verify = str(server.authority_file)
    with ServiceBusAdministrationClient.from_connection_string(
        server.connection_string(READER), connection_verify=verify
    ) as reader:
        with pytest.raises(ClientAuthenticationError) as raised:
            reader.create_topic("orders")
        assert raised.value.status_code == 401
    wrong = server.connection_string().replace("SAS_KEY_VALUE", "wrong")
    with (
        ServiceBusAdministrationClient.from_connection_string(wrong, connection_verify=verify) as stranger,
        pytest.raises(ClientAuthenticationError),
    ):
        stranger.create_topic("orders")


def test_a_policy_of_a_topic_manages_that_topic(server: AdministrationServer) -> None:
    with client_of(server) as client:
        rule = AuthorizationRule(
            type="SharedAccessAuthorizationRule", rights=[AccessRights.MANAGE], key_name="own", primary_key="own-key"
        )
        client.create_topic("orders", authorization_rules=[rule])
        client.create_topic("payments")
    text = f"Endpoint=sb://127.0.0.1:{server.tls_port};SharedAccessKeyName=own;SharedAccessKey=own-key"
    with ServiceBusAdministrationClient.from_connection_string(
        text, connection_verify=str(server.authority_file)
    ) as own:
        own.create_subscription("orders", "all")
        with pytest.raises(ClientAuthenticationError):
            own.get_topic("payments")


def test_the_namespace_describes_itself(client: ServiceBusAdministrationClient) -> None:
    properties = client.get_namespace_properties()
    assert properties.name == "test-namespace"
    assert properties.messaging_sku == "Standard"
    assert properties.created_at_utc is not None
