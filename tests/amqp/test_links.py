"""Links: credit, windows, transfers of many frames, settlement, drain, and how links begin and end."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.amqp import (
    Accepted,
    Attach,
    Begin,
    Data,
    DeliveryReceived,
    DeliveryUpdated,
    Disposition,
    Error,
    ErrorCondition,
    Event,
    Flow,
    LinkAttached,
    LinkDetached,
    LinkDrained,
    LinkFlow,
    LinkRequested,
    LocalProtocolError,
    Message,
    Modified,
    Open,
    ReceiverSettleMode,
    ReceivingLink,
    Rejected,
    Released,
    SenderSettleMode,
    SendingLink,
    Session,
    Source,
    Transfer,
)
from syncline.amqp.frames import AMQP_HEADER, encode_frame
from tests.amqp.pair import Pair


def accept(event: Event) -> None:
    """Accept every link that is asked for."""
    if isinstance(event, LinkRequested):
        event.link.accept()


def connected(**options: Any) -> tuple[Pair, Session]:
    """A pair with a session begun by the client; the server accepts links unless told otherwise."""
    pair = Pair(**({"on_server": accept} | options))
    pair.client.open()
    session = pair.client.begin()
    pair.run()
    return pair, session


def server_link(pair: Pair) -> Any:
    """The server's end of the link that was asked for last."""
    return pair.events_of(LinkRequested)[-1].link


def receiving(pair: Pair, session: Session, **options: Any) -> tuple[ReceivingLink, SendingLink]:
    """A link from server to client: (the client's end, the server's end)."""
    link = session.attach_receiver("r", source="orders", **options)
    pair.run()
    return link, server_link(pair)


def sending(pair: Pair, session: Session, credit: int = 100, **options: Any) -> tuple[SendingLink, ReceivingLink]:
    """A link from client to server with credit: (the client's end, the server's end)."""
    link = session.attach_sender("s", target="orders", **options)
    pair.run()
    other = server_link(pair)
    other.grant(credit)
    pair.run()
    return link, other


def test_attach_carries_what_both_sides_want() -> None:
    pair, session = connected(on_server=lambda event: None)
    link = session.attach_receiver(
        "r",
        source=Source("orders", filter={"a": None}),
        snd_settle_mode=SenderSettleMode.UNSETTLED,
        rcv_settle_mode=ReceiverSettleMode.SECOND,
        properties={"com.microsoft:timeout": 5},
        max_message_size=9_999,
        credit=3,
    )
    pair.run()
    other = server_link(pair)
    assert isinstance(other, SendingLink)
    assert other.source == Source("orders", filter={"a": None})
    assert other.properties == {"com.microsoft:timeout": 5}
    assert other.rcv_settle_mode == ReceiverSettleMode.SECOND
    assert other.remote_max_message_size == 9_999
    assert not other.attached
    assert not link.attached
    other.accept(source=Source("orders/changed"), properties={"p": "q"})
    pair.run()
    assert link.attached
    assert link.source.address == "orders/changed"
    assert link.properties == {"p": "q"}
    assert other.credit == 3
    assert pair.events_of(LinkAttached, of="client") == [LinkAttached(link)]


@pytest.mark.parametrize("direction", ["attach_sender", "attach_receiver"])
def test_a_refused_link_is_detached_with_the_reason(direction: str) -> None:
    reason = Error(ErrorCondition.NOT_FOUND, "no such entity")
    pair, session = connected(on_server=lambda e: e.link.refuse(reason) if isinstance(e, LinkRequested) else None)
    link = getattr(session, direction)("l", source="a", target="b")
    pair.run()
    assert pair.events_of(LinkAttached, of="client") == []
    (detached,) = pair.events_of(LinkDetached, of="client")
    assert detached == LinkDetached(link, reason, closed=True, by_peer=True)
    assert pair.events_of(LinkDetached) == []
    again = getattr(session, direction)("l", source="a", target="b")
    assert again.handle == link.handle


def test_messages_arrive_only_as_far_as_credit_goes() -> None:
    pair, session = connected()
    link, other = receiving(pair, session, credit=2)
    assert other.credit == 2
    for number in range(2):
        other.send(b"%d" % number, delivery_tag=b"t")
    with pytest.raises(LocalProtocolError, match="no credit"):
        other.send(b"more", delivery_tag=b"t")
    pair.run()
    assert [event.delivery.payload for event in pair.events_of(DeliveryReceived, of="client")] == [b"0", b"1"]
    assert link.credit == other.credit == 0
    link.grant(5)
    pair.run()
    assert other.credit == 5
    link.set_credit(1)
    pair.run()
    assert other.credit == 1


