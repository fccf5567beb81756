"""Exceptions of the AMQP package.

Two kinds must not be mixed up: bytes that a peer got wrong (`DecodeError`) are answered on the wire, and a
caller's own misuse of this package (`LocalProtocolError`, `EncodeError`) is raised at the call.
"""

from syncline.amqp.conditions import ErrorCondition


class AmqpException(Exception):  # noqa: N818 - `Error` is a word of the protocol here
    """Base of every exception that this package raises."""


class DecodeError(AmqpException):
    """Bytes that are not what AMQP 1.0 allows at this place.

    `condition` is the AMQP error condition to answer with, `description` the words for people.
    """

    def __init__(self, description: str, condition: str = ErrorCondition.DECODE_ERROR) -> None:
        super().__init__(description)
        self.description = description
        self.condition = condition


class EncodeError(AmqpException):
    """A Python value that has no AMQP 1.0 encoding, or none in the type asked for."""


class LocalProtocolError(AmqpException):
    """A call that the protocol does not allow in the present state, such as sending without credit."""


class PeerFault(AmqpException):
    """What a peer did against the protocol. It never leaves this package: it is answered on the wire."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition
        self.description = description


class ConnectionFault(PeerFault):
    """A fault that ends the connection."""


class SessionFault(PeerFault):
    """A fault that ends the session on which it happened."""


class LinkFault(PeerFault):
    """A fault that detaches the link on which it happened."""
