"""SASL before the AMQP connection (part 5, section 5.3): what each side may be told, and its exchange."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from syncline.amqp.conditions import ErrorCondition
from syncline.amqp.errors import ConnectionFault
from syncline.amqp.performatives import (
    SaslChallenge,
    SaslCode,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    SaslResponse,
)

Authenticate = Callable[[str, bytes, str | None], bool]

# Mechanisms in which the client has something to say; it may say it in its init or after an empty challenge.
_CLIENT_SPEAKS: Final = frozenset({"PLAIN"})


def accept_everyone(mechanism: str, response: bytes, hostname: str | None) -> bool:
    """Authenticate nobody in particular: authorization happens later, link by link."""
    return True


@dataclass(frozen=True, slots=True)
class SaslServer:
    """What a server offers, and who may pass: `authenticate(mechanism, response, hostname)`."""

    mechanisms: tuple[str, ...] = ("MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL")
    authenticate: Authenticate = accept_everyone


@dataclass(frozen=True, slots=True)
class SaslClient:
    """What a client is ready to use, best first; user name and password are for PLAIN."""

    mechanisms: tuple[str, ...] = ("ANONYMOUS",)
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"SaslClient(mechanisms={self.mechanisms!r}, username={self.username!r})"


class ServerNegotiation:
    """The server's side of one exchange. `succeeded` is None until it is decided."""

    def __init__(self, config: SaslServer) -> None:
        self._config = config
        self._hostname: str | None = None
        self.mechanism: str | None = None
        self.response = b""
        self.succeeded: bool | None = None

    def start(self) -> list[object]:
        """What the server says first."""
        return [SaslMechanisms(self._config.mechanisms)]

    def receive(self, performative: Any) -> list[object]:
        """Take what the client says; answers what to say. Raises ConnectionFault when it cannot be said now."""
        if isinstance(performative, SaslInit) and self.mechanism is None:
            self.mechanism, self._hostname = str(performative.mechanism), performative.hostname
            if performative.initial_response is None and self.mechanism in _CLIENT_SPEAKS:
                return [SaslChallenge(b"")]
            return self._decide(performative.initial_response or b"")
        if isinstance(performative, SaslResponse) and self.mechanism is not None:
            return self._decide(performative.response)
        raise _out_of_turn(performative)

    def _decide(self, response: bytes) -> list[object]:
        self.response = response
        mechanism = self.mechanism or ""
        self.succeeded = mechanism in self._config.mechanisms and self._config.authenticate(
            mechanism, response, self._hostname
        )
        return [SaslOutcome(SaslCode.OK if self.succeeded else SaslCode.AUTH)]


class ClientNegotiation:
    """The client's side of one exchange. `succeeded` is None until it is decided."""

    def __init__(self, config: SaslClient, hostname: str | None) -> None:
        self._config = config
        self._hostname = hostname
        self.mechanism: str | None = None
        self.response = b""
        self.succeeded: bool | None = None

    def start(self) -> list[object]:
        """What the client says first: nothing, the server begins."""
        return []

    def receive(self, performative: Any) -> list[object]:
        """Take what the server says; answers what to say. Raises ConnectionFault when no mechanism fits."""
        if isinstance(performative, SaslMechanisms) and self.mechanism is None:
            offered = [str(each) for each in performative.sasl_server_mechanisms]
            self.mechanism = next((each for each in self._config.mechanisms if each in offered), None)
            if self.mechanism is None:
                raise ConnectionFault(
                    ErrorCondition.UNAUTHORIZED_ACCESS,
                    f"the server offers SASL {', '.join(offered)}: none of {', '.join(self._config.mechanisms)}",
                )
            return [SaslInit(self.mechanism, self._initial_response(), self._hostname)]
        if isinstance(performative, SaslChallenge) and self.mechanism is not None:
            return [SaslResponse(self._initial_response())]
        if isinstance(performative, SaslOutcome) and self.mechanism is not None:
            self.succeeded = performative.code == SaslCode.OK
            return []
        raise _out_of_turn(performative)

    def _initial_response(self) -> bytes:
        if self.mechanism == "PLAIN":
            return f"\0{self._config.username}\0{self._config.password}".encode()
        return b""


Negotiation = ServerNegotiation | ClientNegotiation


def _out_of_turn(performative: object) -> ConnectionFault:
    return ConnectionFault(
        ErrorCondition.ILLEGAL_STATE, f"{type(performative).__name__} has no place at this point of the SASL exchange"
    )
