"""Request and response over a pair of links, as `$cbs` and `$management` are used.

The client sends requests on one link and receives the answers on another that it attached from
the same node. An answer waits for credit; a client that lets too many of them wait loses its link.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncline.amqp import (
    Accepted,
    AmqpException,
    Error,
    ErrorCondition,
    IncomingDelivery,
    Message,
    Properties,
    ReceivingLink,
    Rejected,
    SendingLink,
    Value,
    encode_application_properties,
    encode_properties,
    encode_value,
)
from syncline.emulator.addresses import Address
from syncline.emulator.links import LinkHandler, fits

if TYPE_CHECKING:
    from syncline.emulator.amqp_connection import AmqpConnection

REQUEST_CREDIT = 100
MOST_WAITING_RESPONSES = 500
_VALUE_SECTION = b"\x00\x53\x77"
"""The descriptor of an amqp-value section (part 3, section 3.2.8)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a node gets it: its application properties and the value in its body."""

    properties: Mapping[str, Any]
    body: Any


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: its application properties and its body, a value or one that is encoded already."""

    properties: Mapping[str, Any]
    body: Any = None
    encoded_body: bytes | None = None

    def encode(self, correlation_id: Any) -> bytes:
        """The answer as a message to the request of that identifier."""
        body = encode_value(self.body) if self.encoded_body is None else self.encoded_body
        return b"".join(
            (
                encode_properties(Properties(correlation_id=correlation_id)),
                encode_application_properties(dict(self.properties)),
                _VALUE_SECTION,
                body,
            )
        )


Node = Callable[["AmqpConnection", Address, Request], Response]
"""Answers one request to the node at an address."""


class ResponseLink(LinkHandler):
    """Carries answers to the client, as its credit allows."""

    def __init__(self, connection: "AmqpConnection", link: SendingLink, path: str) -> None:
        super().__init__(path, None)
        self.link = link
        self._connection = connection
        self._waiting: deque[bytes] = deque()
        self._count = 0
        link.accept()

    def respond(self, payload: bytes) -> None:
        """Send an answer now, or when there is credit for it."""
        if len(self._waiting) >= MOST_WAITING_RESPONSES:
            self.link.detach(
                Error(
                    ErrorCondition.RESOURCE_LIMIT_EXCEEDED,
                    f"{MOST_WAITING_RESPONSES} answers wait for credit. Grant credit to the link of the answers.",
                )
            )
            self._waiting.clear()
            return
        if not fits(self.link, payload):
            self.link.detach(
                Error(
                    ErrorCondition.MESSAGE_SIZE_EXCEEDED,
                    f"The answer has {len(payload)} bytes, more than the link takes. Ask for less at a time.",
                )
            )
            return
        self._waiting.append(payload)
        self.on_flow()

    def on_flow(self) -> None:
        """Send what waits."""
        while self._waiting and self.link.credit > 0 and not self.link.detached:
            self._count += 1
            self.link.send(self._waiting.popleft(), delivery_tag=self._count.to_bytes(8, "big"), settled=True)
        if self.link.drain and not self._waiting:
            self.link.drained()

    def on_detached(self) -> None:
        """Drop what waits."""
        self._waiting.clear()


class RequestLink(LinkHandler):
    """Takes requests and hands them to the node."""

    def __init__(self, connection: "AmqpConnection", link: ReceivingLink, address: Address, node: Node) -> None:
        super().__init__(address.path, None)
        self._connection = connection
        self._link = link
        self._address = address
        self._node = node
        link.accept(max_message_size=connection.options.max_request_size)
        link.grant(REQUEST_CREDIT)

    def on_delivery(self, delivery: IncomingDelivery) -> None:
        """Read the request, have it answered, and send the answer."""
        if self._link.credit < REQUEST_CREDIT // 2:
            self._link.grant(REQUEST_CREDIT - self._link.credit)
        try:
            message = Message.decode(delivery.payload)
        except AmqpException as error:
            delivery.settle(Rejected(Error(ErrorCondition.DECODE_ERROR, f"The request cannot be read: {error}")))
            return
        properties = message.properties or Properties()
        responses = self._connection.response_link(self._address.path, properties.reply_to, self._link.session)
        if responses is None:
            delivery.settle(
                Rejected(
                    Error(
                        ErrorCondition.NOT_FOUND,
                        f"Nothing receives the answers. Attach a link that receives from '{self.path}' first.",
                    )
                )
            )
            return
        delivery.settle(Accepted())
        body = message.body.value if isinstance(message.body, Value) else None
        request = Request(message.application_properties or {}, body)
        response = self._node(self._connection, self._address, request)
        responses.respond(response.encode(properties.message_id))
