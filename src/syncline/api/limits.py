"""How many requests an account may make: exact sliding windows, counted in this process.

Several server processes on one store count apart, so an account has as many times the limit as there are processes.
"""

import math
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncline.api.errors import TooManyRequests
from syncline.settings import Settings

_MINUTE, _HOUR = 60, 3600

_TESTING = re.compile(r"^/v1/(connections|destinations)(/[^/]+/test|/[^/]+)?$")
_SETUP = {"config", "auth", "networking_method", "private_link_id", "proxy_agent_id", "hybrid_deployment_agent_id"}
"""Fields whose change may call for setup tests."""
_READING_SOURCE = re.compile(r"^/v1/connections/[^/]+/schemas/reload$")


@dataclass(frozen=True, slots=True)
class _Limit:
    kind: str
    """What is counted, for people."""
    most: int
    window: int
    """Seconds."""
    counts: Callable[[str, str, Mapping[str, Any]], bool]
    """Whether a request counts: its method, path and body."""


class _Window:
    """The times of the latest requests, as many as a limit allows."""

    def __init__(self, limit: _Limit) -> None:
        self.limit = limit
        self._times: deque[float] = deque(maxlen=limit.most)

    def wait(self, now: float) -> float:
        """Seconds until there is room for one more; none when there is."""
        if len(self._times) < self.limit.most:
            return 0.0
        return self._times[0] + self.limit.window - now

    def count(self, now: float) -> None:
        """Note a request. The oldest, which no longer matters, makes room."""
        self._times.append(now)


class RateLimits:
    """The limits of every account.

    Args:
        settings: Say how high they are; 0 is no limit.
        clock: Seconds that only go forward.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        limits = (
            _Limit("requests", settings.requests_per_hour, _HOUR, _always),
            _Limit("requests that run setup tests", settings.setup_test_requests_per_minute, _MINUTE, _runs_tests),
            _Limit("requests that run setup tests", settings.setup_test_requests_per_hour, _HOUR, _runs_tests),
            _Limit("requests that talk to a source", settings.source_requests_per_minute, _MINUTE, _reads_source),
            _Limit("requests that talk to a source", settings.source_requests_per_hour, _HOUR, _reads_source),
        )
        self._limits = tuple(limit for limit in limits if limit.most)
        self._windows: dict[str, tuple[_Window, ...]] = {}

    def check(self, account_id: str, method: str, path: str, body: Mapping[str, Any]) -> None:
        """Count a request, or refuse it; a refused one does not count.

        Raises:
            TooManyRequests: with the seconds until it would pass.
        """
        windows = self._windows.get(account_id)
        if windows is None:
            windows = self._windows[account_id] = tuple(_Window(limit) for limit in self._limits)
        concerned = [window for window in windows if window.limit.counts(method, path, body)]
        now = self._clock()
        for window in concerned:
            wait = window.wait(now)
            if wait > 0:
                raise _too_many(window.limit, wait)
        for window in concerned:
            window.count(now)


def _too_many(limit: _Limit, wait: float) -> TooManyRequests:
    seconds = math.ceil(wait)
    period = "a minute" if limit.window == _MINUTE else "an hour"
    return TooManyRequests(
        f"This account has made {limit.most} {limit.kind}, which is the limit for {period}. "
        f"Try again in {seconds} seconds.",
        retry_after=seconds,
    )


def _always(_method: str, _path: str, _body: Mapping[str, Any]) -> bool:
    return True


def _runs_tests(method: str, path: str, body: Mapping[str, Any]) -> bool:
    if not _TESTING.match(path) or body.get("run_setup_tests") is False:
        return False
    if method == "PATCH":  # pausing a connection, for one, tests nothing
        return body.get("run_setup_tests") is True or not _SETUP.isdisjoint(body)
    return method == "POST"


def _reads_source(method: str, path: str, _body: Mapping[str, Any]) -> bool:
    return method == "POST" and bool(_READING_SOURCE.match(path))
