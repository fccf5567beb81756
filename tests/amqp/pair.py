"""Two connections joined by byte pipes, for tests: a client and a server in one process, with a clock of its own."""

from collections.abc import Callable, Iterator
from typing import Any

from syncline.amqp import Connection, Event, SaslClient

Handler = Callable[[Event], None]
Chunker = Callable[[bytes], Iterator[bytes]]


def whole(data: bytes) -> Iterator[bytes]:
    """Hand over the bytes in one piece."""
    yield data


class Pair:
    """A client and a server; `run` carries bytes back and forth until both are quiet."""

    def __init__(
        self,
        *,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
        on_client: Handler = lambda event: None,
        on_server: Handler = lambda event: None,
        chunker: Chunker = whole,
    ) -> None:
        self.now = 1_000.0
        self.client = Connection.client("client", "localhost", **({"sasl": SaslClient()} | (client or {})))
        self.server = Connection.server("server", **(server or {}))
        self.on_client, self.on_server = on_client, on_server
        self.chunker = chunker
        self.client_events: list[Event] = []
        self.server_events: list[Event] = []

    def run(self) -> None:
        """Carry bytes until neither side has any more to say."""
        while True:
            to_server = self.client.data_to_send(self.now)
            for chunk in self.chunker(to_server) if to_server else ():
                self._handle(self.server.receive_data(chunk, self.now), self.server_events, self.on_server)
            to_client = self.server.data_to_send(self.now)
            for chunk in self.chunker(to_client) if to_client else ():
                self._handle(self.client.receive_data(chunk, self.now), self.client_events, self.on_client)
            if not to_server and not to_client:
                return

    @staticmethod
    def _handle(events: list[Event], log: list[Event], handler: Handler) -> None:
        log.extend(events)
        for event in events:
            handler(event)

    def events_of(self, kind: type, *, of: str = "server") -> list[Any]:
        """The events of one class that one side has reported so far."""
        return [event for event in getattr(self, f"{of}_events") if isinstance(event, kind)]
