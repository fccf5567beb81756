"""Addresses of entities as clients write them, and which entity they mean.

`topic`, `queue`, `topic/Subscriptions/name`, each perhaps followed by `$DeadLetterQueue` (or
`$Transfer/$DeadLetterQueue`) and by `$management`. A scheme and a host in front are ignored, and
case does not matter.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

CLAIMS_NODE = "$cbs"
MANAGEMENT_NODE = "$management"


class SubQueue(StrEnum):
    """The queues behind a queue or subscription."""

    DEAD_LETTER = "$DeadLetterQueue"
    TRANSFER_DEAD_LETTER = "$Transfer/$DeadLetterQueue"


@dataclass(frozen=True, slots=True)
class Address:
    """What an address means. `entity` is the queue's or topic's name as the client wrote it."""

    entity: str
    subscription: str | None = None
    sub_queue: SubQueue | None = None
    is_management: bool = False

    @property
    def path(self) -> str:
        """The address in lower case, without scheme and host: equal for equal meanings."""
        parts = [self.entity]
        if self.subscription is not None:
            parts += ["subscriptions", self.subscription]
        if self.sub_queue is not None:
            parts.append(self.sub_queue)
        if self.is_management:
            parts.append(MANAGEMENT_NODE)
        return "/".join(parts).lower()


def strip_host(address: str) -> str:
    """An address or audience without scheme, host and outer slashes."""
    _, scheme, rest = address.partition("://")
    path = rest.partition("/")[2] if scheme else address
    return unquote(path).strip("/")


def parse_address(text: str) -> Address:
    """Read an address. Every text means something, though perhaps nothing that exists."""
    segments = strip_host(text).split("/")
    is_management = len(segments) > 1 and segments[-1].lower() == MANAGEMENT_NODE
    if is_management:
        segments.pop()
    sub_queue = None
    lowered = [segment.lower() for segment in segments]
    if lowered[-2:] == ["$transfer", "$deadletterqueue"]:
        sub_queue = SubQueue.TRANSFER_DEAD_LETTER
        segments = segments[:-2]
    elif lowered[-1:] == ["$deadletterqueue"]:
        sub_queue = SubQueue.DEAD_LETTER
        segments = segments[:-1]
    subscription = None
    if len(segments) > 2 and segments[-2].lower() == "subscriptions":
        subscription = segments[-1]
        segments = segments[:-2]
    return Address("/".join(segments), subscription, sub_queue, is_management)
