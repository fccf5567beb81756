"""Requests about sessions: which there are, their locks and their state."""

from syncline.amqp import Array, Int, Timestamp
from syncline.emulator.conditions import InvalidRequestError
from syncline.emulator.operations import NOTHING, Answer, Operation
from syncline.emulator.timeline import END_OF_TIME

MOST_LISTED = 100


def list_sessions(operation: Operation) -> Answer:
    """`get-message-sessions`: sessions with content, or with a state set after a moment."""
    skip = operation.integer("skip")
    top = min(operation.integer("top", at_least=1), MOST_LISTED)
    since = operation.integer("last-updated-time", at_least=-(2**63))
    sessions = operation.store.sessions
    # A moment past the end of time asks for every session that holds something.
    names = sessions.with_content() if since > END_OF_TIME else sessions.with_state_since(since)
    page = names[skip : skip + top]
    if not page:
        return NOTHING
    return Answer({"skip": Int(skip + len(page)), "sessions-ids": Array("string", page)})


def renew(operation: Operation) -> Answer:
    """`renew-session-lock`: hold a session for longer."""
    session = operation.held_session()
    return Answer({"expiration": Timestamp(operation.store.renew_session(session.identifier))})


def get_state(operation: Operation) -> Answer:
    """`get-session-state`: the bytes kept with a session, null when there are none."""
    return Answer({"session-state": operation.held_session().state})


def set_state(operation: Operation) -> Answer:
    """`set-session-state`: keep bytes with a session, or forget them with null."""
    session = operation.held_session()
    state = operation.body.get("session-state")
    if state is not None and not isinstance(state, bytes):
        raise InvalidRequestError(f"The field 'session-state' must be binary or null, not {type(state).__name__}.")
    operation.store.set_session_state(session.identifier, state)
    return Answer({})