def test_drain_gives_credit_back() -> None:
    pair, session = connected()
    link, other = receiving(pair, session, credit=10)
    other.send(b"only", delivery_tag=b"t")
    link.set_credit(10, drain=True)
    pair.run()
    assert other.drain
    other.drained()
    pair.run()
    assert pair.events_of(LinkDrained, of="client") == [LinkDrained(link)]
    assert link.credit == other.credit == 0
    link.grant(1)
    pair.run()
    other.send(b"after", delivery_tag=b"u")
    pair.run()
    assert pair.events_of(DeliveryReceived, of="client")[-1].delivery.payload == b"after"


def test_drain_ends_as_well_when_messages_use_the_credit_up() -> None:
    pair, session = connected()
    link, other = receiving(pair, session)
    link.set_credit(1, drain=True)
    pair.run()
    other.send(b"x", delivery_tag=b"t")
    pair.run()
    assert pair.events_of(LinkDrained, of="client") == [LinkDrained(link)]


def test_echo_is_answered_with_the_link_state() -> None:
    pair, session = connected()
    link, other = receiving(pair, session, credit=1)
    other.available = 7
    link.set_credit(1, echo=True)
    pair.run()
    assert link.available == 7
    assert pair.events_of(LinkFlow, of="client")


def test_settlement_by_the_receiver() -> None:
    pair, session = connected()
    link, other = receiving(pair, session, credit=10)
    sent = [other.send(b"x", delivery_tag=bytes([number])) for number in range(6)]
    pair.run()
    received = [event.delivery for event in pair.events_of(DeliveryReceived, of="client")]
    assert [each.delivery_tag for each in received] == [each.delivery_tag for each in sent]
    assert len(link.unsettled) == 6
    link.disposition([received[2], received[0], received[1], received[4]], Accepted())
    received[3].settle(Rejected(Error("com.microsoft:dead-letter", "bad")))
    received[5].settle(Released())
    received[5].settle(Accepted())
    pair.run()
    updates = [([sent.index(each) for each in e.deliveries], e.state) for e in pair.events_of(DeliveryUpdated)]
    assert updates == [
        ([0, 1, 2], Accepted()),
        ([4], Accepted()),
        ([3], Rejected(Error("com.microsoft:dead-letter", "bad"))),
        ([5], Released()),
    ]
    assert all(each.settled for each in sent)
    assert not link.unsettled


def test_receiver_settle_mode_second_is_settled_by_the_sender() -> None:
    pair, session = connected()
    _, other = receiving(pair, session, credit=1, rcv_settle_mode=ReceiverSettleMode.SECOND)
    sent = other.send(b"x", delivery_tag=b"t")
    pair.run()
    (event,) = pair.events_of(DeliveryReceived, of="client")
    event.delivery.update(Modified(delivery_failed=True))
    pair.run()
    (update,) = pair.events_of(DeliveryUpdated)
    assert update == DeliveryUpdated(other, (sent,), Modified(delivery_failed=True), settled=False)
    assert not sent.settled
    other.disposition(update.deliveries, update.state)
    pair.run()
    (answer,) = pair.events_of(DeliveryUpdated, of="client")
    assert answer.settled
    assert answer.deliveries == (event.delivery,)
    assert event.delivery.settled


def test_settled_links_send_settled() -> None:
    pair, session = connected()
    _, other = receiving(pair, session, credit=1, snd_settle_mode=SenderSettleMode.SETTLED)
    assert other.send(b"x", delivery_tag=b"t").settled
    pair.run()
    assert pair.events_of(DeliveryReceived, of="client")[0].delivery.settled


def test_large_messages_travel_in_frames_of_the_peers_size() -> None:
    pair, session = connected(client={"max_frame_size": 512}, server={"max_frame_size": 1_024})
    link, _ = sending(pair, session)
    payload = bytes(range(256)) * 40
    link.send([payload[:100], payload[100:]], delivery_tag=b"t", message_format=0x80013700)
    data = pair.client.data_to_send(pair.now)
    assert max(int.from_bytes(data[:4], "big"), 0) == 1_024
    events = pair.server.receive_data(data, pair.now)
    assert events[-1].delivery.payload == payload
    assert events[-1].delivery.message_format == 0x80013700


def test_messages_above_the_receivers_maximum_are_not_sent() -> None:
    pair, session = connected(server={"max_message_size": 1_000})
    link, _ = sending(pair, session)
    with pytest.raises(LocalProtocolError, match="1001 bytes"):
        link.send(b"x" * 1_001, delivery_tag=b"t")
    link.send(b"x" * 1_000, delivery_tag=b"t")


