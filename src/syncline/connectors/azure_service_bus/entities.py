"""What holds messages in a namespace, and the stream that each becomes."""

from dataclasses import dataclass

DEAD_LETTER = "__dead_letter"
"""What follows the name of a topic or a queue in the name of the stream of its dead-letter queue."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A queue, a topic's subscription, or the dead-letter queue of one of them."""

    name: str
    """Of the queue or the topic."""
    subscription: str | None = None
    """None for a queue."""
    is_dead_letter: bool = False

    @property
    def stream(self) -> str:
        """The name of the stream of its messages."""
        return f"{self.name}{DEAD_LETTER}" if self.is_dead_letter else self.name

    @property
    def kind(self) -> str:
        """Whether it belongs to a `topic` or to a `queue`."""
        return "queue" if self.subscription is None else "topic"

    @property
    def path(self) -> str:
        """The path of the queue or subscription in the namespace; that of the owner for a dead-letter queue."""
        return self.name if self.subscription is None else f"{self.name}/Subscriptions/{self.subscription}"

    @property
    def address(self) -> str:
        """The path of what holds the messages, the same however its name is written."""
        return f"{self.path}/$DeadLetterQueue".casefold() if self.is_dead_letter else self.path.casefold()

    @property
    def dead_letters(self) -> "Entity":
        """Its dead-letter queue."""
        return Entity(self.name, self.subscription, is_dead_letter=True)

    def __str__(self) -> str:
        owner = (
            f"the queue {self.name}"
            if self.subscription is None
            else f"the subscription {self.subscription} of the topic {self.name}"
        )
        return f"the dead-letter queue of {owner}" if self.is_dead_letter else owner
