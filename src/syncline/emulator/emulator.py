"""The emulator as one object: start it, use it, stop it.

In asyncio code::

    async with Emulator(topology) as emulator:
        client = ServiceBusClient.from_connection_string(emulator.connection_string())

and from threads and synchronous tests, with an event loop of its own in the background::

    with EmulatorThread(topology) as emulator:
        client = ServiceBusClient.from_connection_string(emulator.connection_string())
"""

import asyncio
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from syncline.emulator.administration import AdministrationApi
from syncline.emulator.amqp_connection import ConnectionOptions
from syncline.emulator.claims import TokenVerifier
from syncline.emulator.descriptions import AccessPolicy
from syncline.emulator.errors import InvalidEntityError
from syncline.emulator.namespace import Namespace
from syncline.emulator.server import Server
from syncline.emulator.tokens import JsonWebTokenVerifier
from syncline.emulator.topology import DEFAULT_POLICY, Topology

Result = TypeVar("Result")


class Emulator:
    """Azure Service Bus on this machine.

    Listens in the clear on `port` and, when a `tls` context is given, over TLS on `tls_port`; a
    port of 0 lets the system choose. `json_web_tokens` verifies the tokens of an issuer besides
    shared access signatures.
    """

    def __init__(
        self,
        topology: Topology | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        tls_port: int = 0,
        json_web_tokens: JsonWebTokenVerifier | None = None,
        options: ConnectionOptions | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.tls_port = tls_port
        self.namespace = build_namespace(topology)
        self._tls = tls
        self._server = Server(
            self.namespace,
            TokenVerifier(self.namespace, json_web_tokens),
            AdministrationApi(self.namespace, json_web_tokens=json_web_tokens),
            options,
        )

    async def start(self) -> None:
        """Begin to listen; `port` and `tls_port` then say where.

        :raises OSError: a port is taken; nothing is listened on then.
        """
        try:
            self.port = await self._server.listen(self.host, self.port)
            if self._tls is not None:
                self.tls_port = await self._server.listen(self.host, self.tls_port, self._tls)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        await self._server.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def connection_string(
        self, policy_name: str | None = None, entity_path: str | None = None, *, tls: bool = False
    ) -> str:
        """A connection string for the policy of that name, the first when none is named.

        :raises InvalidEntityError: there is no such policy, or TLS is wanted and not served.
        """
        policy = self._policy(policy_name)
        if tls and self._tls is None:
            raise InvalidEntityError("This emulator does not serve TLS. Start it with a TLS context.")
        host = f"{self.host}:{self.tls_port}" if tls else f"{self.host}:{self.port}"
        parts = [f"Endpoint=sb://{host}", f"SharedAccessKeyName={policy.key_name}", f"SharedAccessKey={policy.key}"]
        if entity_path is not None:
            parts.append(f"EntityPath={entity_path}")
        if not tls:
            parts.append("UseDevelopmentEmulator=true")
        return ";".join(parts) + ";"

    def _policy(self, name: str | None) -> AccessPolicy:
        for policy in self.namespace.policies:
            if name is None or policy.key_name == name:
                return policy
        known = ", ".join(policy.key_name for policy in self.namespace.policies)
        raise InvalidEntityError(f"The namespace has no shared access policy named '{name}'. It has: {known}.")


class EmulatorThread:
    """An emulator with an event loop of its own in a background thread.

    Takes the arguments of :class:`Emulator`. The namespace belongs to that loop: use :meth:`call`
    to look at it or to change it from outside.
    """

    def __init__(self, topology: Topology | None = None, **arguments: Any) -> None:
        self.emulator = Emulator(topology, **arguments)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="service-bus-emulator", daemon=True)

    @property
    def port(self) -> int:
        """The port that is served in the clear."""
        return self.emulator.port

    @property
    def tls_port(self) -> int:
        """The port that is served over TLS."""
        return self.emulator.tls_port

    def connection_string(
        self, policy_name: str | None = None, entity_path: str | None = None, *, tls: bool = False
    ) -> str:
        """As :meth:`Emulator.connection_string`."""
        return self.emulator.connection_string(policy_name, entity_path, tls=tls)

    def call(self, function: Callable[[Namespace], Result]) -> Result:
        """Call a function with the namespace, in the emulator's own thread, and return its result."""

        async def run() -> Result:
            return function(self.emulator.namespace)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=30)

    def start(self) -> Self:
        """Start and wait until it listens."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.emulator.start(), self._loop).result(timeout=30)
        except BaseException:
            self._end_thread()
            raise
        return self

    def stop(self) -> None:
        """Stop and wait until it is over."""
        asyncio.run_coroutine_threadsafe(self.emulator.stop(), self._loop).result(timeout=30)
        self._end_thread()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=30)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


def build_namespace(topology: Topology | None) -> Namespace:
    """A namespace with the entities and policies of a topology; an empty one without."""
    if topology is None:
        return Namespace(policies=[DEFAULT_POLICY])
    namespace = Namespace(topology.namespace_name, topology.policies or [DEFAULT_POLICY])
    for queue in topology.queues:
        namespace.create_queue(queue)
    for topic, subscriptions in topology.topics:
        namespace.create_topic(topic)
        for subscription, rules in subscriptions:
            namespace.create_subscription(subscription, rules)
    return namespace
