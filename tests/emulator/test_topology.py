"""The topology file."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncline.emulator.descriptions import ALL_CLAIMS, CorrelationFilter, SqlAction, SqlFilter, TrueFilter
from syncline.emulator.errors import InvalidEntityError
from syncline.emulator.topology import DEFAULT_POLICY, Topology, load_topology

CONFIG: dict[str, Any] = {
    "UserConfig": {
        "Namespaces": [
            {
                "Name": "sbemulatorns",
                "Queues": [
                    {
                        "Name": "queue.1",
                        "Properties": {
                            "DeadLetteringOnMessageExpiration": False,
                            "DefaultMessageTimeToLive": "PT1H",
                            "DuplicateDetectionHistoryTimeWindow": "PT20S",
                            "ForwardDeadLetteredMessagesTo": "",
                            "ForwardTo": "",
                            "LockDuration": "PT1M",
                            "MaxDeliveryCount": 3,
                            "RequiresDuplicateDetection": False,
                            "RequiresSession": True,
                        },
                    }
                ],
                "Topics": [
                    {
                        "Name": "topic.1",
                        "Properties": {"DefaultMessageTimeToLive": "PT1H", "RequiresDuplicateDetection": False},
                        "Subscriptions": [
                            {
                                "Name": "filtered",
                                "Properties": {"LockDuration": "PT30S", "ForwardTo": "queue.1"},
                                "Rules": [
                                    {
                                        "Name": "by-properties",
                                        "Properties": {
                                            "FilterType": "Correlation",
                                            "CorrelationFilter": {
                                                "ContentType": "application/text",
                                                "Label": "subject1",
                                                "Properties": {"region": "eu", "level": 2},
                                            },
                                        },
                                    },
                                    {
                                        "Name": "by-sql",
                                        "Properties": {
                                            "FilterType": "Sql",
                                            "SqlFilter": {"SqlExpression": "sys.MessageId = '1' AND level > 1"},
                                            "Action": {"SqlExpression": "SET sys.To = 'Entity'"},
                                        },
                                    },
                                ],
                            },
                            {"Name": "everything"},
                        ],
                    }
                ],
            }
        ],
        "Logging": {"Type": "File"},
    }
}


def test_reads_queues_topics_subscriptions_and_rules() -> None:
    topology = load_topology(CONFIG)
    assert topology.namespace_name == "sbemulatorns"
    (queue,) = topology.queues
    assert queue.name == "queue.1"
    assert queue.default_message_time_to_live == timedelta(hours=1)
    assert queue.max_delivery_count == 3
    assert queue.requires_session
    assert queue.forward_to is None
    ((topic, subscriptions),) = topology.topics
    assert topic.default_message_time_to_live == timedelta(hours=1)
    (filtered, rules), (everything, default_rules) = subscriptions
    assert filtered.topic_name == "topic.1"
    assert filtered.lock_duration == timedelta(seconds=30)
    assert filtered.forward_to == "queue.1"
    assert rules[0].filter == CorrelationFilter(
        content_type="application/text", label="subject1", properties={"region": "eu", "level": 2}
    )
    assert rules[1].filter == SqlFilter("sys.MessageId = '1' AND level > 1")
    assert rules[1].action == SqlAction("SET sys.To = 'Entity'")
    assert everything.name == "everything"
    assert [(rule.name, rule.filter) for rule in default_rules] == [("$Default", TrueFilter())]
    assert topology.policies == [DEFAULT_POLICY]


def test_reads_shared_access_policies() -> None:
    config = deepcopy(CONFIG)
    config["UserConfig"]["Namespaces"][0]["SharedAccessPolicies"] = [
        {"KeyName": "root", "Key": "abc"},
        {"KeyName": "reader", "Key": "def", "Claims": ["Listen"]},
    ]
    root, reader = load_topology(config).policies
    assert root.claims == ALL_CLAIMS
    assert reader.claims == {"Listen"}
    assert reader.key == "def"


def test_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))
    assert load_topology(path).queues[0].name == load_topology(str(path)).queues[0].name == "queue.1"


@pytest.mark.parametrize("content", ["{", "[]", "null", "[" * 100_000])
def test_a_file_that_is_not_a_topology(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(InvalidEntityError, match="topology"):
        load_topology(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidEntityError, match=r"absent\.json cannot be read"):
        load_topology(tmp_path / "absent.json")


def test_an_empty_topology_has_the_default_policy() -> None:
    assert Topology().policies == [DEFAULT_POLICY]


def namespace(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["UserConfig"]["Namespaces"][0]
    return found


def queue_properties(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = namespace(config)["Queues"][0]["Properties"]
    return found


def subscriptions(config: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = namespace(config)["Topics"][0]["Subscriptions"]
    return found


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda config: config.update(Other=1), r"\$: 'Other' is not known"),
        (lambda config: config["UserConfig"].update(Namespaces=[]), r"\$\.UserConfig: Namespaces must hold one"),
        (lambda config: config["UserConfig"].update(Namespaces={}), "must be a list"),
        (lambda config: config["UserConfig"].update(Namespaces=[1]), r"Namespaces\[0\]: must be an object"),
        (lambda config: namespace(config)["Queues"][0].pop("Name"), r"Queues\[0\]: Name is missing"),
        (lambda config: namespace(config)["Queues"][0].update(Name="a b"), r"Queues\[0\]: .*'a b' is not allowed"),
        (lambda config: namespace(config)["Queues"].append({"Name": "QUEUE.1"}), r"Queues\[1\]: .*taken"),
        (lambda config: namespace(config)["Topics"][0].update(Name="queue.1"), r"Topics\[0\]: .*taken"),
        (lambda config: queue_properties(config).update(LockDuration="1 minute"), r"Properties: LockDuration.*ISO"),
        (lambda config: queue_properties(config).update(LockDuration=60), r"Properties: LockDuration must be text"),
        (lambda config: queue_properties(config).update(LockDuration="PT10M"), r"Queues\[0\]: LockDuration is PT10M"),
        (lambda config: queue_properties(config).update(MaxDeliveryCount="3"), "MaxDeliveryCount must be a whole"),
        (lambda config: queue_properties(config).update(MaxDeliveryCount=True), "MaxDeliveryCount must be a whole"),
        (lambda config: queue_properties(config).update(RequiresSession="no"), "RequiresSession must be true or"),
        (lambda config: queue_properties(config).update(LockTime="PT1M"), "'LockTime' is not known"),
        (lambda config: subscriptions(config)[0].update(Name="x" * 51), r"Subscriptions\[0\]: .*51 characters"),
        (lambda config: subscriptions(config)[1].update(Name="Filtered"), r"Subscriptions\[1\]: .*taken"),
        (lambda config: subscriptions(config)[0]["Rules"][0].pop("Properties"), r"Rules\[0\]: Properties is missing"),
        (
            lambda config: subscriptions(config)[0]["Rules"][0]["Properties"].update(FilterType="Other"),
            "FilterType is 'Other'; use Correlation or Sql",
        ),
        (
            lambda config: subscriptions(config)[0]["Rules"][1]["Properties"]["SqlFilter"].update(SqlExpression="a ="),
            r"Rules\[1\]: .*position 4",
        ),
        (
            lambda config: subscriptions(config)[0]["Rules"][0]["Properties"]["CorrelationFilter"].update(
                Properties={"a": []}
            ),
            "a must be text, a number",
        ),
        (
            lambda config: namespace(config).update(SharedAccessPolicies=[{"KeyName": "a"}]),
            r"SharedAccessPolicies\[0\]: KeyName and Key",
        ),
        (
            lambda config: namespace(config).update(
                SharedAccessPolicies=[{"KeyName": "a", "Key": "b", "Claims": ["Read"]}]
            ),
            "Listen, Send and Manage",
        ),
    ],
)
def test_says_where_it_is_wrong(spoil: Callable[[dict[str, Any]], object], said: str) -> None:
    config = deepcopy(CONFIG)
    spoil(config)
    with pytest.raises(InvalidEntityError, match=said):
        load_topology(config)


def test_the_examples_of_the_documentation_are_right() -> None:
    folder = Path(__file__).parents[2] / "docs" / "examples"
    topology = load_topology(folder / "emulator.json")
    assert [queue.name for queue in topology.queues] == ["jobs"]
    ((topic, subscriptions),) = topology.topics
    assert topic.name == "orders"
    assert [subscription.name for subscription, _ in subscriptions] == ["everything", "large", "dublin"]
