"""Trouble on demand: what a client meets in production, when a test asks for it.

A fault is a small mapping, the same in Python and as JSON over the control API::

    {"fault": "drop_connections"}                              every connection is cut, now
    {"fault": "throttle", "entity": "orders", "seconds": 5}    server-busy for requests, attaches, sends
    {"fault": "detach_links"}                                  links are detached, as after 10 idle minutes
    {"fault": "delay", "milliseconds": 200}                    everything a client sends is handled late
    {"fault": "expire_token"}                                  every authorisation ends, links are detached
    {"fault": "fill", "entity": "orders", "count": 3}          sends are refused, the entity being full
    {"fault": "disable", "entity": "orders"}                   attaches and sends are refused

`entity` limits a fault to one entity and what is below it; without it, or with null, all are meant.
`seconds` says how long it lasts and `count` how often it strikes; without either it lasts until
:meth:`Faults.clear`. With one of them, `drop_connections` cuts new connections as well. A delay may
also be given as `{"fault": "delay", "seconds": 0.2}`: its seconds are the delay itself.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from syncline.emulator.conditions import EntityDisabledError, QuotaExceededError, ServerBusyError
from syncline.emulator.errors import InvalidEntityError

KNOWN_FAULTS = ("drop_connections", "detach_links", "throttle", "delay", "expire_token", "fill", "disable")
_FIELDS = frozenset({"fault", "entity", "seconds", "milliseconds", "count"})


@dataclass(slots=True)
class _Fault:
    """A fault in force. `until` is monotonic seconds; `remaining` counts down; None has no end."""

    entity: str | None
    until: float | None
    remaining: int | None
    delay: float = 0.0

    def strikes(self, path: str, now: float) -> bool:
        """Whether the fault concerns `path` now; counts the strike."""
        if not self.is_in_force(now):
            return False
        path = path.lower()
        if self.entity is not None and path != self.entity and not path.startswith(self.entity + "/"):
            return False
        if self.remaining is not None:
            self.remaining -= 1
        return True

    def is_in_force(self, now: float) -> bool:
        """Whether neither the time nor the number of strikes is used up."""
        return (self.until is None or now < self.until) and (self.remaining is None or self.remaining > 0)


class Faults:
    """The faults in force. What starts with `on_` is set by the server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.on_drop_connections: Callable[[], None] = _nothing
        self.on_expire_token: Callable[[], None] = _nothing
        self.on_detach_links: Callable[[str | None], None] = _nothing_with
        self._clock = clock
        self._active: dict[str, list[_Fault]] = {}

    def apply(self, spec: Mapping[str, object]) -> None:
        """Bring about what the specification says.

        :raises InvalidEntityError: a field is unknown or has a value that cannot be.
        """
        name = spec.get("fault")
        if name not in KNOWN_FAULTS:
            raise InvalidEntityError(f"'{name}' is no fault. Known faults: {', '.join(KNOWN_FAULTS)}.")
        unknown = sorted(set(map(str, spec)) - _FIELDS)
        if unknown:
            raise InvalidEntityError(
                f"A fault has no field '{unknown[0]}'. Known fields: {', '.join(sorted(_FIELDS))}."
            )
        seconds = _number(spec, "seconds")
        milliseconds = _number(spec, "milliseconds")
        count = spec.get("count")
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
            raise InvalidEntityError(f"The field 'count' is a whole number from 1 on, not {count!r}.")
        entity = spec.get("entity")
        if entity is not None and not isinstance(entity, str):
            raise InvalidEntityError(f"The field 'entity' is the name of an entity or null, not {entity!r}.")
        delay = 0.0
        if name == "delay":
            if seconds is None and milliseconds is None:
                raise InvalidEntityError("A delay needs 'milliseconds' (or 'seconds'): how long to wait each time.")
            delay = (milliseconds or 0.0) / 1000 + (seconds or 0.0)
            seconds = None
        until = None if seconds is None else self._clock() + seconds
        fault = _Fault(entity.strip("/").lower() if entity else None, until, count, delay)
        if name == "expire_token":
            self.on_expire_token()
        elif name == "detach_links":
            self.on_detach_links(fault.entity)
        elif name == "drop_connections":
            if seconds is not None or count is not None:
                self._active.setdefault(name, []).append(fault)
            self.on_drop_connections()
        else:
            self._active.setdefault(str(name), []).append(fault)

    def clear(self) -> None:
        """End every fault."""
        self._active.clear()

    def refuses_connection(self) -> bool:
        """Whether a new connection is to be cut at once."""
        return self._strikes("drop_connections", "") is not None

    def delay(self) -> float:
        """How long to wait, in seconds, before handling what a client sent."""
        if "delay" not in self._active:
            return 0.0
        fault = self._strikes("delay", "")
        return fault.delay if fault else 0.0

    def check_request(self, path: str) -> None:
        """Raise ServerBusyError while requests about that entity are throttled."""
        if self._active and self._strikes("throttle", path):
            raise ServerBusyError(
                "The request was terminated because the entity is being throttled. Wait 10 seconds and try again."
            )

    def check_attach(self, path: str) -> None:
        """Raise while links to that entity are throttled or the entity is disabled."""
        self.check_request(path)
        if self._active and self._strikes("disable", path):
            raise EntityDisabledError(f"'{path}' is disabled. Set its status to Active.")

    def check_send(self, path: str) -> None:
        """Raise while sends to that entity are throttled, or the entity is disabled or full."""
        self.check_attach(path)
        if self._active and self._strikes("fill", path):
            raise QuotaExceededError(f"'{path}' has reached its size. Receive or expire what it holds.")

    def _strikes(self, name: str, path: str) -> _Fault | None:
        faults = self._active.get(name)
        if not faults:
            return None
        now = self._clock()
        struck = next((fault for fault in faults if fault.strikes(path, now)), None)
        faults[:] = [fault for fault in faults if fault.is_in_force(now)]
        if not faults:
            del self._active[name]
        return struck


def _nothing() -> None:
    """What happens on a fault while nobody serves."""


def _nothing_with(_: object) -> None:
    """The same, for a fault that concerns an entity."""


def _number(spec: Mapping[str, object], name: str) -> float | None:
    value = spec.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise InvalidEntityError(f"The field '{name}' is a number from 0 on, not {value!r}.")
    return float(value)
