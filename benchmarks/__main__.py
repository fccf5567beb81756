"""`python -m benchmarks`: the speed of a sync beside the official SDK, in one run."""

import argparse
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.sync_speed import measure


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="messages in the topic (default: 100000)")
    parser.add_argument("--size", type=int, default=1024, help="bytes of a message body (default: 1024)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder:
        measure(Console(highlight=False), Path(folder), arguments.messages, arguments.size)


if __name__ == "__main__":
    main()
