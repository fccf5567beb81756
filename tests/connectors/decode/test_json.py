"""Decoding batches of JSON messages."""

import codecs
import json
import math
import random
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline.connectors.azure_service_bus.decode import decode_batch, json_unpacked
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA
from syncline.connectors.errors import SourceConfigurationError
from syncline.warehouses import types
from tests.connectors.decode.batches import batch, check_complete


def messages(*bodies: bytes) -> pa.Table:
    """A batch of messages with these bodies."""
    return batch(bodies)


def unpack(*bodies: bytes) -> pa.Table:
    rows, rejects = decode_batch(messages(*bodies), "Json", "Unpacked")
    assert rejects.num_rows == 0, rejects.to_pylist()
    return rows


def column(table: pa.Table, name: str) -> tuple[types.ColumnType, list]:
    return types.from_arrow(table.schema.field(name)), table.column(name).to_pylist()


@pytest.mark.parametrize(
    ("literals", "expected_type", "expected"),
    [
        (["true", "false", "null"], types.BOOLEAN, [True, False, None]),
        (["1", "-32768"], types.SHORT, [1, -32768]),
        (["1", "32768"], types.INT, [1, 32768]),
        (["1", "-2147483649"], types.LONG, [1, -(2**31) - 1]),
        (["9223372036854775807"], types.LONG, [2**63 - 1]),
        (["9223372036854775808"], types.decimal(19, 0), [Decimal(2**63)]),
        (["10", "19.99"], types.decimal(10, 2), [Decimal(10), Decimal("19.99")]),
        (["1.0"], types.decimal(10, 1), [Decimal(1)]),
        (["12345678901.5"], types.decimal(19, 1), [Decimal("12345678901.5")]),
        (["0.1234567890123456789"], types.decimal(10, 19), [Decimal("0.1234567890123456789")]),
        (["9007199254740993", "0.5"], types.decimal(19, 1), [Decimal(9007199254740993), Decimal("0.5")]),
        (["1e-7", "0.0000012"], types.decimal(10, 7), [Decimal("1e-7"), Decimal("0.0000012")]),
        (["1e300", "0.5"], types.DOUBLE, [1e300, 0.5]),
        (["1e300", "12345678901234567890.5"], types.JSON, ["1E+300", "12345678901234567890.5"]),
        (["1" * 60], types.JSON, ["1" * 60]),
        (['"2024-01-01T00:00:00Z"', '"ü𝄞"'], types.STRING, ["2024-01-01T00:00:00Z", "ü𝄞"]),
        (['{"b": [1, 2.50]}', "[]"], types.JSON, ['{"b":[1,2.5]}', "[]"]),
        (["[0.1234567890123456789]"], types.JSON, ["[0.1234567890123456789]"]),
        (["[123456789012345678901234567890]"], types.JSON, ["[123456789012345678901234567890]"]),
        (["{}", "1", "true"], types.JSON, ["{}", "1", "true"]),
        (["true", "1"], types.JSON, ["true", "1"]),
        (['"a"', "1", "true", '{"b":1}'], types.STRING, ["a", "1", "true", '{"b":1}']),
    ],
)
def test_a_field_has_the_narrowest_type_that_holds_its_values(literals, expected_type, expected):
    rows = unpack(*(f'{{"a": {literal}}}'.encode() for literal in literals))
    found_type, values = column(rows, "value_a")
    assert values == expected
    assert found_type == expected_type


def test_absent_and_null_fields_are_null():
    rows = unpack(b'{"a": 1}', b"{}", b'{"a": null, "b": null}')
    assert rows.column("value_a").to_pylist() == [1, None, None]
    assert "value_b" not in rows.column_names


def test_of_a_field_that_stands_twice_the_last_counts():
    assert unpack(b'{"a": 1, "a": 2}').column("value_a").to_pylist() == [2]


def test_a_message_that_is_no_object_is_kept_whole():
    rows = unpack(b'{"a": 1}', b"[1, 2]", b'"text"', b"null")
    assert column(rows, "value") == (types.JSON, [None, "[1,2]", '"text"', "null"])
    assert rows.column("value_a").to_pylist() == [1, None, None, None]


def test_a_byte_order_mark_is_ignored():
    assert unpack(b'\xef\xbb\xbf{"a": 1.5}').column("value_a").to_pylist() == [Decimal("1.5")]


