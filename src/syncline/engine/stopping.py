"""How a run is asked to end early."""

import threading

from syncline.store.models import RunState


class StopRequest:
    """Asks a run to end at its next safe point, and says in which state. May be made from any thread."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.state = RunState.CANCELLED

    def make(self, state: RunState) -> None:
        """Ask now. Only the first request counts."""
        if not self.event.is_set():
            self.state = state
            self.event.set()
