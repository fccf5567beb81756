"""What the broker refuses, as the AMQP error conditions that clients of the service know.

Every refusal carries the condition for a link or a disposition and the status code for an answer
on a request-response link.
"""

from syncline.emulator.errors import (
    EmulatorError,
    EntityExistsError,
    EntityNotFoundError,
    InvalidEntityError,
    UnauthorizedError,
)


class BrokerError(EmulatorError):
    """A request that the broker will not carry out; the base of all below."""

    condition = "amqp:internal-error"
    status_code = 500


class MessageLockLostError(BrokerError):
    """The lock of a message has run out, was settled already, or never was."""

    condition = "com.microsoft:message-lock-lost"
    status_code = 410


class SessionLockLostError(BrokerError):
    """The lock of a session has run out or belongs to another receiver."""

    condition = "com.microsoft:session-lock-lost"
    status_code = 410


class SessionCannotBeLockedError(BrokerError):
    """Another receiver holds the session."""

    condition = "com.microsoft:session-cannot-be-locked"
    status_code = 410


class MessageNotFoundError(BrokerError):
    """No message has that sequence number in the state that was asked for."""

    condition = "com.microsoft:message-not-found"
    status_code = 404


class EntityDisabledError(BrokerError):
    """The entity's status does not allow sending or receiving."""

    condition = "com.microsoft:entity-disabled"
    status_code = 400


class QuotaExceededError(BrokerError):
    """The entity holds as many bytes as it may."""

    condition = "amqp:resource-limit-exceeded"
    status_code = 403


class MessageTooLargeError(BrokerError):
    """A message is larger than the entity allows."""

    condition = "amqp:link:message-size-exceeded"
    status_code = 400


class ServerBusyError(BrokerError):
    """The namespace asks its clients to slow down."""

    condition = "com.microsoft:server-busy"
    status_code = 503


class OperationTimeoutError(BrokerError):
    """What was waited for did not come in time."""

    condition = "com.microsoft:timeout"
    status_code = 408


class InvalidRequestError(BrokerError):
    """A request lacks something or has it in a form that cannot be read."""

    condition = "com.microsoft:argument-error"
    status_code = 400


class InvalidOperationError(BrokerError):
    """The operation does not fit the entity, such as a session of a queue without sessions."""

    condition = "amqp:not-allowed"
    status_code = 400


class UnreadableMessageError(BrokerError):
    """The bytes of a message are not an AMQP message."""

    condition = "amqp:decode-error"
    status_code = 400


_CONDITIONS: dict[type[EmulatorError], tuple[str, int]] = {
    EntityNotFoundError: ("amqp:not-found", 404),
    EntityExistsError: ("com.microsoft:entity-already-exists", 409),
    InvalidEntityError: ("com.microsoft:argument-error", 400),
    UnauthorizedError: ("amqp:unauthorized-access", 401),
}


def condition_of(error: EmulatorError) -> str:
    """The AMQP error condition that stands for `error`."""
    if isinstance(error, BrokerError):
        return error.condition
    return _CONDITIONS.get(type(error), (BrokerError.condition, 0))[0]


def status_code_of(error: EmulatorError) -> int:
    """The status code that answers a request which met `error`."""
    if isinstance(error, BrokerError):
        return error.status_code
    return _CONDITIONS.get(type(error), ("", BrokerError.status_code))[1]
