"""What the broker says on the wire: authorisation and its end, rules, faults, other operations."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import jwt
import pytest

from syncline.amqp import (
    Array,
    ConnectionClosed,
    DeliveryReceived,
    DeliveryUpdated,
    Described,
    Int,
    LinkAttached,
    LinkDetached,
    LinkDrained,
    LinkFlow,
    Message,
    Properties,
    Rejected,
    Released,
    SenderSettleMode,
    Source,
    Timestamp,
    ULong,
    Value,
)
from syncline.emulator.amqp_connection import ConnectionOptions
from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.descriptions import AccessPolicy
from syncline.emulator.emulator import Emulator, EmulatorThread
from syncline.emulator.errors import InvalidEntityError
from syncline.emulator.tokens import JsonWebTokenVerifier

from .conftest import topology
from .raw_client import RawClient

LISTEN = AccessPolicy("listen-only", "bGlzdGVu", frozenset({"Listen"}))


@pytest.fixture
async def running() -> AsyncIterator[Emulator]:
    async with Emulator(topology()) as emulator:
        yield emulator


@pytest.fixture
async def raw(running: Emulator) -> AsyncIterator[RawClient]:
    async with RawClient(running.port) as client:
        yield client


def status(message: Message) -> tuple[int, str | None]:
    properties = message.application_properties or {}
    return int(properties["statusCode"]), properties.get("errorCondition")


def value(message: Message) -> Any:
    assert isinstance(message.body, Value)
    return message.body.value


def publish(emulator: Emulator, queue: str, *bodies: str, session: str | None = None) -> None:
    contents = [
        BrokeredMessage(Message(properties=Properties(group_id=session), body=Value(body)).encode()) for body in bodies
    ]
    emulator.namespace.destination(queue).send(contents)


async def detachment(raw: RawClient, link: object) -> str:
    event = await raw.wait_for(LinkDetached, link=link)
    assert event.error is not None
    return event.error.condition


async def test_a_link_without_a_token_is_refused(raw: RawClient) -> None:
    link = raw.session.attach_sender("s", target="plain")
    raw.flush()
    assert await detachment(raw, link) == "amqp:unauthorized-access"


async def test_a_token_for_one_entity_opens_no_other(raw: RawClient) -> None:
    assert await raw.put_token("orders/Subscriptions/everything") == 202
    mine = raw.session.attach_receiver("a", source="Orders/subscriptions/EVERYTHING", credit=1)
    other = raw.session.attach_receiver("b", source="orders/Subscriptions/large", credit=1)
    raw.flush()
    await raw.wait_for(LinkAttached, link=mine)
    assert await detachment(raw, other) == "amqp:unauthorized-access"


async def test_a_claim_to_listen_does_not_send(raw: RawClient) -> None:
    assert await raw.put_token("plain", LISTEN) == 202
    link = raw.session.attach_sender("s", target="plain")
    raw.flush()
    assert await detachment(raw, link) == "amqp:unauthorized-access"
    answer = await raw.manage("plain", "schedule-message", {"messages": []})
    assert status(answer) == (401, "amqp:unauthorized-access")


async def test_a_token_with_a_wrong_key_is_not_accepted(raw: RawClient) -> None:
    assert await raw.put_token("plain", AccessPolicy("listen-only", "another", frozenset({"Listen"}))) == 401


async def test_links_are_detached_when_their_token_runs_out(raw: RawClient) -> None:
    # A token counts whole seconds, so this one ends between one and two seconds from now.
    assert await raw.put_token("plain", lifetime=2) == 202
    link = raw.session.attach_receiver("r", source="plain", credit=1)
    raw.flush()
    await raw.wait_for(LinkAttached, link=link)
    assert await detachment(raw, link) == "amqp:unauthorized-access"


async def test_a_newer_token_keeps_links_alive(raw: RawClient) -> None:
    assert await raw.put_token("plain", lifetime=2) == 202
    link = raw.session.attach_receiver("r", source="plain", credit=1)
    raw.flush()
    await raw.wait_for(LinkAttached, link=link)
    assert await raw.put_token("plain") == 202
    await asyncio.sleep(2.2)
    assert not link.detached


async def test_rules_are_added_listed_and_removed(raw: RawClient) -> None:
    entity = "orders/Subscriptions/everything"
    await raw.put_token(entity)
    sql = {"rule-name": "cheap", "rule-description": {"sql-filter": {"expression": "amount < 10"}}}
    assert status(await raw.manage(entity, "add-rule", sql)) == (200, None)
    assert status(await raw.manage(entity, "add-rule", sql)) == (409, "com.microsoft:entity-already-exists")
    correlation = {
        "rule-name": "berlin",
        "rule-description": {"correlation-filter": {"label": "order", "properties": {"city": "Berlin"}}},
    }
    assert status(await raw.manage(entity, "add-rule", correlation)) == (200, None)
    listed = value(await raw.manage(entity, "enumerate-rules", {"skip": Int(0), "top": Int(10)}))["rules"]
    described = [rule["rule-description"] for rule in listed]
    assert [rule.descriptor for rule in described] == [ULong(0x13700000004)] * 3
    by_name = {rule.value[2]: rule.value[0] for rule in described}
    assert by_name["$Default"] == Described(ULong(0x1370000007), [])
    assert by_name["cheap"].value[0] == "amount < 10"
    assert by_name["berlin"].value[4] == "order"
    assert by_name["berlin"].value[8] == {"city": "Berlin"}
    assert status(await raw.manage(entity, "remove-rule", {"rule-name": "cheap"})) == (200, None)
    assert status(await raw.manage(entity, "remove-rule", {"rule-name": "cheap"})) == (404, "amqp:not-found")
    bad = {"rule-name": "bad", "rule-description": {"sql-filter": {"expression": "amount <"}}}
    assert status(await raw.manage(entity, "add-rule", bad)) == (400, "com.microsoft:argument-error")


async def test_messages_are_settled_by_their_lock_tokens(running: Emulator, raw: RawClient) -> None:
    publish(running, "plain", "a", "b")
    await raw.put_token("plain")
    for status_name, left in (("abandoned", 2), ("completed", 1), ("suspended", 0)):
        stored = running.namespace.queue("plain").store.acquire(lock=True)
        assert stored is not None
        assert stored.lock_token is not None
        token = UUID(bytes_le=stored.lock_token)
        body = {"disposition-status": status_name, "lock-tokens": Array("uuid", [token])}
        assert status(await raw.manage("plain", "update-disposition", body)) == (200, None)
        assert status(await raw.manage("plain", "update-disposition", body)) == (
            410,
            "com.microsoft:message-lock-lost",
        )
        assert running.namespace.queue_counts("plain").active == left
    assert running.namespace.queue_counts("plain").dead_letter == 1


async def test_sessions_are_listed_in_pages(running: Emulator, raw: RawClient) -> None:
    for number in range(3):
        publish(running, "with-sessions", "x", session=f"s{number}")
    await raw.put_token("with-sessions")
    everything = Timestamp(253_402_300_800_000)
    page = {"last-updated-time": everything, "skip": Int(0), "top": Int(2)}
    answer = value(await raw.manage("with-sessions", "get-message-sessions", page))
    assert list(answer["sessions-ids"].items) == ["s0", "s1"]
    page["skip"] = answer["skip"]
    answer = value(await raw.manage("with-sessions", "get-message-sessions", page))
    assert list(answer["sessions-ids"].items) == ["s2"]
    recent = {"last-updated-time": Timestamp(0), "skip": Int(0), "top": Int(2)}
    assert status(await raw.manage("with-sessions", "get-message-sessions", recent)) == (204, None)


async def test_a_session_belongs_to_the_connection_that_holds_it(running: Emulator, raw: RawClient) -> None:
    publish(running, "with-sessions", "x", session="s")
    await raw.put_token("with-sessions")
    source = Source(address="with-sessions", filter={"com.microsoft:session-filter": "s"})
    link = raw.session.attach_receiver("r", source=source, credit=1)
    raw.flush()
    attached = await raw.wait_for(LinkAttached, link=link)
    assert attached.link.source.filter == {"com.microsoft:session-filter": "s"}
    assert status(await raw.manage("with-sessions", "renew-session-lock", {"session-id": "s"})) == (200, None)
    async with RawClient(running.port) as other:
        await other.put_token("with-sessions")
        answer = await other.manage("with-sessions", "get-session-state", {"session-id": "s"})
        assert status(answer) == (410, "com.microsoft:session-lock-lost")


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("peek-message", {}),
        ("peek-message", {"from-sequence-number": "1", "message-count": Int(1)}),
        ("peek-message", {"from-sequence-number": 1, "message-count": Int(0)}),
        ("peek-message", ["no map"]),
        ("renew-lock", {"lock-tokens": Array("uuid", [])}),
        ("renew-lock", {"lock-tokens": ["no uuid"]}),
        ("receive-by-sequence-number", {"sequence-numbers": 5}),
        ("update-disposition", {"disposition-status": "eaten", "lock-tokens": []}),
        ("schedule-message", {"messages": [{"message": "text"}]}),
        ("schedule-message", {"messages": [{"message": b"\x00\x01"}]}),
        ("add-rule", {}),
        ("no-such-operation", {}),
    ],
)
async def test_a_request_that_cannot_be_read_is_answered_with_why(raw: RawClient, operation: str, body: Any) -> None:
    await raw.put_token("plain")
    answer = await raw.manage("plain", operation, body)
    assert status(answer)[0] == 400
    assert (answer.application_properties or {})["statusDescription"]
    assert status(await raw.manage("plain", "peek-message", {"from-sequence-number": 1, "message-count": 1}))[0] == 204


async def test_credit_is_honoured_and_given_back_on_drain(running: Emulator, raw: RawClient) -> None:
    publish(running, "plain", *map(str, range(5)))
    await raw.put_token("plain")
    link = raw.session.attach_receiver("r", source="plain", credit=2)
    raw.flush()
    await raw.wait_for(LinkAttached, link=link)
    await asyncio.sleep(0.1)
    assert sum(isinstance(event, DeliveryReceived) and event.link is link for event in raw.events) == 2
    link.set_credit(10, drain=True)
    raw.flush()
    await raw.wait_for(LinkDrained, link=link)
    deliveries = [event.delivery for event in raw.events if isinstance(event, DeliveryReceived) and event.link is link]
    assert len(deliveries) == 5
    link.disposition(deliveries, Released())
    raw.flush()
    await asyncio.sleep(0.1)
    assert running.namespace.queue_counts("plain").active == 5
    assert running.namespace.queue("plain").store.acquire(lock=True) is not None


async def test_a_slow_reader_holds_up_nobody_and_nothing_piles_up(running: Emulator) -> None:
    running.namespace.queue("plain").description.max_size_in_megabytes = 100
    for _ in range(300):
        publish(running, "plain", "x" * 100_000)
    async with RawClient(running.port) as slow:
        await slow.put_token("plain")
        link = slow.session.attach_receiver("r", source="plain")
        slow.flush()
        await slow.wait_for(LinkAttached, link=link)
        slow.stop_reading()
        link.grant(300)
        slow.flush()
        await asyncio.sleep(0.3)
        store = running.namespace.queue("plain").store
        unsent = sum(stored.lock_token is None for stored in store.peek(1, 300, max_bytes=10**9))
        assert 100 < unsent < 300


async def test_throttling_is_server_busy_everywhere_and_ends(running: Emulator, raw: RawClient) -> None:
    await raw.put_token("plain")
    sender = raw.session.attach_sender("s", target="plain")
    raw.flush()
    await raw.wait_for(LinkAttached, link=sender)
    peek = {"from-sequence-number": 1, "message-count": Int(1)}
    await raw.manage("plain", "peek-message", peek)
    running.namespace.faults.apply({"fault": "throttle", "entity": "plain", "count": 2})
    assert status(await raw.manage("plain", "peek-message", peek)) == (503, "com.microsoft:server-busy")
    sender.send(Message(body=Value("x")).encode(), delivery_tag=b"1")
    raw.flush()
    update = await raw.wait_for(DeliveryUpdated, link=sender)
    assert isinstance(update.state, Rejected)
    assert update.state.error is not None
    assert update.state.error.condition == "com.microsoft:server-busy"
    assert status(await raw.manage("plain", "peek-message", peek))[0] == 204


async def test_dropped_connections_are_cut_and_new_ones_serve(running: Emulator, raw: RawClient) -> None:
    await raw.put_token("plain")
    running.namespace.faults.apply({"fault": "drop_connections"})
    await raw.wait_for(ConnectionClosed)
    async with RawClient(running.port) as again:
        assert await again.put_token("plain") == 202


async def test_new_connections_may_be_dropped_too(running: Emulator) -> None:
    running.namespace.faults.apply({"fault": "drop_connections", "count": 1})
    async with RawClient(running.port) as dropped:
        await dropped.wait_for(ConnectionClosed)
    async with RawClient(running.port) as again:
        assert await again.put_token("plain") == 202


async def test_a_json_web_token_of_the_issuer_is_accepted() -> None:
    key = "a secret of at least thirty-two bytes"
    verifier = JsonWebTokenVerifier("https://issuer", "https://servicebus.azure.net", key)

    def token(**claims: object) -> str:
        expiry = int(time.time()) + 60
        named = {"iss": "https://issuer", "aud": "https://servicebus.azure.net", "exp": expiry}
        return jwt.encode(named | claims, key, algorithm="HS256")

    async with Emulator(topology(), json_web_tokens=verifier) as emulator, RawClient(emulator.port) as raw:
        properties = {"operation": "put-token", "type": "jwt", "name": "sb://anywhere/plain"}
        for text, code in ((token(iss="https://another"), 401), (token(exp=1), 401), (token(), 202)):
            answer = await raw.ask("$cbs", properties, text)
            assert (answer.application_properties or {})["status-code"] == code
        link = raw.session.attach_receiver("r", source="plain", credit=1)
        raw.flush()
        await raw.wait_for(LinkAttached, link=link)


async def test_expired_tokens_detach_and_a_full_entity_refuses(running: Emulator, raw: RawClient) -> None:
    await raw.put_token("plain")
    sender = raw.session.attach_sender("s", target="plain")
    raw.flush()
    await raw.wait_for(LinkAttached, link=sender)
    running.namespace.faults.apply({"fault": "fill", "entity": "plain"})
    sender.send(Message(body=Value("x")).encode(), delivery_tag=b"1")
    raw.flush()
    update = await raw.wait_for(DeliveryUpdated, link=sender)
    assert isinstance(update.state, Rejected)
    assert update.state.error is not None
    assert update.state.error.condition == "amqp:resource-limit-exceeded"
    running.namespace.faults.apply({"fault": "expire_token"})
    assert await detachment(raw, sender) == "amqp:unauthorized-access"


async def test_a_delay_makes_every_answer_late(running: Emulator, raw: RawClient) -> None:
    await raw.put_token("plain")
    await raw.manage("plain", "peek-message", {"from-sequence-number": 1, "message-count": 1})
    running.namespace.faults.apply({"fault": "delay", "seconds": 0.3})
    started = asyncio.get_running_loop().time()
    await raw.manage("plain", "peek-message", {"from-sequence-number": 1, "message-count": 1})
    assert asyncio.get_running_loop().time() - started >= 0.3
    running.namespace.faults.clear()


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"fault": "earthquake"}, "drop_connections"),
        ({}, "None"),
        ({"fault": "throttle", "seconds": "soon"}, "seconds"),
        ({"fault": "throttle", "count": 0}, "count"),
        ({"fault": "throttle", "entitty": "x"}, "entitty"),
        ({"fault": "delay"}, "milliseconds"),
        ({"fault": "fill", "entity": 5}, "entity"),
    ],
)
async def test_a_fault_that_cannot_be_is_told_with_its_field(
    running: Emulator, spec: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidEntityError, match=told):
        running.namespace.faults.apply(spec)


async def test_stopping_says_so_to_every_client() -> None:
    emulator = Emulator(topology())
    await emulator.start()
    async with RawClient(emulator.port) as raw:
        await raw.put_token("plain")
        stopping = asyncio.create_task(emulator.stop())
        closed = await raw.wait_for(ConnectionClosed)
        assert closed.error is not None
        assert closed.error.condition == "amqp:connection:forced"
        await stopping
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_a_silent_connection_is_given_up() -> None:
    options = ConnectionOptions(idle_timeout=0.4)
    async with Emulator(topology(), options=options) as emulator, RawClient(emulator.port) as raw:
        await raw.put_token("plain")
        closed = await raw.wait_for(ConnectionClosed)
        assert closed.error is not None
        assert closed.error.condition == "amqp:connection:forced"


async def test_a_client_that_wants_signs_of_life_gets_them(running: Emulator) -> None:
    async with RawClient(running.port, idle_timeout=0.6) as raw:
        await raw.put_token("plain")
        before = raw.reads
        await asyncio.sleep(1)
        assert raw.reads - before >= 2


async def test_a_message_locked_by_one_receiver_goes_to_no_other(running: Emulator, raw: RawClient) -> None:
    publish(running, "plain", *map(str, range(100)))
    await raw.put_token("plain")
    links = [raw.session.attach_receiver(str(number), source="plain", credit=100) for number in range(3)]
    raw.flush()
    for link in links:
        await raw.wait_for(LinkAttached, link=link)
    publish(running, "plain", *map(str, range(100)))
    await asyncio.sleep(0.2)
    deliveries = [event.delivery for event in raw.events if isinstance(event, DeliveryReceived)]
    mine = [delivery for delivery in deliveries if delivery.link in links]
    assert len({delivery.delivery_tag for delivery in mine}) == len(mine) == 200


async def test_a_deleted_entity_lets_its_receivers_go(running: Emulator, raw: RawClient) -> None:
    await raw.put_token("plain")
    link = raw.session.attach_receiver("r", source="plain", credit=1)
    raw.flush()
    await raw.wait_for(LinkAttached, link=link)
    running.namespace.delete_queue("plain")
    assert await detachment(raw, link) == "amqp:not-found"


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing(running: Emulator) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await Emulator(topology(), port=running.port).start()
    with pytest.raises(OSError, match="address already in use"), EmulatorThread(topology(), port=running.port):
        pass
    assert all(thread.name != "service-bus-emulator" for thread in threading.enumerate())


@pytest.mark.parametrize("settled", [False, True])
async def test_a_message_larger_than_the_receiver_takes_is_not_lost(
    running: Emulator, raw: RawClient, settled: bool
) -> None:
    publish(running, "plain", "x" * 10_000)
    await raw.put_token("plain")
    mode = SenderSettleMode.SETTLED if settled else SenderSettleMode.UNSETTLED
    link = raw.session.attach_receiver("r", source="plain", credit=1, max_message_size=1000, snd_settle_mode=mode)
    raw.flush()
    assert await detachment(raw, link) == "amqp:link:message-size-exceeded"
    assert running.namespace.queue("plain").store.acquire(lock=True) is not None


async def test_an_answer_larger_than_the_client_takes_detaches_its_link(running: Emulator, raw: RawClient) -> None:
    publish(running, "plain", "x" * 10_000)
    await raw.put_token("plain")
    sender = raw.session.attach_sender("q", source="me", target="plain/$management")
    receiver = raw.session.attach_receiver("a", source="plain/$management", target="me", credit=1, max_message_size=500)
    raw.flush()
    await raw.wait_for(LinkFlow, link=sender)
    request = Message(
        properties=Properties(message_id="1", reply_to="me"),
        application_properties={"operation": "com.microsoft:peek-message"},
        body=Value({"from-sequence-number": 1, "message-count": Int(1)}),
    )
    sender.send(request.encode(), delivery_tag=b"1")
    raw.flush()
    assert await detachment(raw, receiver) == "amqp:link:message-size-exceeded"
