"""JSON documents as no sensible sender writes them, and some that are none."""

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy


def _rarely(one_in: int, rare: SearchStrategy[str], usual: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.integers(0, one_in).flatmap(lambda chance: usual if chance else rare)


_white_space = st.sampled_from(["", "", "", "", " ", "\t", "\n", "\r\n", "  "])
_digits = (
    st.text("0123456789", min_size=1, max_size=3)
    | st.text("0123456789", min_size=1, max_size=25)
    | st.sampled_from(["0", "00000", "9223372036854775807", "9223372036854775808", "99999999999999"])
)
_exponents = st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 400))
numbers = st.builds(
    lambda sign, whole, fraction, exponent: sign + (whole.lstrip("0") or "0") + fraction + exponent,
    st.sampled_from(["", "", "-"]),
    _digits,
    st.just("") | _digits.map(".{}".format),
    st.just("") | st.just("") | _exponents,
) | st.sampled_from(
    ["-0", "0e0", "1.0", "-0.0", "1.00", "0.000001", "0.00001", "123456789012345678", "1e400", "1e-2000"]
)
_characters = st.sampled_from(
    [
        *"ab é日𝄞{}[]:,\x7f\u2028",
        r"\n",
        r"\"",
        r"\\",
        r"\/",
        r"\u00e9",
        r"\u0000",
        r"\u001f",
        r"\ud834\udd1e",
        "1e5",
        ",]",
        ":NaN",
        "[0.00000",
        "null",
        "true",
    ]
)
_strings = st.lists(_characters, max_size=4).map(lambda parts: f'"{"".join(parts)}"')
_names = st.sampled_from(
    ['"a"', '"b"', '"A"', '""', '"a b"', r'"\u0061"', '"é"', '"a/~b"', '"$"', '"*"', r'"\u0000"', r'"\u001f"', r'"\""']
)
_no_values = st.sampled_from(
    [
        "NaN",
        "-Infinity",
        "nan",
        "inf",
        "01",
        "+1",
        ".5",
        "1.",
        "'a'",
        "nul",
        "True",
        r'"\ud800"',
        r'"\x"',
        '"\t"',
        "",
        "-",
        "/*c*/1",
        "1 2",
    ]
)
_scalars = _rarely(40, _no_values, st.sampled_from(["null", "true", "false", "1", '"x"']) | numbers | _strings)


@st.composite
def _listed(draw: DrawFn, items: list[str]) -> str:
    spaced = [draw(_white_space) + item + draw(_white_space) for item in items]
    return ",".join(spaced) + draw(_rarely(60, st.just(","), st.just("")))


@st.composite
def _arrays(draw: DrawFn, values: SearchStrategy[str]) -> str:
    return f"[{draw(_listed(draw(st.lists(values, max_size=4))))}]"


@st.composite
def objects(draw: DrawFn, values: SearchStrategy[str], most: int = 5) -> str:
    """Objects of values, now and then with a name that stands twice."""
    names = draw(st.lists(_names, max_size=most, unique=draw(st.integers(0, 9)) > 0))
    return f"{{{draw(_listed([f'{name}{draw(_white_space)}:{draw(values)}' for name in names]))}}}"


_deep = st.builds(
    lambda depth, is_array: "[" * depth + "]" * depth if is_array else '{"a":' * depth + "1" + "}" * depth,
    st.sampled_from([3, 239, 240, 241, 249, 250, 251, 252, 253, 254, 255, 256, 300, 2000]),
    st.booleans(),
)
values = st.recursive(_scalars, lambda inner: _arrays(inner) | objects(inner, 3), max_leaves=8)
_documents = _rarely(12, values, objects(_rarely(60, _deep, values)))
_damaged = _documents.flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]) | st.just(f"{text} x"))
_charsets = st.sampled_from(["utf-8"] * 12 + ["utf-8-sig", "utf-16", "utf-16-le"])
bodies = st.builds(str.encode, _rarely(12, _damaged, _documents), _charsets) | st.sampled_from(
    [b"", b"\xff", b'{"a": "\xff"}', b"{}", b" {} ", b"[]", b"null", b'{"a":1}\0']
)
"""Bodies of messages."""
