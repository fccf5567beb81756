"""The type system: vectors of the specification, round trips, and bytes that are not AMQP."""

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from azure.servicebus._pyamqp import _decode as sdk_decode
from azure.servicebus._pyamqp import _encode as sdk_encode
from hypothesis import example, given
from hypothesis import strategies as st

from syncline.amqp import (
    Array,
    Byte,
    Char,
    Decimal32,
    Decimal64,
    Decimal128,
    DecodeError,
    Described,
    EncodeError,
    Float32,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    decode_value,
    encode_value,
    skip_value,
)
from tests.amqp.strategies import same, values

# Every encoding of part 1, section 1.6: the bytes and the value. The first of several for a value is the smallest.
VECTORS: list[tuple[str, Any]] = [
    ("40", None),
    ("41", True),
    ("42", False),
    ("56 01", True),
    ("56 00", False),
    ("50 ff", UByte(255)),
    ("60 ffff", UShort(65535)),
    ("43", UInt(0)),
    ("52 00", UInt(0)),
    ("52 ff", UInt(255)),
    ("70 00000100", UInt(256)),
    ("70 ffffffff", UInt(2**32 - 1)),
    ("44", ULong(0)),
    ("53 ff", ULong(255)),
    ("80 0000000000000100", ULong(256)),
    ("80 ffffffffffffffff", ULong(2**64 - 1)),
    ("51 80", Byte(-128)),
    ("61 8000", Short(-32768)),
    ("54 ff", Int(-1)),
    ("71 80000000", Int(-(2**31))),
    ("55 80", -128),
    ("81 000000000000000f", 15),
    ("81 8000000000000000", -(2**63)),
    ("72 3fc00000", Float32(1.5)),
    ("82 3ff8000000000000", 1.5),
    ("82 7ff0000000000000", math.inf),
    ("74 22500001", Decimal32(bytes.fromhex("22500001"))),
    ("84 2238000000000001", Decimal64(bytes.fromhex("2238000000000001"))),
    ("94 22080000000000000000000000000001", Decimal128(bytes.fromhex("22080000000000000000000000000001"))),
    ("73 0001f600", Char("\U0001f600")),
    ("83 00000138c9e5a0b8", Timestamp(0x138C9E5A0B8)),
    ("83 ffffffffffffffff", Timestamp(-1)),
    ("98 00112233445566778899aabbccddeeff", UUID("00112233-4455-6677-8899-aabbccddeeff")),
    ("a0 02 6869", b"hi"),
    ("b0 00000002 6869", b"hi"),
    # Section 1.2.2: the string "Glorious Messaging" in both widths.
    ("a1 12 476c6f72696f7573204d6573736167696e67", "Glorious Messaging"),
    ("b1 00000012 476c6f72696f7573204d6573736167696e67", "Glorious Messaging"),
    ("a3 03 666f6f", Symbol("foo")),
    ("b3 00000003 666f6f", Symbol("foo")),
    ("45", []),
    ("c0 01 00", []),
    ("d0 00000004 00000000", []),
    ("c0 04 03 41 42 40", [True, False, None]),
    ("d0 00000007 00000003 41 42 40", [True, False, None]),
    ("c1 07 02 a3 01 61 a1 01 62", {Symbol("a"): "b"}),
    ("d1 0000000a 00000002 a3 01 61 a1 01 62", {Symbol("a"): "b"}),
    ("e0 04 02 56 01 00", Array("boolean", [True, False])),
    ("f0 00000007 00000002 56 01 00", Array("boolean", [True, False])),
    ("e0 04 02 50 01 02", Array("ubyte", [UByte(1), UByte(2)])),
    # Section 1.1.2: a string with the descriptor of a URL.
    (
        "00 a1 03 55524c a1 1e 687474703a2f2f6578616d706c652e6f72672f68656c6c6f2d776f726c64",
        Described("URL", "http://example.org/hello-world"),
    ),
    # Section 1.4: the book, a described list of title, authors (an array of described ... strings) and isbn.
    (
        "00 a3 11 6578616d706c653a626f6f6b3a6c697374 c0 40 03"
        "a1 15 414d515020666f7220262062792044756d6d696573"
        "e0 25 02 a1 0e 526f62204a2e20476f6466726579 13 52616661656c 20482e205363686c6f6d696e67"
        "40",
        Described(
            Symbol("example:book:list"),
            [
                "AMQP for & by Dummies",
                Array("string", ["Rob J. Godfrey", "Rafael H. Schloming"]),
                None,
            ],
        ),
    ),
]


@pytest.mark.parametrize(("encoded", "value"), VECTORS, ids=[vector[0][:24] for vector in VECTORS])
def test_decodes_the_vectors_of_the_specification(encoded: str, value: Any) -> None:
    data = bytes.fromhex(encoded.replace(" ", ""))
    decoded, end = decode_value(data)
    assert same(decoded, value)
    assert end == len(data) == skip_value(data, 0)
    assert len(encode_value(value)) <= len(data) or isinstance(value, Array) or "book" in repr(value)


