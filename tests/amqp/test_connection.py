"""Connections: negotiation, SASL, time-outs, closing, and peers that break the rules."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.amqp import (
    Accepted,
    Attach,
    Begin,
    Close,
    Connection,
    ConnectionClosed,
    ConnectionOpened,
    DeliveryReceived,
    Detach,
    Disposition,
    End,
    Error,
    ErrorCondition,
    Flow,
    LinkDetached,
    LinkRequested,
    LocalProtocolError,
    Open,
    ReceivingLink,
    SaslAuthenticated,
    SaslClient,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    SaslResponse,
    SaslServer,
    SessionBegun,
    SessionEnded,
    Source,
    Target,
    Transfer,
)
from syncline.amqp.composites import decode_composite
from syncline.amqp.frames import AMQP_HEADER, EMPTY_FRAME, SASL_FRAME, SASL_HEADER, FrameDecoder, encode_frame
from tests.amqp.pair import Pair
from tests.amqp.strategies import same, symbols, values

NOW = 50.0


class RawClient:
    """A peer of a server that says whatever bytes it likes and reads the answers as performatives."""

    def __init__(self, **options: Any) -> None:
        self.server = Connection.server("server", **options)
        self.decoder = FrameDecoder(1 << 20)
        self.events: list[Any] = []

    def say(self, *parts: Any, channel: int = 0) -> list[Any]:
        """Send bytes and performatives (with payload: a tuple); answers the performatives that came back."""
        for part in parts:
            if isinstance(part, bytes):
                data = part
            elif isinstance(part, tuple):
                data = encode_frame(channel, part[0], part[1])
            else:
                data = encode_frame(channel, part)
            for event in self.server.receive_data(data, NOW):
                self.events.append(event)
                if isinstance(event, LinkRequested):
                    event.link.accept()
                    if isinstance(event.link, ReceivingLink):
                        event.link.grant(10)
                elif isinstance(event, DeliveryReceived):
                    event.delivery.settle(Accepted())
        return self.heard()

    def heard(self) -> list[Any]:
        data = self.server.data_to_send(NOW)
        if data.startswith(b"AMQP"):
            data = data[8:]
        self.decoder.feed(data)
        found = []
        while (frame := self.decoder.next_frame()) is not None:
            found.append(decode_composite(frame.body)[0] if frame.body else None)
        return found

    def open(self, **fields: Any) -> "RawClient":
        self.say(AMQP_HEADER, Open("raw", **fields))
        return self

    def with_session(self) -> "RawClient":
        self.open().say(Begin(None, 0, 100, 100))
        return self

    def with_sender(self, **fields: Any) -> "RawClient":
        self.with_session().say(Attach("l", 0, False, source=Source("s"), target=Target("t"), **fields))
        return self

    def expect_closed(self, answers: list[Any], condition: str) -> None:
        assert isinstance(answers[-1], Close)
        assert answers[-1].error.condition == condition
        assert self.server.closed
        assert isinstance([*self.events, *self.server.receive_eof(NOW)][-1], ConnectionClosed)
        assert self.server.receive_data(AMQP_HEADER, NOW) == []


def test_both_sides_open_through_sasl_even_when_everything_is_pipelined() -> None:
    pair = Pair()
    pair.client.open()
    session = pair.client.begin()
    session.attach_receiver("r", source="orders")
    pair.run()
    assert pair.client.opened
    assert pair.server.opened
    assert pair.server.sasl_mechanism == pair.client.sasl_mechanism == "ANONYMOUS"
    kinds = [type(event) for event in pair.server_events]
    assert kinds == [SaslAuthenticated, ConnectionOpened, SessionBegun, LinkRequested]
    assert pair.server.remote_open.hostname == "localhost"


def test_connections_open_without_sasl() -> None:
    pair = Pair(client={"sasl": None})
    pair.client.open()
    pair.run()
    assert pair.client.opened
    assert pair.server.opened


@pytest.mark.parametrize("mechanism", ["MSSBCBS", "ANONYMOUS", "EXTERNAL"])
def test_the_client_takes_its_first_mechanism_that_is_offered(mechanism: str) -> None:
    pair = Pair(client={"sasl": SaslClient(("NTLM", mechanism, "PLAIN"))})
    pair.client.open()
    pair.run()
    assert pair.server.sasl_mechanism == mechanism
    assert pair.client.opened


def test_plain_credentials_reach_the_server() -> None:
    seen = []

    def authenticate(mechanism: str, response: bytes, hostname: str | None) -> bool:
        seen.append((mechanism, response, hostname))
        return response == b"\0user\0secret"

    for password in ("secret", "wrong"):
        pair = Pair(
            client={"sasl": SaslClient(("PLAIN",), "user", password)},
            server={"sasl": SaslServer(authenticate=authenticate)},
        )
        pair.client.open()
        pair.run()
        assert pair.client.opened == pair.server.opened == (password == "secret")
    assert seen[0] == ("PLAIN", b"\0user\0secret", "localhost")
    (closed,) = pair.events_of(ConnectionClosed, of="client")
    assert closed.error.condition == ErrorCondition.UNAUTHORIZED_ACCESS
    assert "secret" not in repr(SaslClient(("PLAIN",), "user", "secret"))


def test_plain_without_initial_response_is_asked_for_it() -> None:
    server = Connection.server("server")
    server.receive_data(SASL_HEADER, NOW)
    server.receive_data(encode_frame(0, SaslInit("PLAIN"), frame_type=SASL_FRAME), NOW)
    events = server.receive_data(encode_frame(0, SaslResponse(b"\0u\0p"), frame_type=SASL_FRAME), NOW)
    assert events == [SaslAuthenticated("PLAIN", b"\0u\0p")]


def test_a_mechanism_that_nobody_offered_is_refused() -> None:
    server = Connection.server("server", sasl=SaslServer(("EXTERNAL",)))
    server.receive_data(SASL_HEADER, NOW)
    server.data_to_send(NOW)
    (closed,) = server.receive_data(encode_frame(0, SaslInit("ANONYMOUS"), frame_type=SASL_FRAME), NOW)
    assert isinstance(closed, ConnectionClosed)
    assert decode_composite(server.data_to_send(NOW)[8:])[0] == SaslOutcome(1)


def test_a_client_without_a_common_mechanism_gives_up() -> None:
    pair = Pair(client={"sasl": SaslClient(("PLAIN",))}, server={"sasl": SaslServer(("EXTERNAL",))})
    pair.client.open()
    pair.run()
    (closed,) = pair.events_of(ConnectionClosed, of="client")
    assert "EXTERNAL" in closed.error.description
    assert pair.client.closed


def test_a_server_may_require_sasl() -> None:
    server = Connection.server("server", require_sasl=True)
    server.receive_data(AMQP_HEADER, NOW)
    assert server.closed
    assert server.data_to_send(NOW) == SASL_HEADER


@pytest.mark.parametrize("header", [b"AMQP\x00\x00\x09\x01", b"GET / HT", b"AMQP\x02\x01\x00\x00"])
def test_an_unknown_header_is_answered_with_ours(header: bytes) -> None:
    server = Connection.server("server")
    (closed,) = server.receive_data(header, NOW)
    assert closed.error.condition == ErrorCondition.NOT_IMPLEMENTED
    assert server.data_to_send(NOW) == AMQP_HEADER


def test_close_is_answered_and_ends_sessions_and_links_first() -> None:
    pair = Pair(on_server=lambda event: event.link.accept() if isinstance(event, LinkRequested) else None)
    pair.client.open()
    pair.client.begin().attach_sender("s", target="q")
    pair.run()
    pair.client.close(Error("amqp:connection:forced", "bye"))
    pair.run()
    detached, ended, closed = pair.server_events[-3:]
    assert isinstance(detached, LinkDetached)
    assert isinstance(ended, SessionEnded)
    assert closed == ConnectionClosed(Error("amqp:connection:forced", "bye"), by_peer=True)
    assert pair.client_events[-1] == ConnectionClosed(Error("amqp:connection:forced", "bye"), by_peer=False)
    assert pair.client.closed
    assert pair.server.closed
    assert pair.client.next_deadline() is None


def test_a_lost_transport_ends_everything_once() -> None:
    pair = Pair(on_server=lambda event: event.link.accept() if isinstance(event, LinkRequested) else None)
    pair.client.open()
    pair.client.begin().attach_sender("s", target="q")
    pair.run()
    kinds = [type(event) for event in pair.server.receive_eof(pair.now)]
    assert kinds == [LinkDetached, SessionEnded, ConnectionClosed]
    assert pair.server.receive_eof(pair.now) == []


def test_a_close_that_is_never_answered_is_given_up() -> None:
    pair = Pair()
    pair.client.open()
    pair.run()
    pair.client.close()
    pair.client.data_to_send(pair.now)
    deadline = pair.client.next_deadline()
    assert deadline == pair.now + 5
    assert pair.client.handle_timeout(deadline) == [ConnectionClosed(None, by_peer=False)]


def test_heartbeats_keep_an_idle_connection_alive() -> None:
    pair = Pair(client={"idle_timeout": 10.0}, server={"idle_timeout": 20.0})
    pair.client.open()
    pair.run()
    assert pair.server.remote_open.idle_time_out == 5_000
    for _ in range(30):
        pair.now = min(pair.client.next_deadline(), pair.server.next_deadline())
        assert pair.client.handle_timeout(pair.now) == []
        assert pair.server.handle_timeout(pair.now) == []
        pair.run()
    assert pair.client.opened
    assert pair.server.opened
    assert pair.now > 1_030


def test_a_heartbeat_is_an_empty_frame() -> None:
    raw = RawClient().open(idle_time_out=1_000)
    assert raw.server.next_deadline() == NOW + 0.5
    assert raw.server.handle_timeout(NOW + 0.4) == []
    assert raw.server.data_to_send(NOW + 0.4) == b""
    raw.server.handle_timeout(NOW + 0.5)
    assert raw.server.data_to_send(NOW + 0.5) == EMPTY_FRAME
    assert raw.server.next_deadline() == NOW + 1.0


def test_a_silent_peer_is_closed() -> None:
    raw = RawClient(idle_timeout=30.0).open()
    assert raw.server.next_deadline() == NOW + 30
    raw.say(EMPTY_FRAME)
    (closed,) = raw.server.handle_timeout(NOW + 30)
    assert closed.error.condition == ErrorCondition.CONNECTION_FORCED
    (close,) = raw.heard()
    assert close.error == closed.error
    assert raw.server.closed


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        ([Begin(None, 0, 1, 1)], ErrorCondition.ILLEGAL_STATE),
        ([b"\x00\x00\x00\x03\x02\x00\x00\x00"], ErrorCondition.FRAMING_ERROR),
        ([b"\x7f\x00\x00\x00\x02\x00\x00\x00"], ErrorCondition.FRAMING_ERROR),
        ([b"\x00\x00\x00\x09\x02\x01\x00\x00\x00"], ErrorCondition.FRAMING_ERROR),
        ([b"\x00\x00\x00\x0a\x02\x00\x00\x00\xff\xff"], ErrorCondition.DECODE_ERROR),
        ([b"\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x99\x45"], ErrorCondition.NOT_IMPLEMENTED),
        ([Open("raw", max_frame_size=100)], ErrorCondition.INVALID_FIELD),
        ([Open("raw", idle_time_out=1)], ErrorCondition.INVALID_FIELD),
        ([Open("raw"), Open("raw")], ErrorCondition.ILLEGAL_STATE),
        ([Open("raw"), Flow(None, 1, 1, 1)], ErrorCondition.ILLEGAL_STATE),
        ([Open("raw"), End()], ErrorCondition.ILLEGAL_STATE),
        ([Open("raw"), Begin(None, 0, 1, 1), Begin(None, 0, 1, 1)], ErrorCondition.ILLEGAL_STATE),
        ([Open("raw"), Begin(9, 0, 1, 1)], ErrorCondition.ILLEGAL_STATE),
        ([Open("raw"), Begin(None, 0, 1, 1), Attach("l", 999, False)], ErrorCondition.FRAMING_ERROR),
        ([Open("raw"), Begin(None, 0, 1, 1), SaslMechanisms(())], ErrorCondition.DECODE_ERROR),
        ([Open("raw"), Begin(None, 0, 1, 1), SaslMechanisms(("A",))], ErrorCondition.NOT_ALLOWED),
    ],
)
def test_a_peer_that_breaks_the_rules_is_closed_with_the_right_error(said: list[Any], condition: str) -> None:
    raw = RawClient()
    answers = raw.say(AMQP_HEADER, *(part for part in said if part != SaslMechanisms(())))
    if SaslMechanisms(()) in said:
        answers = raw.say(b"\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x10\x45")
    raw.expect_closed(answers, condition)


def test_channels_above_the_maximum_are_refused() -> None:
    raw = RawClient(channel_max=3).open()
    raw.expect_closed(raw.say(Begin(None, 0, 1, 1), channel=4), ErrorCondition.FRAMING_ERROR)


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        ([Flow(0, 1, 1, 1, 5, 0, 0)], ErrorCondition.UNATTACHED_HANDLE),
        ([Transfer(5, 0, b"t")], ErrorCondition.UNATTACHED_HANDLE),
        ([Detach(5)], ErrorCondition.UNATTACHED_HANDLE),
        ([Attach("m", 0, True)], ErrorCondition.HANDLE_IN_USE),
        ([Disposition(True, 5, 4)], ErrorCondition.INVALID_FIELD),
    ],
)
def test_a_session_that_breaks_the_rules_is_ended_and_the_connection_lives(said: list[Any], condition: str) -> None:
    raw = RawClient().with_sender()
    (end,) = raw.say(*said)
    assert isinstance(end, End)
    assert end.error.condition == condition
    assert [type(event) for event in raw.events[-2:]] == [LinkDetached, SessionEnded]
    assert raw.say(Transfer(0, 0, b"t"), End()) == []
    assert raw.server.opened
    assert raw.server.sessions == ()
    assert any(isinstance(answer, Begin) for answer in raw.say(Begin(None, 0, 1, 1)))


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        ([Transfer(0, None, b"t")], ErrorCondition.INVALID_FIELD),
        ([Transfer(0, 1)], ErrorCondition.INVALID_FIELD),
        ([Transfer(0, 1, b"x" * 33)], ErrorCondition.INVALID_FIELD),
        ([Transfer(0, 1, b"t", resume=True)], ErrorCondition.NOT_IMPLEMENTED),
        ([Transfer(0, 1, b"t", more=True), Transfer(0, 2, b"t")], ErrorCondition.INVALID_FIELD),
        ([(Transfer(0, 1, b"t"), b"x" * 1_001)], ErrorCondition.MESSAGE_SIZE_EXCEEDED),
        ([(Transfer(0, 1, b"t", more=True), b"x" * 600)] * 2, ErrorCondition.MESSAGE_SIZE_EXCEEDED),
        ([Transfer(0, number, b"t", settled=True) for number in range(11)], ErrorCondition.TRANSFER_LIMIT_EXCEEDED),
    ],
)
def test_a_link_that_breaks_the_rules_is_detached_and_the_session_lives(said: list[Any], condition: str) -> None:
    raw = RawClient(max_message_size=1_000).with_sender()
    detach = raw.say(*said)[-1]
    assert isinstance(detach, Detach)
    assert detach.closed
    assert detach.error.condition == condition
    assert isinstance(raw.events[-1], LinkDetached)
    assert raw.say((Transfer(0, 77, b"t"), b"late"), Detach(0, True)) == []
    answers = raw.say(Attach("again", 0, False, source=Source("s"), target=Target("t"), initial_delivery_count=0))
    assert isinstance(answers[0], Attach)
    assert raw.say((Transfer(0, 78, b"t"), b"hello"))[0].state == Accepted()


def test_too_small_a_frame_for_what_must_be_said_closes_the_connection() -> None:
    raw = RawClient()
    raw.say(AMQP_HEADER, Open("raw", max_frame_size=512), Begin(None, 0, 1, 1))
    answers = raw.say(Attach("l" * 600, 0, False, source=Source("s"), target=Target("t")))
    raw.expect_closed(answers, ErrorCondition.FRAME_SIZE_TOO_SMALL)


def test_misuse_is_told_to_the_caller() -> None:
    with pytest.raises(LocalProtocolError, match="max_frame_size"):
        Connection.server("server", max_frame_size=100)
    client = Connection.client("client")
    with pytest.raises(LocalProtocolError, match="open connection"):
        client.begin()
    client.open()
    with pytest.raises(LocalProtocolError, match="once"):
        client.open()


FRAMES = st.sampled_from(
    [
        Open("raw"),
        Open("raw", max_frame_size=512, idle_time_out=5_000),
        Begin(None, 0, 10, 10),
        Begin(0, 5, 1, 1),
        Attach("a", 0, False, source=Source("s"), target=Target("t"), initial_delivery_count=0),
        Attach("b", 1, True, source=Source("s"), target=Target("t")),
        Attach("b", 2, True, source=Source("s"), target=Target("t")),
        Flow(0, 100, 0, 100, 1, 0, 5),
        Flow(0, 100, 0, 100, 0, 7, 5, drain=True, echo=True),
        Flow(0, 0, 2**32 - 1, 0, echo=True),
        Transfer(0, 0, b"t"),
        Transfer(0, 1, b"t", more=True),
        Transfer(0, more=True),
        Transfer(0, aborted=True),
        Transfer(1, 0, b"t"),
        Disposition(True, 0, 2**31 - 1, True, Accepted()),
        Disposition(False, 0, 5, False),
        Detach(0, True),
        Detach(1),
        End(),
        Close(),
    ]
)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(FRAMES, st.sampled_from([0, 0, 0, 1]), st.binary(max_size=20)), max_size=25),
    st.binary(max_size=20),
)
def test_no_sequence_of_frames_makes_the_server_raise(said: list[Any], tail: bytes) -> None:
    raw = RawClient()
    raw.say(AMQP_HEADER, Open("raw"), Begin(None, 0, 10, 10))
    for performative, channel, payload in said:
        raw.say((performative, payload), channel=channel)
        for session in raw.server.sessions:
            for link in session.links:
                if link.is_sender and link.credit:
                    link.send(b"payload", delivery_tag=b"t")
    raw.say(tail)
    raw.server.receive_eof(NOW)
    requested = [event.link for event in raw.events if isinstance(event, LinkRequested)]
    assert len({id(link) for link in requested}) == len(requested)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_server_raise(data: bytes) -> None:
    for start in (b"", SASL_HEADER, AMQP_HEADER, AMQP_HEADER + encode_frame(0, Open("raw"))):
        server = Connection.server("server")
        server.receive_data(start + data, NOW)
        server.data_to_send(NOW)
        server.handle_timeout(NOW + 1_000)
        assert server.closed


@given(st.binary(max_size=300))
def test_no_bytes_make_a_client_raise(data: bytes) -> None:
    mechanisms = encode_frame(0, SaslMechanisms(("ANONYMOUS",)), frame_type=SASL_FRAME)
    outcome = encode_frame(0, SaslOutcome(0), frame_type=SASL_FRAME)
    authenticated = SASL_HEADER + mechanisms + outcome
    session = encode_frame(0, Open("raw")) + encode_frame(0, Begin(0, 0, 10, 10))
    for start in (b"", SASL_HEADER, SASL_HEADER + mechanisms, authenticated, authenticated + AMQP_HEADER + session):
        client = Connection.client("client")
        client.open()
        client.begin().attach_receiver("r", source="orders", credit=1)
        client.receive_data(start + data, NOW)
        client.data_to_send(NOW)
        client.handle_timeout(NOW + 1_000)
        assert client.closed


@given(st.dictionaries(symbols, values, max_size=3), st.booleans(), st.booleans())
def test_whatever_a_peer_asks_for_can_be_echoed(fields: dict[Any, Any], role: bool, accept: bool) -> None:
    raw = RawClient().with_session()
    source = Source("s", filter=fields, dynamic_node_properties=fields)
    attach = Attach("l", 0, role, source=source, target=Target("t", dynamic_node_properties=fields), properties=fields)
    (requested,) = raw.server.receive_data(encode_frame(0, attach), NOW)
    if accept:
        requested.link.accept()
    else:
        requested.link.refuse(Error("amqp:not-found"))
    answer, *rest = raw.heard()
    assert isinstance(answer, Attach)
    assert [type(each) for each in rest] == ([] if accept else [Detach])
    if accept:
        assert same(answer.source.filter or {}, fields)
    else:
        assert (answer.source if role else answer.target) is None
