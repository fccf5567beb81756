"""What one would write oneself: the official SDK peeks, `json` parses, dlt merges Python objects into DuckDB.

Run as `python -m benchmarks.plain_script` with the task as JSON on standard input; prints messages, seconds of wall
time and seconds of processor time as JSON.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import dlt
from azure.servicebus import ServiceBusClient


def messages(connection_string: str, topic: str, subscription: str, most: int) -> Iterator[dict[str, Any]]:
    """The messages as rows."""
    following, count = 1, 0
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_subscription_receiver(topic, subscription) as receiver,
    ):
        while count < most and (page := receiver.peek_messages(250, sequence_number=following)):
            for message in page:
                yield {
                    "message_id": message.message_id,
                    "sequence_num": message.sequence_number,
                    "enqueued_time": message.enqueued_time_utc,
                    **json.loads(b"".join(message.body)),
                }
            count += len(page)
            following = (page[-1].sequence_number or 0) + 1


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Read everything, and merge it."""
    config = task["config"]
    wall, processor = time.perf_counter(), time.process_time()
    pipeline = dlt.pipeline(
        "plain",
        pipelines_dir=task["folder"],
        destination=dlt.destinations.duckdb(task["destination"]["path"]),
        dataset_name="plain",
    )
    rows = messages(config["connection_string"], task["topic"], config["subscriber_name"], task["messages"])
    info = pipeline.run(
        dlt.resource(
            rows,
            name="orders",
            primary_key="message_id",
            write_disposition="merge",
            max_table_nesting=0,
            columns={"note": {"data_type": "text"}},  # always null here, which dlt warns of
        )
    )
    info.raise_on_failed_jobs()
    with pipeline.sql_client() as client, client.execute_query("SELECT count(*) FROM orders") as cursor:
        ((loaded,),) = cursor.fetchall()
    return {
        "messages": loaded,
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
    }


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.stdin.read()))))