def test_transfers_wait_while_the_window_is_shut() -> None:
    pair, session = connected(server={"incoming_window": 4, "max_frame_size": 512})
    link, _ = sending(pair, session)
    for number in range(3):
        link.send(b"%d" % number * 1_500, delivery_tag=b"t")
    assert session.backlog_frames == 12 - 4
    assert session.backlog_bytes > 3_000
    pair.run()
    assert session.backlog_frames == session.backlog_bytes == 0
    assert [event.delivery.payload[:1] for event in pair.events_of(DeliveryReceived)] == [b"0", b"1", b"2"]


def test_more_transfers_than_the_window_end_the_session() -> None:
    pair, session = connected(server={"incoming_window": 2})
    link, _ = sending(pair, session)
    frames = [encode_frame(0, Transfer(link.handle, number, b"t", settled=True)) for number in range(3)]
    pair.server.receive_data(b"".join(frames), pair.now)
    pair.run()
    (detached,) = pair.events_of(LinkDetached, of="client")
    assert detached.error.condition == ErrorCondition.WINDOW_VIOLATION


def test_an_aborted_transfer_delivers_nothing() -> None:
    pair, session = connected()
    link, other = sending(pair, session, credit=5)
    first = encode_frame(0, Transfer(link.handle, 0, b"a", more=True), b"lost")
    abort = encode_frame(0, Transfer(link.handle, aborted=True))
    whole = encode_frame(0, Transfer(link.handle, 1, b"b"), b"kept")
    pair.server_events += pair.server.receive_data(first + abort + whole, pair.now)
    assert [event.delivery.payload for event in pair.events_of(DeliveryReceived)] == [b"kept"]
    assert other.credit == 3


def test_ids_and_counts_wrap_around() -> None:
    pair = Pair(on_server=accept)
    pair.client.open()
    session = pair.client.begin(next_outgoing_id=2**32 - 3)
    link = session.attach_sender("s", target="orders", initial_delivery_count=2**32 - 2)
    pair.run()
    server_link(pair).grant(8)
    pair.run()
    assert link.credit == 8
    sent = [link.send(b"x", delivery_tag=b"t") for _ in range(8)]
    pair.run()
    assert [each.delivery_id for each in sent] == [2**32 - 3, 2**32 - 2, 2**32 - 1, 0, 1, 2, 3, 4]
    deliveries = [event.delivery for event in pair.events_of(DeliveryReceived)]
    server_link(pair).disposition(deliveries, Accepted())
    pair.run()
    (update,) = pair.events_of(DeliveryUpdated, of="client")
    assert update.deliveries == tuple(sent)
    server_link(pair).grant(1)
    pair.run()
    assert link.credit == 1


def test_detach_by_either_side_is_reported_once_on_both() -> None:
    pair, session = connected()
    link, other = receiving(pair, session, credit=1)
    other.detach(Error(ErrorCondition.DETACH_FORCED, "idle"))
    other.detach()
    pair.run()
    (ours,) = pair.events_of(LinkDetached, of="client")
    (theirs,) = pair.events_of(LinkDetached)
    assert (ours.error.description, ours.by_peer) == ("idle", True)
    assert (theirs.error.description, theirs.by_peer) == ("idle", False)
    with pytest.raises(LocalProtocolError, match="not attached"):
        other.send(b"x", delivery_tag=b"t")
    assert session.links == ()
    assert session.attach_receiver("r", source="orders").handle == link.handle


def test_a_request_given_up_before_it_was_answered_is_reported() -> None:
    pair, session = connected(on_server=lambda event: None)
    link = session.attach_receiver("r", source="orders")
    pair.run()
    link.detach()
    pair.run()
    (detached,) = pair.events_of(LinkDetached)
    detached.link.accept()
    detached.link.detach()
    pair.run()
    assert len(pair.events_of(LinkDetached, of="client")) == 1
    assert pair.client.opened


def test_a_link_attached_again_replaces_the_first() -> None:
    pair, session = connected()
    link, _ = receiving(pair, session)
    stolen = encode_frame(0, Attach("r", 9, True, source=Source("orders")))
    for event in pair.server.receive_data(stolen, pair.now):
        accept(event)
    pair.run()
    assert pair.events_of(LinkDetached, of="client")[0].error.condition == ErrorCondition.STOLEN
    assert link.detached


def test_settling_after_the_link_is_gone_is_harmless() -> None:
    pair, session = connected()
    link, other = receiving(pair, session, credit=2)
    other.send(b"x", delivery_tag=b"t")
    pair.run()
    delivery = pair.events_of(DeliveryReceived, of="client")[0].delivery
    session.end(Error("amqp:internal-error"))
    delivery.settle(Accepted())
    link.grant(1)
    pair.run()
    with pytest.raises(LocalProtocolError, match="session has ended"):
        session.attach_receiver("again", source="orders")
    assert pair.server.sessions == ()
    assert pair.events_of(LinkDetached)[0].error == Error("amqp:internal-error")


