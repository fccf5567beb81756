"""The errors that services raise. Each becomes an answer ``{"code": ..., "message": ...}`` with its status."""

from collections.abc import Mapping


class ApiError(Exception):
    """An answer other than success.

    Args:
        status: The HTTP status.
        code: The word that programs look at, such as ``InvalidInput``.
        message: For a person: names the field, the offending value (never a secret's) and what to do.
        headers: Headers that the answer needs besides.
    """

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class InvalidInput(ApiError):  # noqa: N818 - named after the code that it answers
    """The request is malformed or asks for something that is not allowed (400)."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "InvalidInput", message)


class IllegalState(ApiError):  # noqa: N818
    """The call makes no sense in the thing's present state (400)."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "IllegalState", message)


class Unauthorized(ApiError):  # noqa: N818
    """The API key is missing, malformed, wrong or revoked (401)."""

    def __init__(self, message: str) -> None:
        challenge = {"WWW-Authenticate": 'Basic realm="Syncline", charset="UTF-8"'}
        super().__init__(401, "Unauthorized", message, headers=challenge)


class Forbidden(ApiError):  # noqa: N818
    """The key's user may not do this (403)."""

    def __init__(self, message: str) -> None:
        super().__init__(403, "Forbidden", message)


class NotFound(ApiError):  # noqa: N818
    """There is no such thing (404). The code names its kind: ``NotFound_Group``.

    Args:
        kind: ``Connection``, ``Group``, ``Destination``, ``User``, ``Integration`` (a service), ...
        identifier: What was asked for.
        hint: A sentence on what to do, where there is something to say.
    """

    def __init__(self, kind: str, identifier: str, *, hint: str = "") -> None:
        message = f"{kind} '{identifier}' was not found."
        super().__init__(404, f"NotFound_{kind}", f"{message} {hint}".strip())


class Conflict(ApiError):  # noqa: N818
    """The name is taken (409)."""

    def __init__(self, message: str) -> None:
        super().__init__(409, "Conflict", message)


class SecretsUnavailable(ApiError):  # noqa: N818
    """The call needs stored secrets, and the server's keys do not open them (503)."""

    def __init__(self, message: str) -> None:
        super().__init__(503, "SecretsUnavailable", message)


class TooManyRequests(ApiError):  # noqa: N818
    """A limit is reached; the client waits `retry_after` seconds and tries again (429)."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(429, "TooManyRequests", message, headers={"Retry-After": str(retry_after)})


class ServiceUnavailable(ApiError):  # noqa: N818
    """The server has too much to do, or its store does not answer; the client waits and tries again (503)."""

    def __init__(self, message: str, *, retry_after: int = 2) -> None:
        message = f"{message} Try again in {retry_after} seconds."
        super().__init__(503, "ServiceUnavailable", message, headers={"Retry-After": str(retry_after)})
