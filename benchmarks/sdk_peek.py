"""What the official SDK alone reaches: it peeks every message of a subscription and does nothing else with them.

Run as `python -m benchmarks.sdk_peek TOPIC SUBSCRIPTION` with the connection string on standard input; prints
messages, seconds of wall time and seconds of processor time as JSON.
"""

import sys
import time

import orjson
from azure.servicebus import ServiceBusClient

PEEK_COUNT = 250
"""What the service answers at most to one request."""


def peek_all(connection_string: str, topic: str, subscription: str) -> tuple[int, float]:
    """Peek from the first message to the last; return how many there were, and the seconds until then.

    The SDK takes up to a second to close, which is none of its rate.
    """
    count = 0
    started = time.perf_counter()
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_subscription_receiver(topic, subscription) as receiver,
    ):
        following = 1
        while messages := receiver.peek_messages(PEEK_COUNT, sequence_number=following):
            for message in messages:
                count += len(b"".join(message.body)) > 0
            following = (messages[-1].sequence_number or 0) + 1
        return count, time.perf_counter() - started


if __name__ == "__main__":
    connection = sys.stdin.read().strip()
    processor = time.process_time()
    peeked, seconds = peek_all(connection, sys.argv[1], sys.argv[2])
    result = {"messages": peeked, "seconds": seconds, "cpu": time.process_time() - processor}
    print(orjson.dumps(result).decode())