def test_a_detach_drops_what_still_waits_for_the_window() -> None:
    pair, session = connected(server={"incoming_window": 1})
    link, _ = sending(pair, session)
    for _ in range(3):
        link.send(b"x", delivery_tag=b"t")
    link.detach()
    assert session.backlog_frames == 0
    pair.run()
    assert len(pair.events_of(DeliveryReceived)) == 1
    assert pair.client.opened


def test_a_huge_disposition_range_costs_only_what_is_unsettled() -> None:
    pair, session = connected()
    _, other = receiving(pair, session, credit=3)
    sent = [other.send(b"x", delivery_tag=b"t") for _ in range(3)]
    pair.run()
    data = encode_frame(0, Disposition(True, 0, 2**31 - 1, True, Accepted()))
    (update,) = pair.server.receive_data(data, pair.now)
    assert update.deliveries == tuple(sent)


def test_handles_are_limited_by_the_peer() -> None:
    pair, session = connected(server={"handle_max": 1})
    for name in "ab":
        session.attach_sender(name, target="t")
    with pytest.raises(LocalProtocolError, match="no more links"):
        session.attach_sender("c", target="t")
    with pytest.raises(LocalProtocolError, match="attached already"):
        session.attach_sender("a", target="t")
    pair.run()
    assert pair.server.opened


def test_a_flow_on_a_session_without_next_incoming_id_counts_from_the_start() -> None:
    pair = Pair(on_server=accept)
    stream = AMQP_HEADER + b"".join(
        encode_frame(0, each)
        for each in (
            Open("raw"),
            Begin(None, 0, 1, 1),
            Attach("r", 0, True, source=Source("orders")),
            Flow(None, 2, 0, 1, 0, None, 5),
        )
    )
    for event in pair.server.receive_data(stream, pair.now):
        accept(event)
    # The flow came before the link was accepted; credit granted that early is kept.
    link = pair.server.sessions[0].links[0]
    assert link.credit == 5


@st.composite
def cuts(draw: st.DrawFn) -> Any:
    """A way to cut a stream into pieces."""
    sizes = draw(st.lists(st.integers(1, 700), min_size=1, max_size=20))

    def cut(data: bytes) -> Iterator[bytes]:
        start = number = 0
        while start < len(data):
            size = sizes[number % len(sizes)]
            yield data[start : start + size]
            start, number = start + size, number + 1

    return cut


@settings(max_examples=60)
@given(
    chunker=cuts(),
    bodies=st.lists(st.binary(max_size=2_000), max_size=30),
    credit=st.integers(1, 7),
    windows=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    frame_sizes=st.tuples(st.integers(512, 2_000), st.integers(512, 2_000)),
    second=st.booleans(),
)
def test_every_message_arrives_once_in_order_and_credit_is_never_passed(
    chunker: Any,
    bodies: list[bytes],
    credit: int,
    windows: tuple[int, int],
    frame_sizes: tuple[int, int],
    second: bool,
) -> None:
    waiting = [Message(body=Data(body)).encode() for body in bodies]
    received: list[bytes] = []
    settled: list[bytes] = []

    def on_server(event: Event) -> None:
        match event:
            case LinkRequested(link=link):
                link.accept()
            case LinkFlow(link=SendingLink() as link):
                while link.credit and waiting:
                    link.send(waiting.pop(0), delivery_tag=len(waiting).to_bytes(4, "big"))
            case DeliveryUpdated(link=link, deliveries=deliveries, state=state, settled=False):
                link.disposition(deliveries, state)
            case DeliveryUpdated(deliveries=deliveries):
                settled.extend(each.delivery_tag for each in deliveries)

    def on_client(event: Event) -> None:
        match event:
            case DeliveryReceived(link=link, delivery=delivery):
                assert link.credit >= 0
                received.append(delivery.message().body.content)
                (delivery.update if second else delivery.settle)(Accepted())
                if link.credit == 0:
                    link.grant(credit)
            case DeliveryUpdated(deliveries=deliveries, settled=True):
                settled.extend(each.delivery_tag for each in deliveries)

    pair = Pair(
        client={"max_frame_size": frame_sizes[0], "incoming_window": windows[0]},
        server={"max_frame_size": frame_sizes[1], "incoming_window": windows[1]},
        on_client=on_client,
        on_server=on_server,
        chunker=chunker,
    )
    pair.client.open()
    session = pair.client.begin()
    mode = ReceiverSettleMode.SECOND if second else ReceiverSettleMode.FIRST
    link = session.attach_receiver("r", source="orders", credit=credit, rcv_settle_mode=mode)
    pair.run()
    assert received == bodies
    assert len(settled) == len(set(settled)) == len(bodies)
    assert not link.unsettled
    assert pair.client.opened
    assert pair.server.opened
