"""The management node of an entity: requests about messages, locks, schedules, sessions and rules."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from syncline.amqp import Int, Symbol
from syncline.emulator import message_operations, rule_operations, session_operations
from syncline.emulator.addresses import Address
from syncline.emulator.conditions import InvalidRequestError, condition_of, status_code_of
from syncline.emulator.descriptions import Claim
from syncline.emulator.errors import EmulatorError
from syncline.emulator.operations import Answer, Operation
from syncline.emulator.requests import Request, Response

if TYPE_CHECKING:
    from syncline.emulator.amqp_connection import AmqpConnection

_PREFIX = "com.microsoft:"

_OPERATIONS: Mapping[str, tuple[Claim, Callable[[Operation], Answer]]] = {
    "peek-message": ("Listen", message_operations.peek),
    "receive-by-sequence-number": ("Listen", message_operations.receive_by_sequence_number),
    "renew-lock": ("Listen", message_operations.renew_lock),
    "update-disposition": ("Listen", message_operations.update_disposition),
    "schedule-message": ("Send", message_operations.schedule),
    "cancel-scheduled-message": ("Send", message_operations.cancel_scheduled),
    "get-message-sessions": ("Listen", session_operations.list_sessions),
    "renew-session-lock": ("Listen", session_operations.renew),
    "get-session-state": ("Listen", session_operations.get_state),
    "set-session-state": ("Listen", session_operations.set_state),
    "add-rule": ("Listen", rule_operations.add),
    "remove-rule": ("Listen", rule_operations.remove),
    "enumerate-rules": ("Listen", rule_operations.enumerate_rules),
}

_DESCRIPTIONS = {200: "OK", 204: "No Content"}


def answer_management(connection: "AmqpConnection", address: Address, request: Request) -> Response:
    """Carry out a request to `<entity>/$management`."""
    try:
        answer = _carry_out(connection, address, request)
    except EmulatorError as error:
        return Response(
            {
                "statusCode": Int(status_code_of(error)),
                "statusDescription": error.message,
                "errorCondition": Symbol(condition_of(error)),
            }
        )
    properties: dict[str, Any] = {
        "statusCode": Int(answer.status_code),
        "statusDescription": _DESCRIPTIONS[answer.status_code],
    }
    return Response(properties, answer.body, answer.encoded_body)


def _carry_out(connection: "AmqpConnection", address: Address, request: Request) -> Answer:
    name = request.properties.get("operation")
    known = _OPERATIONS.get(name.removeprefix(_PREFIX)) if isinstance(name, str) else None
    if known is None:
        raise InvalidRequestError(
            f"The operation '{name}' is not known. Known are {', '.join(_PREFIX + known for known in _OPERATIONS)}."
        )
    claim, carry_out = known
    entity = Address(address.entity, address.subscription, address.sub_queue)
    connection.claims.check(address.path, claim)
    connection.faults.check_request(entity.path)
    body = request.body if request.body is not None else {}
    if not isinstance(body, dict):
        raise InvalidRequestError(f"The body of '{name}' must be a map, not {type(body).__name__}.")
    return carry_out(Operation(connection, entity, body))
