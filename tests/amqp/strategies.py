"""Hypothesis strategies for AMQP values."""

from typing import Any

from hypothesis import strategies as st

from syncline.amqp import (
    Array,
    Byte,
    Char,
    Decimal32,
    Decimal64,
    Decimal128,
    Described,
    Float32,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
symbols = st.text(st.characters(max_codepoint=127), max_size=300).map(Symbol)


def _integers(kind: Any) -> st.SearchStrategy[Any]:
    return st.integers(kind.MINIMUM, kind.MAXIMUM).map(kind)


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "ubyte": _integers(UByte),
    "ushort": _integers(UShort),
    "uint": _integers(UInt),
    "ulong": _integers(ULong),
    "byte": _integers(Byte),
    "short": _integers(Short),
    "int": _integers(Int),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False).map(Float32),
    "double": st.floats(allow_nan=False),
    "decimal32": st.binary(min_size=4, max_size=4).map(Decimal32),
    "decimal64": st.binary(min_size=8, max_size=8).map(Decimal64),
    "decimal128": st.binary(min_size=16, max_size=16).map(Decimal128),
    "char": st.characters(exclude_categories=("Cs",)).map(Char),
    "timestamp": _integers(Timestamp),
    "uuid": st.uuids(),
    "binary": st.binary(max_size=300),
    "string": text,
    "symbol": symbols,
}
scalars = st.one_of(*SCALARS.values())


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    """An array of one scalar type, of lists, or of arrays, with or without a descriptor."""
    name = draw(st.sampled_from([*SCALARS, "list", "map", "array"]))
    items: st.SearchStrategy[Any]
    if name == "list":
        items = st.lists(scalars, max_size=3)
    elif name == "map":
        items = st.dictionaries(text, scalars, max_size=3)
    elif name == "array":
        items = st.lists(SCALARS["int"], max_size=3).map(lambda values: Array("int", values))
    else:
        items = SCALARS[name]
    descriptor = draw(st.none() | SCALARS["ulong"] | symbols)
    return Array(name, draw(st.lists(items, max_size=20)), descriptor)


values = st.recursive(
    scalars | arrays(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=8),
        st.dictionaries(text | symbols | st.integers(-100, 100), inner, max_size=5),
        st.builds(Described, SCALARS["ulong"] | symbols, inner),
    ),
    max_leaves=25,
)


def same(first: Any, second: Any) -> bool:
    """Whether two values are equal and of the same AMQP types all the way down."""
    if type(first) is not type(second):
        return False
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return same(list(first), list(second)) and same(list(first.values()), list(second.values()))
    if isinstance(first, Array):
        return first.type_name == second.type_name and all(
            (same(list(first.items), list(second.items)), same(first.descriptor, second.descriptor))
        )
    if isinstance(first, Described):
        return same(first.descriptor, second.descriptor) and same(first.value, second.value)
    return bool(first == second)
