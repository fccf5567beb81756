"""Why a connection failed, in words that are this machine's own.

A server that a user named may be anything, and what it says may be meant for others: an error that repeats it would let
whoever makes connections read what answers inside the network.
"""

from collections.abc import Iterator


def own_words(error: BaseException, otherwise: str) -> str:
    """The reason that the operating system, the resolver or TLS gave for a failure; `otherwise` where it came about by
    what the other side sent. Libraries wrap such reasons several times, and put what was sent into their own."""
    for cause in chain(error):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        if isinstance(cause, TimeoutError):
            return "no answer in time"
    return otherwise


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised for, and so on down to where it began."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
