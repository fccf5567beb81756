"""`python -m benchmarks`: the speed of a sync beside the official SDK, in one run.

`python -m benchmarks steps` measures each format and step, `python -m benchmarks soak` looks for lost messages.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console


def main() -> None:
    """Run the measurement that the first argument names: a whole sync, unless it names another."""
    name, *rest = sys.argv[1:] or [""]
    if name in COMMANDS:
        COMMANDS[name](rest)
    else:
        sync(sys.argv[1:])


def sync(arguments: Sequence[str]) -> None:
    """Measure a whole sync and print its rate."""
    from benchmarks.sync_speed import measure

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="messages in the topic (default: 100000)")
    parser.add_argument("--size", type=int, default=1024, help="bytes of a message body (default: 1024)")
    chosen = parser.parse_args(arguments)
    with _folder() as folder:
        measure(_console(), Path(folder), chosen.messages, chosen.size)


def soak(arguments: Sequence[str]) -> None:
    """Run the soak; end with status 1 unless all is as it should be."""
    from benchmarks.soak import Soak

    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=soak.__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000, help="messages over all topics (default: 1000000)")
    parser.add_argument("--kills", type=int, default=10, help="SIGKILLs of the server (default: 10)")
    parser.add_argument("--folder", type=Path, help="an empty folder to keep, with the warehouse and the logs")
    chosen = parser.parse_args(arguments)
    with _folder() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not Soak(_console(), folder, chosen.messages, chosen.kills).run():
            raise SystemExit(1)


def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="syncline-bench-")


def _console() -> Console:
    return Console(highlight=False)


COMMANDS = {"soak": soak}

if __name__ == "__main__":
    main()
