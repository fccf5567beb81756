"""What can go wrong with the entities of a namespace, in words meant for the person who asked.

The AMQP side and the administration side translate these into conditions and status codes; the
message of each names the thing, the value and the remedy, and never holds a secret.
"""


class EmulatorError(Exception):
    """The base of every error that a client of the emulator may be told about."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class EntityExistsError(EmulatorError):
    """An entity of that name is there already (HTTP 409, `amqp:entity-already-exists`)."""


class EntityNotFoundError(EmulatorError):
    """No entity has that name (HTTP 404, `amqp:not-found`)."""


class InvalidEntityError(EmulatorError, ValueError):
    """A name, property, rule or request cannot be accepted as it is (HTTP 400, `amqp:not-allowed`)."""


class UnauthorizedError(EmulatorError):
    """A token is missing, wrong, expired or lacks a claim (HTTP 401, `amqp:unauthorized-access`)."""