@pytest.mark.parametrize("sync_type", ["Packed", "Unpacked"])
@pytest.mark.parametrize(
    ("charset", "mark", "content_type"),
    [
        ("utf-8", codecs.BOM_UTF8, None),
        ("utf-16-le", codecs.BOM_UTF16_LE, None),
        ("utf-16-be", codecs.BOM_UTF16_BE, "application/json"),
        ("utf-32-le", codecs.BOM_UTF32_LE, None),
        ("utf-32-be", codecs.BOM_UTF32_BE, None),
        ("utf-16-le", b"", None),
        ("utf-16-be", b"", "application/json; charset=utf-16"),
        ("utf-32-le", b"", None),
        ("utf-32-be", b"", None),
        ("latin-1", b"", "application/json; charset=iso-8859-1"),
        ("utf-8", b"", "application/json; charset=utf-16"),
    ],
)
def test_any_charset_of_unicode_is_told_by_its_first_bytes(charset, mark, content_type, sync_type):
    text = '{"a": "Zoë", "b": 1.50}' if charset == "latin-1" else '{"a": "Zoë 日本", "b": 1.50}'
    bodies = [mark + text.encode(charset), b'{"a": "plain"}', b"{"]
    rows, rejects = decode_batch(batch(bodies, [content_type, None, None]), "Json", sync_type)
    check_complete(bodies, rows, rejects)
    assert rejects.num_rows == 1
    if sync_type == "Packed":
        assert rows.column("value").to_pylist() == [text, '{"a": "plain"}']
    else:
        assert rows.column("value_a").to_pylist() == [json.loads(text)["a"], "plain"]
        assert rows.column("value_b").to_pylist() == [Decimal("1.5"), None]


@pytest.mark.parametrize("document", ['"日本"', "1", "[]", '"é"'])
@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_short_documents_in_any_charset(document, charset):
    rows, rejects = decode_batch(batch([document.encode(charset)]), "Json", "Packed")
    assert rejects.num_rows == 0, rejects.to_pylist()
    assert rows.column("value").to_pylist() == [document]


def test_an_envelope_of_cloudevents_is_an_object_like_any_other():
    event = {
        "specversion": "1.0", "id": "A234", "source": "/mycontext", "type": "com.example.created",
        "time": "2018-04-05T17:31:00Z", "datacontenttype": "application/json", "data": {"total": 12.50},
        "comexampleothervalue": 5,
    }  # fmt: skip
    body = json.dumps(event).encode()
    rows, rejects = decode_batch(batch([body], "application/cloudevents+json; charset=UTF-8"), "Json", "Unpacked")
    assert rejects.num_rows == 0
    assert column(rows, "value_data") == (types.JSON, ['{"total":12.5}'])
    assert column(rows, "value_time") == (types.STRING, ["2018-04-05T17:31:00Z"])
    assert column(rows, "value_comexampleothervalue") == (types.SHORT, [5])


def test_system_columns_come_first_and_unchanged():
    rows = unpack(b'{"message_id": 1}')
    assert rows.column_names == [*MESSAGE_SCHEMA.names[:-2], "value_message_id"]
    assert column(rows, "application_properties")[0] == types.JSON


def test_packed_keeps_the_text_as_it_came():
    text = '{ "a" : 1.50, "a": 2, "ü": [0.1234567890123456789] }'
    rows, rejects = decode_batch(messages(text.encode(), b"1"), "Json", "Packed")
    assert column(rows, "value") == (types.JSON, [text, "1"])
    assert rejects.num_rows == 0


BAD = {
    b"{": "not JSON",
    b'{"a": NaN}': "neither NaN nor Infinity",
    b'{"a": 1,}': "not JSON",
    b'{"a": "\xff"}': "utf-8",
    b'{"a": "\\ud800"}': "surrogate",
    b'{"a": 1} x': "not JSON",
    b'{"a": 1e999}': "infinity",
    b'{"a": 1e-9999}': "too close to zero",
    b"[" * 100_000: "depth",
    b"[" * 1020 + b"1e5" + b"]" * 1020: "nested too deeply",
    b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}": "nested too deeply",
    b"\xef\xbb\xbf" + b"[" * 300 + b"]" * 300: "nested too deeply",
    b"9" * 5000: "infinity",
    b"\xff\xfe{\x00}\x00\x00": "utf-16",
}


@pytest.mark.parametrize("sync_type", ["Packed", "Unpacked"])
@pytest.mark.parametrize(("body", "reason"), BAD.items(), ids=[repr(body[:16]) for body in BAD])
def test_a_bad_message_is_rejected_with_its_bytes_and_the_reason(body, reason, sync_type):
    rows, rejects = decode_batch(messages(b'{"a": 1}', body, b'{"a": 3}'), "Json", sync_type)
    assert rows.column("sequence_num").to_pylist() == [1, 3]
    (reject,) = rejects.to_pylist()
    assert reject["sequence_num"] == 2
    assert reject["message_id"] == "m1"
    assert reject["body"] == body
    assert reason in reject["reason"]


def test_a_message_with_too_many_fields_is_rejected():
    body = json.dumps({f"f{number}": number for number in range(1001)}).encode()
    _, rejects = decode_batch(messages(body), "Json", "Unpacked")
    assert "Packed" in rejects.column("reason")[0].as_py()


