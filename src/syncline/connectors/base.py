"""What a connector is.

A connector declares its configuration, tests a connection's setup, and opens a source. A source has streams, reads
each from a position in bounded batches of Arrow columns, and decodes those batches. All but the setup tests is
blocking code that runs in a worker process.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from syncline.connectors.errors import SourceConfigurationError, SourceError, SourceThrottled, SourceUnavailable
from syncline.declarations import Configuration, ServiceDeclaration
from syncline.networking import HostPolicy

__all__ = [
    "Connector",
    "DecodedBatch",
    "RawBatch",
    "ReadLimits",
    "SetupTestResult",
    "Source",
    "SourceConfigurationError",
    "SourceContext",
    "SourceError",
    "SourceThrottled",
    "SourceUnavailable",
    "SourceWarning",
    "Stream",
]

SetupTestStatus = Literal["PASSED", "FAILED", "SKIPPED", "WARNING"]


@dataclass(frozen=True, slots=True)
class SetupTestResult:
    """The outcome of one setup test. A failure's message says what to change."""

    title: str
    status: SetupTestStatus
    message: str
    details: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether this outcome lets a connection count as connected."""
        return self.status in ("PASSED", "WARNING")


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a connector needs to know of the connection it works for."""

    connection_id: str
    schema: str
    config: Configuration = field(repr=False)
    auth: Configuration | None = field(default=None, repr=False)
    setup_test_timeout: float = 15.0
    """Seconds that one setup test may take."""
    setup_tests_timeout: float = 60.0
    """Seconds that all setup tests together may take."""
    request_timeout: float = 60.0
    """Seconds that one request to the source may take while a sync runs."""
    entra_authority: str = "https://login.microsoftonline.com/organizations"
    """The issuer of Microsoft Entra's tokens."""
    hosts: HostPolicy = field(default_factory=HostPolicy)
    """Which hosts may be connected to."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One sequence of messages of a source, loaded into one table."""

    name: str
    """The source's name for it, such as a topic's, without control characters: those are for tables of our own."""
    schema: str
    """The destination schema that its table stands in."""

    def __post_init__(self) -> None:
        if any(character < " " for character in self.name):
            raise ValueError(f"the name of a stream has a control character: {self.name!r}")


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds of one batch. A batch ends at whichever is met first, and has at least one row."""

    rows: int = 20_000
    bytes: int = 32 * 1024 * 1024
    """Of message bodies."""


@dataclass(frozen=True, slots=True)
class SourceWarning:
    """Something a person should know about a stream. Raised once per code and subject, then updated in place."""

    code: str
    message: str
    subject: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Messages as they were read, before they are decoded.

    A batch may have no rows: then it only moves the position on, or carries a warning.
    """

    stream: Stream
    table: pa.Table
    position: Mapping[str, Any]
    """Where the next read goes on once this batch is in the destination. JSON-able, opaque to all but the connector."""
    bytes: int
    """Of the message bodies."""
    warnings: tuple[SourceWarning, ...] = ()
    receipt: object = None
    """What :meth:`Source.acknowledge` takes once the batch is in the destination. Opaque to all but the connector."""
    is_urgent: bool = False
    """Whether to load it at once, rather than wait for more: the source holds something until then."""


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """A decoded batch: the rows, and the messages that could not be decoded."""

    columns: pa.Table
    rejects: pa.Table


class Source(ABC):
    """An open source. Streams may be read side by side from several threads."""

    @abstractmethod
    def streams(self) -> list[Stream]:
        """The streams to sync, made ready where the source needs that.

        Raises:
            SourceError: They cannot be listed or made ready.
        """

    @abstractmethod
    def read(
        self, stream: Stream, position: Mapping[str, Any] | None, limits: ReadLimits, stop: threading.Event
    ) -> Iterator[RawBatch]:
        """The stream after `position` (None: from its beginning), until it is exhausted as it stood at the start.

        Ends early once `stop` is set; what was yielded until then is complete and in order.

        Raises:
            SourceError: The stream cannot be read (further).
        """

    def acknowledge(self, stream: Stream, receipts: Sequence[object]) -> None:
        """Take note that batches are in the destination, durably, and their position is kept.

        Called with the receipts of batches that have one, from another thread than the one that reads. Never raises:
        what cannot be acknowledged comes again, and merges.
        """
        return

    @abstractmethod
    def decode(self, batch: RawBatch) -> DecodedBatch:
        """The rows of a batch, and what could not be decoded. Bad messages are rejects, never errors.

        Raises:
            SourceError: The configured format cannot be decoded at all, or not now: what it needs cannot be had.
        """

    @abstractmethod
    def reject(self, batch: RawBatch, reasons: Sequence[str]) -> pa.Table:
        """All messages of a batch as rejects, each for its reason: those that could be decoded and yet not loaded."""

    def warnings(self) -> tuple[SourceWarning, ...]:
        """What a person should know of the source as a whole, beside what batches say. Asked when a sync ends."""
        return ()


class Connector(ABC):
    """A kind of source."""

    declaration: ServiceDeclaration

    def default(self, config: Configuration, schema: str) -> Configuration:
        """The configuration with defaults that depend on the destination schema filled in, and checked with it.

        Raises:
            InvalidField: A default or a value cannot work with this schema.
        """
        return config

    def check_position(self, position: Mapping[str, Any]) -> None:  # noqa: B027 - there may be nothing to look at
        """Look at a position that somebody wrote by hand.

        Raises:
            ValueError: A source of this kind could not have given it; the text says what it looks like.
        """

    @abstractmethod
    async def run_setup_tests(self, context: SourceContext) -> list[SetupTestResult]:
        """Test a connection's setup. Never raises, and never takes longer than the context's limits."""

    @abstractmethod
    def open_source(self, context: SourceContext) -> AbstractContextManager[Source]:
        """The source of a connection. Everything it opened is closed when the context manager is left.

        Raises:
            SourceConfigurationError: The configuration is not complete or not supported.
        """
