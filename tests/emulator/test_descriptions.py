"""What entities are when nothing is said about them, and what the service refuses."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncline.emulator.descriptions import (
    ALL_CLAIMS,
    UNBOUNDED,
    AccessPolicy,
    AuthorizationRule,
    QueueDescription,
    RuleDescription,
    RuntimeCounts,
    SqlFilter,
    SubscriptionDescription,
    TopicDescription,
)
from syncline.emulator.errors import EmulatorError, InvalidEntityError
from syncline.emulator.validation import validate_queue, validate_rule, validate_subscription, validate_topic


def test_a_queue_starts_with_the_defaults_of_the_service() -> None:
    queue = QueueDescription("orders")
    assert queue.lock_duration == timedelta(minutes=1)
    assert queue.max_delivery_count == 10
    assert queue.default_message_time_to_live == UNBOUNDED
    assert queue.status == "Active"
    validate_queue(queue)


def test_manage_implies_the_other_claims() -> None:
    assert AccessPolicy("a", "k", frozenset({"Manage"})).claims == ALL_CLAIMS
    assert AccessPolicy("a", "k", frozenset({"Send"})).claims == {"Send"}


def test_an_authorization_rule_is_a_policy_for_each_of_its_keys() -> None:
    rule = AuthorizationRule("writer", "first-key", "second-key", frozenset({"Send"}))
    assert [policy.key for policy in rule.policies()] == ["first-key", "second-key"]
    assert "first-key" not in repr(rule)
    assert len(AuthorizationRule("writer", "one").policies()) == 1


def test_counts_add_up() -> None:
    assert RuntimeCounts(active=3, dead_letter=2, scheduled=1).total == 6


@pytest.mark.parametrize("name", ["orders", "a", "0", "a/b-c_d.e", "x" * 260])
def test_names_of_queues_and_topics(name: str) -> None:
    validate_queue(QueueDescription(name))
    validate_topic(TopicDescription(name))


@pytest.mark.parametrize("name", ["", "x" * 261, "/a", "a/", "a//b", "a b", "a?b", "$management", "ü", "a\n"])
def test_names_that_a_queue_or_topic_cannot_have(name: str) -> None:
    for check in (lambda: validate_queue(QueueDescription(name)), lambda: validate_topic(TopicDescription(name))):
        with pytest.raises(InvalidEntityError, match="name"):
            check()


@pytest.mark.parametrize("name", ["x" * 51, "a/b", "", "a b"])
def test_names_that_a_subscription_or_rule_cannot_have(name: str) -> None:
    with pytest.raises(InvalidEntityError, match="subscription's name"):
        validate_subscription(SubscriptionDescription("topic", name))
    with pytest.raises(InvalidEntityError, match="rule's name"):
        validate_rule(RuleDescription(name))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lock_duration": timedelta(minutes=6)}, "LockDuration is PT6M; it may be at most PT5M"),
        ({"lock_duration": timedelta()}, "LockDuration"),
        ({"lock_duration": UNBOUNDED}, "without an end"),
        ({"max_delivery_count": 0}, "MaxDeliveryCount is 0"),
        ({"default_message_time_to_live": timedelta()}, "DefaultMessageTimeToLive"),
        ({"auto_delete_on_idle": timedelta(minutes=4)}, "shortest allowed is PT5M"),
        ({"duplicate_detection_history_time_window": timedelta(days=8)}, "from PT20S to P7D"),
        ({"user_metadata": "x" * 1025}, "1025 characters"),
        ({"max_size_in_megabytes": 0}, "MaxSizeInMegabytes"),
        ({"forward_to": "Orders"}, "the entity itself"),
        ({"requires_session": True, "forward_to": "other"}, "RequiresSession"),
    ],
)
def test_properties_out_of_range(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidEntityError, match=said):
        validate_queue(replace(QueueDescription("orders"), **changes))


def test_a_rule_whose_filter_cannot_be_read() -> None:
    with pytest.raises(InvalidEntityError, match="position"):
        validate_rule(RuleDescription("broken", SqlFilter("a = ")))


def test_errors_carry_their_message() -> None:
    error = InvalidEntityError("The name is wrong.")
    assert isinstance(error, EmulatorError)
    assert isinstance(error, ValueError)
    assert error.message == str(error) == "The name is wrong."
