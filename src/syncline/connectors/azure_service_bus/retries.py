"""Trying again: how often, how long apart, and after which failures."""

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.azure_service_bus.failures import is_refusal, source_error
from syncline.connectors.errors import SourceUnavailable

T = TypeVar("T")

ATTEMPTS = 6
"""How often a request is made before the source counts as unavailable."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 8.0


class Retries:
    """Makes the requests of one reader, again where a failure may pass.

    That is when the connection failed, and when credentials are refused that were good until then: the token of a long
    read may have ended. `reset` is called after every failure; the next attempt has to connect anew.
    """

    def __init__(self, namespace: Namespace, subject: str, stop: threading.Event, reset: Callable[[], None]) -> None:
        self._namespace = namespace
        self._subject = subject
        self._stop = stop
        self._reset = reset
        self._was_accepted = False
        """Whether the credentials were good for a request over the present connection."""

    def call(self, request: Callable[[], T]) -> T:
        """What the request gives.

        Raises:
            SourceError: It failed for good, or too often.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = request()
            except Exception as error:
                self._reset()
                failure = source_error(error, self._namespace, self._subject)
                token_ended = self._was_accepted and is_refusal(error)
                self._was_accepted = False
                if attempt == ATTEMPTS or not (token_ended or isinstance(failure, SourceUnavailable)):
                    raise failure from error
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.5, 1.5)  # noqa: S311
                if self._stop.wait(pause):
                    raise failure from error
            else:
                self._was_accepted = True
                return answer
        raise AssertionError("the last attempt returns or raises")
