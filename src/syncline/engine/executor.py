"""What an executor is: the part that carries out queued runs somewhere."""

from typing import Protocol


class Executor(Protocol):
    """Carries out runs that are queued in the store, in the order in which they were submitted."""

    async def start(self) -> None:
        """Get ready to carry out runs."""

    async def submit(self, run_id: str, connection_id: str) -> None:
        """Carry out a queued run as soon as there is room. Submitting a run twice is the same as once."""

    def knows(self, run_id: str) -> bool:
        """Whether the run was submitted here and has not ended."""

    async def stop(self, connection_id: str, *, wait: bool) -> bool:
        """Cancel the connection's run, waiting or running; with `wait`, return once it has ended.

        False when this executor has no run of the connection.
        """

    async def close(self) -> None:
        """Stop everything. Runs that were under way are interrupted and queued again, for the next start."""
