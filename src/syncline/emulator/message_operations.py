"""Requests about messages: browse, receive what was deferred, locks, settlement, schedules."""

import struct
from collections.abc import Iterable
from uuid import UUID

from syncline.amqp import Array, Timestamp, encode_value
from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.conditions import InvalidRequestError
from syncline.emulator.operations import NOTHING, Answer, Operation
from syncline.emulator.stored_message import StoredMessage
from syncline.emulator.topics import Topic

MOST_PEEKED = 250
MOST_PEEKED_BYTES = 1024 * 1024
"""How many messages, and about how many bytes of them, one answer to a peek carries."""

_SETTLED_MODE = 0

# A peek is answered without an object for each message: {"messages": [{"message": <binary>}, ...]}
# is written out directly. Codes: map32 0xd1, list32 0xd0, map8 0xc1, binary32 0xb0 (part 1, section 1.6).
_MESSAGES_KEY = encode_value("messages")
_MESSAGE_KEY = encode_value("message")
_LARGE_HEAD = struct.Struct(">BII")
_ENTRY_HEAD = struct.Struct(f">BII{len(_MESSAGE_KEY)}sBI")


def peek(operation: Operation) -> Answer:
    """`peek-message`: messages from a sequence number on, without locking them."""
    first = operation.integer("from-sequence-number", at_least=-(2**63))
    limit = min(operation.integer("message-count", at_least=1), MOST_PEEKED)
    namespace, address = operation.connection.namespace, operation.address
    if address.subscription is None and isinstance(target := namespace.destination(address.entity), Topic):
        found = target.peek_scheduled(first, limit)
    else:
        found = operation.store.peek(
            first, limit, max_bytes=MOST_PEEKED_BYTES, session_id=operation.optional_text("session-id")
        )
    return Answer(encoded_body=_encode_messages(found)) if found else NOTHING


def receive_by_sequence_number(operation: Operation) -> Answer:
    """`receive-by-sequence-number`: deferred messages, locked or, in the settled mode, removed."""
    numbers = operation.integers("sequence-numbers")
    lock = operation.integer("receiver-settle-mode") != _SETTLED_MODE
    session = operation.held_session() if operation.body.get("session-id") is not None else None
    operation.connection.namespace.source(operation.address).check_may_receive()
    found = operation.store.receive_deferred(numbers, lock=lock, session=session)
    messages: list[dict[str, object]] = []
    for stored in found:
        entry: dict[str, object] = {"message": stored.encode()}
        if stored.lock_token is not None:
            entry["lock-token"] = UUID(bytes_le=stored.lock_token)
        messages.append(entry)
    return Answer({"messages": messages})


def renew_lock(operation: Operation) -> Answer:
    """`renew-lock`: hold messages for longer."""
    until = operation.store.renew(operation.lock_tokens())
    return Answer({"expirations": Array("timestamp", [Timestamp(moment) for moment in until])})


def update_disposition(operation: Operation) -> Answer:
    """`update-disposition`: settle locked messages by their tokens."""
    store, tokens = operation.store, operation.lock_tokens()
    status = operation.text("disposition-status")
    changes = operation.body.get("properties-to-modify") or {}
    if not isinstance(changes, dict):
        raise InvalidRequestError("The field 'properties-to-modify' must be a map.")
    properties = {str(name): value for name, value in changes.items()}
    if operation.body.get("session-id") is not None:
        operation.held_session()
    for token in tokens:
        match status:
            case "completed":
                store.complete(token)
            case "abandoned":
                store.abandon(token, properties)
            case "defered" | "deferred":
                store.defer(token, properties)
            case "suspended":
                reason = operation.optional_text("deadletter-reason") or ""
                store.dead_letter(token, reason, operation.optional_text("deadletter-description"), properties)
            case _:
                raise InvalidRequestError(
                    f"The field 'disposition-status' has the value '{status}'; it must be 'completed', 'abandoned', "
                    "'defered' or 'suspended'."
                )
    return Answer({})


def schedule(operation: Operation) -> Answer:
    """`schedule-message`: put messages into the entity for a later time."""
    entries = operation.body.get("messages")
    if not isinstance(entries, list) or not entries:
        raise InvalidRequestError("The field 'messages' must be a list of at least one map.")
    contents = [BrokeredMessage(_encoded_message(entry)) for entry in entries]
    operation.connection.faults.check_send(operation.address.path)
    numbers = operation.connection.namespace.destination(operation.address.entity).send(contents)
    return Answer({"sequence-numbers": Array("long", numbers)})


def cancel_scheduled(operation: Operation) -> Answer:
    """`cancel-scheduled-message`: take scheduled messages back."""
    operation.connection.namespace.destination(operation.address.entity).cancel_scheduled(
        operation.integers("sequence-numbers")
    )
    return Answer({})


def _encoded_message(entry: object) -> bytes:
    message = entry.get("message") if isinstance(entry, dict) else None
    if not isinstance(message, bytes):
        raise InvalidRequestError("Each of 'messages' must be a map with the encoded message as 'message'.")
    return message


def _encode_messages(messages: Iterable[StoredMessage]) -> bytes:
    parts = [b""]
    count = 0
    for stored in messages:
        encoded = stored.encode()
        size = len(encoded)
        parts.append(_ENTRY_HEAD.pack(0xD1, 4 + len(_MESSAGE_KEY) + 5 + size, 2, _MESSAGE_KEY, 0xB0, size))
        parts.append(encoded)
        count += 1
    entries = sum(map(len, parts))
    listed = _LARGE_HEAD.pack(0xD0, entries + 4, count)
    parts[0] = _LARGE_HEAD.pack(0xD1, 4 + len(_MESSAGES_KEY) + len(listed) + entries, 2) + _MESSAGES_KEY + listed
    return b"".join(parts)
