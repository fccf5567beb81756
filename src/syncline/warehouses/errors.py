"""What can go wrong with a destination. No message ever holds a secret."""


class WarehouseError(Exception):
    """The destination refused something. `message` says what happened, `remedy` what to do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message, remedy)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class WarehouseUnavailable(WarehouseError):  # noqa: N818 - says it all without a suffix
    """The destination could not be reached, or is in use by someone else. A later sync may succeed."""
