"""Performatives and frames: fields checked both ways, sizes enforced, streams cut anywhere."""

from contextlib import suppress
from typing import Any

import pytest
from azure.servicebus._pyamqp import _decode as sdk_decode
from hypothesis import given
from hypothesis import strategies as st

from syncline.amqp import (
    Accepted,
    Attach,
    Begin,
    Close,
    Coordinator,
    DecodeError,
    Described,
    Detach,
    Disposition,
    EncodeError,
    End,
    Error,
    Flow,
    Modified,
    Open,
    Received,
    Rejected,
    Released,
    SaslChallenge,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    SaslResponse,
    Source,
    Symbol,
    Target,
    Transfer,
    UInt,
    ULong,
)
from syncline.amqp.composites import decode_composite, encode_composite
from syncline.amqp.frames import EMPTY_FRAME, FrameDecoder, encode_frame

EXAMPLES: list[Any] = [
    Open("container", "host", 65_536, 255, 240_000, properties={Symbol("product"): "syncline"}),
    Open("", offered_capabilities=(Symbol("a"), Symbol("b")), desired_capabilities=(Symbol("c"),)),
    Begin(None, 0, 5_000, 5_000),
    Begin(7, 2**32 - 1, 1, 1, handle_max=255),
    Attach("link", 0, True, 1, 1, Source("orders"), Target(), max_message_size=1 << 20),
    Attach("link", 3, False, initial_delivery_count=0, target=Coordinator((Symbol("amqp:local-transactions"),))),
    Attach("l", 1, True, unsettled={b"tag": None}, incomplete_unsettled=True),
    Flow(None, 1, 2, 3),
    Flow(1, 2, 3, 4, 0, 5, 6, 7, True, True, {Symbol("a"): 1}),
    Transfer(0, 1, b"tag", 0, True),
    Transfer(0, more=True),
    Transfer(1, 2, b"t", 0x80013700, False, False, 1, Modified(True, False), True, True, True),
    Disposition(True, 1, 5, True, Accepted()),
    Disposition(False, 2**32 - 1, 3, False, Rejected(Error("com.microsoft:dead-letter", "why", {Symbol("a"): "b"}))),
    Disposition(True, 1, state=Received(1, 2)),
    Disposition(True, 1, state=Released()),
    Disposition(True, 1, state=Modified(message_annotations={Symbol("a"): UInt(1)})),
    Disposition(True, 1, state=Described(ULong(0x34), [b"transaction", None])),
    Detach(0, True, Error("amqp:not-found")),
    End(Error("amqp:session:window-violation", "too much")),
    Close(),
    SaslMechanisms((Symbol("MSSBCBS"), Symbol("PLAIN"))),
    SaslInit(Symbol("PLAIN"), b"\0user\0pass", "host"),
    SaslChallenge(b""),
    SaslResponse(b"x"),
    SaslOutcome(0),
]


@pytest.mark.parametrize("performative", EXAMPLES, ids=lambda each: type(each).__name__)
def test_performatives_round_trip(performative: Any) -> None:
    encoded = encode_composite(performative)
    assert decode_composite(encoded + b"payload") == (performative, len(encoded))


@pytest.mark.parametrize(
    "performative",
    [each for each in EXAMPLES if not isinstance(each, Disposition)],
    ids=lambda each: type(each).__name__,
)
def test_the_official_sdk_reads_our_performatives(performative: Any) -> None:
    _, fields = sdk_decode.decode_frame(memoryview(encode_composite(performative)))
    first = getattr(performative, type(performative).__slots__[0])
    if isinstance(first, str):
        assert fields[0] == first.encode()
    elif isinstance(first, int):
        assert fields[0] == first


def test_a_known_open_byte_by_byte() -> None:
    encoded = encode_composite(Open("c", max_frame_size=512))
    assert encoded == bytes.fromhex("005310c00a03a10163407000000200")


def test_source_filters_keep_their_descriptors() -> None:
    session = Described(ULong(0x137000000C), "session-1")
    source = Source("q", filter={Symbol("com.microsoft:session-filter"): session, Symbol("any"): None})
    attach, _ = decode_composite(encode_composite(Attach("l", 0, True, source=source)))
    assert attach.source.filter["com.microsoft:session-filter"] == session
    assert attach.source.filter["any"] is None


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        ("00531045", "open.container_id is mandatory"),
        ("005310c0020140", "open.container_id is mandatory"),
        ("005310c0020143", "open.container_id: uint at byte"),
        ("005312c00604a1016c4343 43".replace(" ", ""), "attach.role: uint"),
        ("005315c00301410040", "disposition"),
        ("005345c00100", "no known type"),
        ("005311c0ff01", "ends after"),
        ("005318c0060100532445c0", "not stand here|cannot stand here|descriptor"),
        ("005318c10100", "where its list should begin"),
        ("005317c0080740404040404040", "7 fields"),
        ("005317c00301404040", "size says"),
        ("43", "described value"),
    ],
)
def test_malformed_performatives_name_the_field(encoded: str, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode_composite(bytes.fromhex(encoded))


def test_an_unknown_performative_is_not_implemented() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_composite(bytes.fromhex("00537fc00100"))
    assert caught.value.condition == "amqp:not-implemented"


def test_a_missing_or_wrong_field_cannot_be_encoded() -> None:
    with pytest.raises(EncodeError, match=r"flow\.incoming_window is mandatory"):
        encode_composite(Flow())
    with pytest.raises(EncodeError, match=r"open\.channel_max"):
        encode_composite(Open("c", channel_max=70_000))


@given(st.sampled_from(EXAMPLES), st.data())
def test_damaged_performatives_decode_or_raise_decode_error(performative: Any, data: st.DataObject) -> None:
    encoded = bytearray(encode_composite(performative))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DecodeError):
        decode_composite(bytes(encoded[: data.draw(st.integers(0, len(encoded)))]))


@given(st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=100)), max_size=8), st.data())
def test_frames_arrive_whole_however_the_stream_is_cut(parts: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(encode_frame(channel, Transfer(0, 1, b"t"), payload) for channel, payload in parts)
    decoder = FrameDecoder(512)
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        decoder.feed(stream[:size])
        stream = stream[size:]
        while (frame := decoder.next_frame()) is not None:
            found.append((frame.channel, frame.body[decode_composite(frame.body)[1] :]))
    assert found == parts
    assert decoder.buffered == 0


def test_extended_headers_are_skipped_and_empty_frames_have_no_body() -> None:
    decoder = FrameDecoder()
    decoder.feed(bytes.fromhex("0000000f 03 00 0005 deadbeef 005318".replace(" ", "")) + EMPTY_FRAME)
    frame = decoder.next_frame()
    assert (frame.channel, frame.body) == (5, bytes.fromhex("005318"))
    assert decoder.next_frame().body == b""


@pytest.mark.parametrize(
    "header", ["00000201 02 00 0000", "00000007 02 00 0000", "00000010 01 00 0000", "00000010 05 00 0000"]
)
def test_impossible_frame_headers_are_framing_errors(header: str) -> None:
    decoder = FrameDecoder(512)
    decoder.feed(bytes.fromhex(header.replace(" ", "")))
    with pytest.raises(DecodeError) as caught:
        decoder.next_frame()
    assert caught.value.condition == "amqp:connection:framing-error"
