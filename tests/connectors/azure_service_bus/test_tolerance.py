"""What is drained reaches us as it was encoded, whatever its size and whatever it holds."""

from types import SimpleNamespace
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus._pyamqp._decode import decode_payload

from syncline.amqp import Header, Message, Symbol, Timestamp
from syncline.connectors.azure_service_bus import drain
from syncline.connectors.azure_service_bus.tolerance import keep_encoded
from syncline.emulator.emulator import EmulatorThread
from tests.connectors.azure_service_bus.conftest import SUBSCRIPTION, Publish, context_for, read_all, rows


def test_messages_of_one_and_of_several_frames_are_drained(
    emulator: EmulatorThread, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "EMPTY_AFTER", 0.4)
    bodies = {f"m{size}": bytes(place % 251 for place in range(size)) for size in (0, 1, 63_000, 63_488, 250_000)}
    for name, body in bodies.items():
        publish([ServiceBusMessage(body, message_id=name, application_properties={"name": name})])
    context = context_for(
        emulator.connection_string("Listen"), topics=["orders"], subscriber_name=SUBSCRIPTION, read_mode="Drain"
    )
    found = rows(read_all(context))
    assert {row["message_id"]: row["body"] for row in found} == bodies
    assert all(row["application_properties"] == f'{{"name":"{row["message_id"]}"}}' for row in found)
    assert None not in [row["enqueued_time"] for row in found]


@pytest.mark.parametrize("tail", [b"", b"\x00\x53", b"garbage", b"\x00\x53\x74\xd1", b"\x00\x53\x79\x40"])
def test_the_sdk_sees_header_and_annotations_alone(tail: bytes) -> None:
    annotations = {Symbol("x-opt-locked-until"): Timestamp(5)}
    payload = Message(header=Header(delivery_count=2), message_annotations=annotations).encode() + tail
    taken: list[Any] = []
    link = SimpleNamespace(_incoming_transfer=taken.append, _received_payload=bytearray(payload[:10]))
    keep_encoded(link)
    link._incoming_transfer([0, 1, b"tag", None, None, False, *[None] * 5, memoryview(payload[10:])])
    (frame,) = taken
    message = decode_payload(frame[11])
    assert message.header is not None
    assert message.header.delivery_count == 2
    assert message.message_annotations == {b"x-opt-locked-until": 5}
    assert message.data == [payload]
