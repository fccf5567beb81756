"""One message at its place in one queue or subscription."""

from enum import IntEnum

from syncline.emulator.brokered_message import BrokeredMessage


class MessageState(IntEnum):
    """What may happen to a message next; the numbers are those of `x-opt-message-state`."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


class StoredMessage:
    """A message in a store: the shared content and what is this copy's own.

    Times are milliseconds since 1970. `lock_token` is the 16 bytes that are also the delivery tag,
    None while nobody holds the message.
    """

    __slots__ = (
        "content",
        "delivery_count",
        "enqueue_sequence_number",
        "enqueued_at",
        "expires_at",
        "lock_token",
        "locked_until",
        "sequence_number",
        "state",
    )

    def __init__(
        self,
        content: BrokeredMessage,
        sequence_number: int,
        enqueued_at: int,
        *,
        expires_at: int | None = None,
        enqueue_sequence_number: int | None = None,
        state: MessageState = MessageState.ACTIVE,
    ) -> None:
        self.content = content
        self.sequence_number = sequence_number
        self.enqueued_at = enqueued_at
        self.expires_at = expires_at
        self.enqueue_sequence_number = enqueue_sequence_number
        self.state = state
        self.delivery_count = 0
        self.lock_token: bytes | None = None
        self.locked_until = 0

    @property
    def is_ready(self) -> bool:
        """Whether a receiver may have the message now."""
        return self.state is MessageState.ACTIVE and self.lock_token is None

    def has_expired(self, now: int) -> bool:
        """Whether the message's time to live is over and nobody holds it."""
        return (
            self.expires_at is not None
            and self.expires_at <= now
            and self.lock_token is None
            and self.state is MessageState.ACTIVE
        )

    def encode(self, *, tell_lock: bool = True) -> bytes:
        """The message as it goes to a receiver, with the header and annotations of the service.

        `tell_lock` says whether a receiver that holds the message is told until when.
        """
        return self.content.encode(
            sequence_number=self.sequence_number,
            enqueued_at=self.enqueued_at,
            state=self.state,
            delivery_count=self.delivery_count,
            time_to_live=(self.content.time_to_live if self.expires_at is None else self.expires_at - self.enqueued_at),
            locked_until=self.locked_until if tell_lock and self.lock_token is not None else None,
            enqueue_sequence_number=self.enqueue_sequence_number,
        )
