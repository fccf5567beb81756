"""Publishing the demo's messages with the official SDK."""

from collections import defaultdict
from collections.abc import Iterable

import orjson
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusMessageBatch, ServiceBusSender

from syncline.cli.demo.messages import DemoMessage


def publish(connection_string: str, messages: Iterable[DemoMessage]) -> int:
    """Send the messages to their topics in batches; return how many were accepted."""
    by_topic: defaultdict[str, list[ServiceBusMessage]] = defaultdict(list)
    for message in messages:
        by_topic[message.topic].append(
            ServiceBusMessage(
                orjson.dumps(message.body),
                message_id=message.message_id,
                content_type="application/json",
                application_properties={"origin": "demo"},
            )
        )
    with ServiceBusClient.from_connection_string(connection_string) as client:
        for topic, topic_messages in by_topic.items():
            with client.get_topic_sender(topic) as sender:
                _send_in_batches(sender, topic_messages)
    return sum(len(topic_messages) for topic_messages in by_topic.values())


def _send_in_batches(sender: ServiceBusSender, messages: list[ServiceBusMessage]) -> None:
    batch = sender.create_message_batch()
    for message in messages:
        if not _fits(batch, message):
            sender.send_messages(batch)
            batch = sender.create_message_batch()
            batch.add_message(message)
    if len(batch) > 0:
        sender.send_messages(batch)


def _fits(batch: ServiceBusMessageBatch, message: ServiceBusMessage) -> bool:
    try:
        batch.add_message(message)
    except ValueError:  # what the SDK raises when the batch is full
        return False
    return True
