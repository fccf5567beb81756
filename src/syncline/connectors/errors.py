"""What can go wrong with a source. No message ever holds a secret."""

from syncline.networking import HostRefused


class SourceError(Exception):
    """The source cannot be read. `message` says what happened, `remedy` what to do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message, remedy)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class SourceConfigurationError(SourceError):
    """A person has to change something: a key, a name, a permission. Trying again alone will not help."""


class SourceUnavailable(SourceError):  # noqa: N818 - says it all without a suffix
    """The source could not be reached or broke off, and bounded retries did not help. A later sync may."""


class SourceThrottled(SourceError):  # noqa: N818 - says it all without a suffix
    """The source asks to be left alone for a while."""

    def __init__(self, message: str, remedy: str = "", *, retry_after_seconds: float) -> None:
        super().__init__(message, remedy)
        self.retry_after_seconds = retry_after_seconds


def refused_host(error: HostRefused) -> SourceConfigurationError:
    """The error of a source for a host that is not connected to."""
    return SourceConfigurationError(error.message, error.remedy)