@given(values)
def test_what_is_encoded_decodes_to_the_same_value_and_types(value: Any) -> None:
    data = encode_value(value)
    decoded, end = decode_value(data)
    assert same(decoded, value)
    assert end == len(data)
    assert skip_value(data, 0) == len(data)
    assert same(decode_value(memoryview(b"pad" + data), 3)[0], value)


@given(st.binary(max_size=200))
@example(b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40")
@example(b"\xe0\x02\xff\x45")
@example(b"\xc1\x05\x02\xc0\x01\x00\x40")
@example(b"\x73\x00\x11\x00\x00")
@example(b"\x73\x00\x00\xd8\x00")
@example(b"\xd0\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\x00" * 200)
def test_any_bytes_decode_or_raise_decode_error(data: bytes) -> None:
    for decode in (decode_value, lambda buffer: skip_value(buffer, 0)):
        with suppress(DecodeError):
            decode(data)


@given(values, st.data())
def test_damaged_values_decode_or_raise_decode_error(value: Any, data: st.DataObject) -> None:
    encoded = bytearray(encode_value(value))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(encoded[: data.draw(st.integers(0, len(encoded)))])
    with suppress(DecodeError):
        decode_value(damaged)


@given(values)
def test_a_value_cut_short_is_a_decode_error(value: Any) -> None:
    data = encode_value(value)
    for size in range(min(len(data), 60)):
        with pytest.raises(DecodeError):
            decode_value(data[:size])


def test_nesting_is_limited() -> None:
    deep: list[Any] = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(DecodeError, match="nest deeper"):
        decode_value(encode_value(deep))


def test_empty_items_cannot_claim_memory() -> None:
    with pytest.raises(DecodeError, match="cannot hold"):
        decode_value(bytes.fromhex("f00000000500ffffff45"))


def test_a_map_with_a_key_that_python_cannot_hash_is_a_decode_error() -> None:
    with pytest.raises(DecodeError):
        decode_value(bytes.fromhex("c1030245" + "40"))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (UByte, 256), (UByte, -1), (UShort, 65536), (UInt, -1), (ULong, 2**64), (Byte, 128), (Short, 40000),
        (Int, 2**31), (Timestamp, 2**63),
    ],
)  # fmt: skip
def test_integers_out_of_range_are_refused(kind: type[int], value: int) -> None:
    with pytest.raises(ValueError, match=kind.__name__):
        kind(value)


@pytest.mark.parametrize("value", [2**63, object(), {"a": {1, 2}}, Symbol("é"), "\ud800", Array("symbol", [1])])
def test_what_amqp_cannot_carry_is_an_encode_error(value: Any) -> None:
    with pytest.raises(EncodeError):
        encode_value(value)


def test_an_array_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(EncodeError, match="decimal"):
        Array("decimal", [])


def test_timestamps_are_milliseconds_of_aware_datetimes() -> None:
    moment = datetime(2024, 2, 29, 13, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=2)))
    stamp = Timestamp.from_datetime(moment)
    assert stamp == 1_709_204_400_123
    assert stamp.to_datetime() == datetime(2024, 2, 29, 11, 0, 0, 123_000, tzinfo=UTC)
    assert decode_value(encode_value(moment))[0] == stamp
    with pytest.raises(ValueError, match="tzinfo"):
        Timestamp.from_datetime(datetime(2024, 1, 1))  # noqa: DTZ001 - naive on purpose


@pytest.mark.parametrize(
    "value",
    [
        None, True, UInt(7), UInt(70_000), ULong(0), 5, 1 << 40, -3, 2.5, "häuser" * 60, b"x" * 300, Timestamp(1),
        UUID(int=5), ["a", [1, None]], {"a": 1, "b": ["c"]}, UByte(1), UShort(1), Byte(-1), Short(-1), Int(-200),
    ],
)  # fmt: skip
def test_the_official_sdk_decodes_the_same(value: Any) -> None:
    data = memoryview(encode_value(value))
    rest, decoded = sdk_decode._DECODE_BY_CONSTRUCTOR[data[0]](data[1:])
    assert not rest

    def plain(item: Any) -> Any:
        """The SDK leaves strings as bytes."""
        if isinstance(item, str):
            return item.encode()
        if isinstance(item, list):
            return [plain(each) for each in item]
        if isinstance(item, dict):
            return {plain(key): plain(each) for key, each in item.items()}
        return item

    assert decoded == plain(value)


@pytest.mark.parametrize("value", [None, True, 7, 1 << 20, -3, 2.5, "häuser", b"x" * 300, ["a", 1], {"a": {"b": 1}}])
def test_what_the_official_sdk_encodes_is_decoded(value: Any) -> None:
    output = bytearray()
    sdk_encode.encode_value(output, value)
    decoded, end = decode_value(bytes(output))
    assert decoded == value
    assert end == len(output)
