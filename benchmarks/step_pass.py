"""One pass over the messages of one topic, step by step: read, decode, shape, load.

Run as `python -m benchmarks.step_pass` with the task as JSON on standard input; prints, as JSON, for each step the
seconds of wall time and of processor time, and the peak memory in bytes.
"""

import datetime as dt
import gc
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from syncline.connectors.azure_service_bus.config import AzureServiceBusAuth, AzureServiceBusConfig
from syncline.connectors.base import ReadLimits, SourceContext, Stream
from syncline.connectors.registry import connector_for
from syncline.sync.shape import combine, stamp
from syncline.warehouses.registry import warehouse_for

STEPS = ("read", "decode", "shape", "load")


class Clock:
    """Adds up what steps take."""

    def __init__(self) -> None:
        self.wall = dict.fromkeys(STEPS, 0.0)
        self.processor = dict.fromkeys(STEPS, 0.0)

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Count the block as part of `step`."""
        wall, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall[step] += time.perf_counter() - wall
            self.processor[step] += time.process_time() - processor


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Make the pass."""
    gc.set_threshold(100_000, 50, 100)  # as a sync does: decoding makes many objects and no cycles
    context = SourceContext(
        connection_id="bench",
        schema="bench",
        config=AzureServiceBusConfig.parse(task["config"]),
        auth=AzureServiceBusAuth.parse({}, path="auth"),
    )
    warehouse = warehouse_for(task["warehouse"])
    destination = warehouse.declaration.config.parse(task["destination"])
    stream = Stream(task["topic"], "bench")
    limits = ReadLimits(rows=min(ReadLimits().rows, task["messages"]))
    synced_at = dt.datetime.now(dt.UTC)
    clock = Clock()
    rows = 0
    with (
        connector_for("azure_service_bus").open_source(context) as source,
        warehouse.open(destination, "bench", Path(task["folder"])) as loader,
    ):
        batches = source.read(stream, None, limits, threading.Event())
        while rows < task["messages"]:
            with clock.time("read"):
                raw = next(batches)
            with clock.time("decode"):
                decoded = source.decode(raw)
            with clock.time("shape"):
                table = stamp(combine([decoded.columns]), synced_at)
            with clock.time("load"):
                loader.load(stream.name, table)
            if decoded.rejects.num_rows:
                raise SystemExit(f"rejected: {decoded.rejects.column('reason')[0]}")
            rows += raw.table.num_rows
        with clock.time("load"):
            loader.rest()  # what the loads put off until the end belongs to them
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"messages": rows, "wall": clock.wall, "processor": clock.processor, "peak": peak}


if __name__ == "__main__":
    print(orjson.dumps(run(orjson.loads(sys.stdin.buffer.read()))).decode())
