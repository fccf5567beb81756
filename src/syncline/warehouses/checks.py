"""Setup tests of a destination, step by step: each looks at one thing, and the first that fails ends them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from syncline.warehouses.base import WarehouseTestResult
from syncline.warehouses.errors import WarehouseError

CREATE_SCHEMA = "Create a schema"
WRITE = "Write to a table"
DROP = "Drop the schema"


@dataclass(frozen=True, slots=True)
class Step:
    """One setup test."""

    title: str
    run: Callable[[], object]
    message: str = ""
    """What is said when it passes."""


def run_steps(steps: Sequence[Step], explain: Callable[[BaseException], WarehouseError]) -> list[WarehouseTestResult]:
    """Run the steps. Those after the first that fails are skipped."""
    results: list[WarehouseTestResult] = []
    for place, step in enumerate(steps):
        try:
            step.run()
        except Exception as error:
            failure = error if isinstance(error, WarehouseError) else explain(error)
            failed = WarehouseTestResult(step.title, "FAILED", failure.message, failure.remedy)
            return [*results, failed, *skipped([later.title for later in steps[place + 1 :]])]
        results.append(WarehouseTestResult(step.title, "PASSED", step.message))
    return results


def skipped(titles: Sequence[str]) -> list[WarehouseTestResult]:
    """Results of steps that were not run."""
    return [WarehouseTestResult(title, "SKIPPED", "Something before it failed.") for title in titles]