@pytest.mark.parametrize("sync_type", ["Packed", "Unpacked"])
def test_an_empty_batch_decodes_to_nothing(sync_type):
    rows, rejects = decode_batch(messages(), "Json", sync_type)
    assert (rows.num_rows, rejects.num_rows) == (0, 0)


def test_a_format_without_a_decoder_is_refused():
    with pytest.raises(SourceConfigurationError, match="message_type"):
        decode_batch(messages(), "Morse", "Packed")


numbers = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)
)
# A busy machine makes drawing examples slow, which says nothing about the code.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)

leaves = st.none() | st.booleans() | numbers | st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=6)


class _Encoder(json.JSONEncoder):
    """Writes decimals with all their digits."""

    def iterencode(self, o, _one_shot=False):
        return super().iterencode(_mark(o), _one_shot)

    def encode(self, o):
        text = super().encode(_mark(o))
        return text.replace('"\x01', "").replace('\x01"', "").replace('"\\u0001', "").replace('\\u0001"', "")


def _mark(value):
    if isinstance(value, Decimal):
        return f"\x01{value}\x01"
    if isinstance(value, list):
        return [_mark(item) for item in value]
    if isinstance(value, dict):
        return {key: _mark(item) for key, item in value.items()}
    return value


def encode(value) -> bytes:
    return _Encoder().encode(value).encode("utf-8", "surrogatepass")


def exactly(text: str):
    """A parsed JSON document in which every number is a Decimal."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def as_read(column_type: types.ColumnType, value):
    if value is None:
        return None
    if column_type.kind is types.Kind.JSON:
        return exactly(value)
    if column_type.kind is types.Kind.DOUBLE:
        return Decimal(repr(value))
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


@unhurried
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "", "A"]), values), max_size=6))
def test_every_value_lands(documents):
    bodies = [encode(document) for document in documents]
    rows, rejects = decode_batch(messages(*bodies), "Json", "Unpacked")
    assert rows.num_rows + rejects.num_rows == len(documents)
    accepted = dict(zip(rows.column("sequence_num").to_pylist(), range(rows.num_rows), strict=True))
    for sequence, body in enumerate(bodies, start=1):
        if sequence not in accepted:
            continue
        for name, expected in exactly(body.decode()).items():
            if f"value_{name}" not in rows.column_names:
                assert expected is None
                continue
            column_type, read = column(rows, f"value_{name}")
            value = read[accepted[sequence]]
            if column_type == types.STRING and not isinstance(expected, str) and expected is not None:
                value = exactly(value)
            assert as_read(column_type, value) == expected


@unhurried
@given(st.lists(st.binary(max_size=40) | values.map(encode), max_size=8), st.sampled_from(["Packed", "Unpacked"]))
def test_rows_and_rejects_together_are_the_messages(bodies, sync_type):
    rows, rejects = decode_batch(messages(*bodies), "Json", sync_type)
    found = rows.column("sequence_num").to_pylist() + rejects.column("sequence_num").to_pylist()
    assert sorted(found) == list(range(1, len(bodies) + 1))
    assert rejects.column("body").to_pylist() == [
        bodies[sequence - 1] for sequence in rejects.column("sequence_num").to_pylist()
    ]


@unhurried
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_doubles_come_back_as_they_were_written(floats):
    rows = unpack(*(json.dumps({"a": number}).encode() for number in floats))
    column_type, read = column(rows, "value_a")
    for number, value in zip(floats, read, strict=True):
        assert math.isclose(float(value), number, rel_tol=0, abs_tol=0), column_type


def test_what_a_batch_gives_does_not_depend_on_how_much_of_it_is_decoded_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fields that come and go, and have another type in each part of the batch."""
    kinds = ["1", "2.5", "true", '"text"', "[1, 2.50]", '{"a": null}', "null", "12345678901234567890", "1e300"]
    chance = random.Random(3)
    bodies = [
        "{" + ", ".join(f'"{name}": {chance.choice(kinds[low : low + 2])}' for name, low in fields) + "}"
        for fields in (
            [(name, place % 8 if place < 8 else chance.randrange(8)) for place, name in enumerate(names)]
            for names in (chance.sample("abcdefghijklmnopqrstuvwxyz", 12) for _ in range(200))
        )
    ]
    messages = batch([body.encode() for body in [*bodies, "[1]", "broken", '"text"']])
    whole = decode_batch(messages, "Json", "Unpacked")
    for size in (1, 7, 100):
        monkeypatch.setattr(json_unpacked, "_AT_ONCE", size)
        rows, rejects = decode_batch(messages, "Json", "Unpacked")
        assert rows.equals(whole[0], check_metadata=True)
        assert rejects.equals(whole[1])
