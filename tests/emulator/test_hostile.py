"""Bytes that no client should send: they end one connection, with the AMQP error for it, and nothing else."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.amqp import Accepted, ConnectionClosed, DeliveryUpdated, LinkAttached, LinkFlow, Message, Rejected, Value
from syncline.emulator.emulator import Emulator, EmulatorThread

from .conftest import topology
from .raw_client import RawClient

HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"


@pytest.fixture
async def running() -> AsyncIterator[Emulator]:
    async with Emulator(topology()) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def background() -> Iterator[EmulatorThread]:
    with EmulatorThread(topology()) as emulator:
        yield emulator


def says(port: int, *parts: bytes) -> bytes:
    """Everything the server answers until it closes, or says nothing for a moment."""
    answered = b""
    with socket.create_connection(("127.0.0.1", port), timeout=0.05) as connection:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError, TimeoutError):
            while data := connection.recv(65_536):
                answered += data
    return answered


def still_serves(port: int) -> bool:
    """Whether another client gets its answers."""

    async def ask() -> bool:
        async with RawClient(port) as client:
            return await client.put_token("plain") == 202

    return asyncio.run(ask())


@settings(max_examples=100, deadline=None)
@given(data=st.binary(min_size=1, max_size=300))
def test_random_bytes_instead_of_a_header(background: EmulatorThread, data: bytes) -> None:
    says(background.port, data)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(min_size=1, max_size=300))
def test_random_bytes_after_a_header(background: EmulatorThread, data: bytes) -> None:
    says(background.port, HEADER, data)


@settings(max_examples=100, deadline=None)
@given(body=st.binary(min_size=0, max_size=200), channel=st.integers(0, 3))
def test_random_frames(background: EmulatorThread, body: bytes, channel: int) -> None:
    says(background.port, HEADER, struct.pack(">IBBH", 8 + len(body), 2, 0, channel) + body)


@settings(max_examples=60, deadline=None)
@given(bodies=st.lists(st.binary(min_size=0, max_size=60), min_size=1, max_size=4))
def test_random_frames_on_an_open_session(background: EmulatorThread, bodies: list[bytes]) -> None:
    async def attack() -> None:
        async with RawClient(background.port) as client:
            await client.put_token("plain")
            for code, body in enumerate(bodies):
                # The descriptors of the performatives begin, attach, flow, transfer.
                frame = bytes((0x00, 0x53, 0x11 + code)) + body
                client.write(struct.pack(">IBBH", 8 + len(frame), 2, 0, 0) + frame)
            client.write(b"\x00" * 8)
            await client.wait_for(ConnectionClosed)

    asyncio.run(attack())


def test_the_emulator_serves_on_after_all_that(background: EmulatorThread) -> None:
    assert still_serves(background.port)


def test_a_frame_that_claims_to_be_huge_is_answered_with_a_framing_error(background: EmulatorThread) -> None:
    answered = says(background.port, HEADER, struct.pack(">IBBH", 0x7FFFFFFF, 2, 0, 0) + b"x" * 100)
    assert answered.startswith(HEADER)
    assert b"amqp:connection:framing-error" in answered


def test_bytes_of_another_protocol_are_answered_with_our_header(background: EmulatorThread) -> None:
    assert says(background.port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc").startswith((HEADER, SASL_HEADER))


def test_a_request_that_is_no_http_is_told_so(background: EmulatorThread) -> None:
    assert says(background.port, b"GET nonsense\r\n\r\n").startswith(b"HTTP/1.1 4")


def test_plain_bytes_on_the_tls_port_harm_nobody() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with EmulatorThread(topology(), tls=context) as emulator:
        says(emulator.tls_port, HEADER)
        assert still_serves(emulator.port)


async def test_a_client_that_says_nothing_keeps_nobody_from_stopping() -> None:
    emulator = Emulator(topology())
    await emulator.start()
    _, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    _, half = await asyncio.open_connection("127.0.0.1", emulator.port)
    half.write(b"AM")
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await emulator.stop()
    writer.close()
    half.close()


async def test_a_message_that_cannot_be_read_is_rejected_and_the_link_goes_on(running: Emulator) -> None:
    async with RawClient(running.port) as raw:
        await raw.put_token("plain")
        link = raw.session.attach_sender("s", target="plain")
        raw.flush()
        await raw.wait_for(LinkAttached, link=link)
        await raw.wait_for(LinkFlow, link=link)
        for tag, payload in ((b"1", b"\x00\x53"), (b"2", b""), (b"3", b"\xff" * 50)):
            link.send(payload, delivery_tag=tag)
        link.send(b"\x00\x53\x75\xa0\x01x", delivery_tag=b"4", message_format=0x80013700)
        link.send(Message(body=Value("good")).encode(), delivery_tag=b"5")
        raw.flush()
        accepted = Accepted()
        await raw.wait_for(DeliveryUpdated, state=accepted)
        states = [event.state for event in raw.events if isinstance(event, DeliveryUpdated)]
        rejected = [state for state in states if isinstance(state, Rejected)]
        assert rejected
        assert all(state.error and state.error.condition == "amqp:decode-error" for state in rejected)
        assert running.namespace.queue_counts("plain").active == 1
