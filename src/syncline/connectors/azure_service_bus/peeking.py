"""Peeking into a queue or a subscription.

The request is the one that the SDK makes in `peek_messages`, over its connection and with its retries; but what comes
is taken as the encoded messages. Decoding them to the SDK's objects takes longer than all else that reading does, and
fails for all messages of a request when one holds a type that the SDK lacks (char, decimal32, decimal64).
"""

from typing import Any

from azure.servicebus import ServiceBusReceiver
from azure.servicebus._common import mgmt_handlers

from syncline.connectors.azure_service_bus import encoded
from syncline.connectors.azure_service_bus.pages import Page

_PEEK = b"com.microsoft:peek-message"
_OK = 200


def peek_page(receiver: ServiceBusReceiver, sequence_number: int, count: int) -> Page | None:
    """Up to `count` messages from a sequence number on; None when there are none.

    Raises:
        ServiceBusError: As `peek_messages` of the SDK.
        DecodeError: What came is no page of messages.
    """

    def taken(status: int, message: Any, description: Any, amqp_transport: Any) -> list[bytes]:
        if status != _OK:
            return mgmt_handlers.peek_op(  # type: ignore[no-untyped-call,no-any-return]
                status, message, description, receiver, amqp_transport
            )
        return [entry[b"message"] for entry in message.value[b"messages"]]

    messages = receiver._mgmt_request_response_with_retry(
        _PEEK,
        {"from-sequence-number": receiver._amqp_transport.AMQP_LONG_VALUE(sequence_number), "message-count": count},
        taken,
    )
    return encoded.page(messages) if messages else None
