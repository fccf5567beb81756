"""`python -m benchmarks`: the speed of a sync beside the official SDK, in one run; more with a word behind it."""

import argparse
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import api_speed, soak, steps, sync_speed


def main() -> None:
    """Measure and print."""
    arguments = _parser().parse_args()
    console = Console(highlight=False, width=120)
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as temporary:
        folder = Path(temporary)
        match arguments.kind:
            case "api":
                api_speed.measure(console, folder, sorted(arguments.sizes), arguments.requests, arguments.clients)
            case "steps":
                steps.measure(console, folder, sorted(arguments.counts), arguments.formats)
            case "soak":
                kept: Path = arguments.folder or folder
                kept.mkdir(parents=True, exist_ok=True)
                if not soak.Soak(console, kept, arguments.total, arguments.kills).run():
                    raise SystemExit(1)
            case _:
                sync_speed.measure(console, folder, arguments.messages, arguments.size)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    kinds = parser.add_subparsers(dest="kind")
    api = kinds.add_parser("api", help="the REST API on SQLite and PostgreSQL, while connections grow")
    api.add_argument("--requests", type=int, default=500, help="requests of each measurement (default: 500)")
    api.add_argument("--sizes", type=int, nargs="+", default=api_speed.SIZES, help="numbers of connections, growing")

    api.add_argument("--clients", type=int, default=200, help="callers at once of the load test (default: 200)")

    by_step = kinds.add_parser("steps", help="each format and step of a sync, beside a plain script")
    by_step.add_argument(
        "--messages",
        dest="counts",
        type=int,
        nargs="+",
        default=[10_000, 100_000],
        help="numbers of messages; several show how the cost grows (default: 10000 100000)",
    )
    by_step.add_argument("--formats", nargs="+", default=[], help="formats to measure (default: all)")

    long = kinds.add_parser("soak", help="look for lost messages where much goes wrong; status 1 if any are found")
    long.add_argument("--messages", dest="total", type=int, default=1_000_000, help="in all (default: 1000000)")
    long.add_argument("--kills", type=int, default=10, help="SIGKILLs of the server (default: 10)")
    long.add_argument("--folder", type=Path, help="an empty folder to keep, with the warehouse and the logs")

    parser.add_argument("--messages", type=int, default=100_000, help="messages in the topic (default: 100000)")
    parser.add_argument("--size", type=int, default=1024, help="bytes of a message body (default: 1024)")
    return parser


if __name__ == "__main__":
    main()
