"""A client without an SDK, for what no SDK does: it says exactly what it is told to, on one connection."""

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from syncline.amqp import (
    Connection,
    DeliveryReceived,
    Event,
    LinkAttached,
    LinkFlow,
    Message,
    Properties,
    ReceivingLink,
    SendingLink,
    Session,
    Value,
)
from syncline.emulator.descriptions import AccessPolicy
from syncline.emulator.tokens import create_sas_token

ROOT = AccessPolicy("RootManageSharedAccessKey", "SAS_KEY_VALUE")

Kind = TypeVar("Kind", bound=Event)


class RawClient:
    """One connection over asyncio streams; `events` keeps all that happened on it, in order.

    `reads` counts how often something came from the emulator.
    """

    def __init__(self, port: int, *, idle_timeout: float | None = None) -> None:
        self.port = port
        self.engine = Connection.client("raw", "127.0.0.1", idle_timeout=idle_timeout)
        self.reads = 0
        self.events: list[Event] = []
        self.session: Session
        self._changed = asyncio.Event()
        self._nodes: dict[str, tuple[SendingLink, ReceivingLink]] = {}

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.engine.open()
        self.session = self.engine.begin()
        self._task = asyncio.create_task(self._read())
        self.flush()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()

    def flush(self) -> None:
        """Send what the engine has to send."""
        self._writer.write(self.engine.data_to_send(asyncio.get_running_loop().time()))

    def write(self, data: bytes) -> None:
        """Send bytes past the engine."""
        self._writer.write(data)

    def stop_reading(self) -> None:
        """Leave whatever comes in the socket from now on."""
        self._task.cancel()

    async def wait_for(self, kind: type[Kind], **fields: object) -> Kind:
        """The first event of that kind, past or future, whose fields have these values."""
        async with asyncio.timeout(5):
            while True:
                for event in self.events:
                    if isinstance(event, kind) and all(getattr(event, name) == fields[name] for name in fields):
                        return event
                self._changed.clear()
                await self._changed.wait()

    async def put_token(self, audience: str, policy: AccessPolicy = ROOT, *, lifetime: float = 3600) -> int:
        """Authorise an audience; returns the status code of the answer."""
        resource = f"sb://127.0.0.1:{self.port}/{audience}"
        token = create_sas_token(resource, policy, datetime.now(UTC) + timedelta(seconds=lifetime))
        properties = {"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": resource}
        answer = await self.ask("$cbs", properties, token)
        return int((answer.application_properties or {})["status-code"])

    async def manage(self, entity: str, operation: str, body: Any) -> Message:
        """The answer of the entity's management node to a request."""
        return await self.ask(f"{entity}/$management", {"operation": f"com.microsoft:{operation}"}, body)

    async def ask(self, node: str, properties: dict[str, Any], body: Any) -> Message:
        """Send a request to a node and return its answer."""
        if node not in self._nodes:
            sender = self.session.attach_sender(f"{node}-requests", source="client", target=node)
            receiver = self.session.attach_receiver(f"{node}-answers", source=node, target="client", credit=100)
            self._nodes[node] = (sender, receiver)
            self.flush()
            await self.wait_for(LinkAttached, link=sender)
            await self.wait_for(LinkAttached, link=receiver)
            await self.wait_for(LinkFlow, link=sender)
        sender, receiver = self._nodes[node]
        seen = len(self.events)
        request = Message(
            properties=Properties(message_id=str(uuid.uuid4()), reply_to="client"),
            application_properties=properties,
            body=Value(body),
        )
        sender.send(request.encode(), delivery_tag=uuid.uuid4().bytes, settled=True)
        self.flush()
        async with asyncio.timeout(5):
            while True:
                for event in self.events[seen:]:
                    if isinstance(event, DeliveryReceived) and event.link is receiver:
                        return event.delivery.message()
                self._changed.clear()
                await self._changed.wait()

    async def _read(self) -> None:
        clock = asyncio.get_running_loop().time
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(65_536):
                self.reads += 1
                self._take(self.engine.receive_data(data, clock()))
                self.flush()
        self._take(self.engine.receive_eof(clock()))

    def _take(self, events: list[Event]) -> None:
        self.events += events
        self._changed.set()
