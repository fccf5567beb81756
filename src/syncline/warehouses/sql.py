"""SQL that is the same in every warehouse."""

from collections.abc import Iterator, Sequence

from syncline.warehouses.naming import fit
from syncline.warehouses.rows import Order, OrderColumn

_SOURCE_COMMENT = "source: "
_PREFIX = "_syncline_staging_"


def quoted(name: str) -> str:
    """An identifier in quotes."""
    return '"' + name.replace('"', '""') + '"'


def qualified(*names: str) -> str:
    """A path of identifiers, such as a schema and its table."""
    return ".".join(map(quoted, names))


def text(value: str) -> str:
    """A text literal, for the statements that take no parameters."""
    return "'" + value.replace("'", "''") + "'"


def key_condition(key: Sequence[str], left: str, right: str) -> str:
    """That the rows named `left` and `right` have the same key."""
    return " AND ".join(f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in key)


def later(order: Order, left: str, right: str) -> str:
    """That the row named `left` comes after the one named `right`, by columns of which the first counts most. Null
    comes before any value."""
    alternatives = []
    equal = ""
    for column in order:
        a, b = (_compared(column, f"{row}.") for row in (left, right))
        alternatives.append(f"{equal}({a} > {b} OR ({b} IS NULL AND {a} IS NOT NULL))")
        equal += f"{a} IS NOT DISTINCT FROM {b} AND "
    return "(" + " OR ".join(alternatives) + ")"


def latest_statements(table: str, columns: Sequence[str]) -> Iterator[str]:
    """A statement for each of the columns, in quotes, or expressions: its highest value among the rows of a table that
    have the highest ones of the columns before it."""
    condition = ""
    for column in columns:
        statement = f"SELECT MAX({column}) FROM {table}{condition}"  # noqa: S608 - quoted
        yield statement
        condition += f"{' AND' if condition else ' WHERE'} {column} = ({statement})"


def descending(order: Order) -> str:
    """What sorts the last row by `order` first."""
    return ", ".join(f"{value} DESC NULLS LAST" for value in in_order(order))


def in_order(order: Order) -> list[str]:
    """What rows are compared by."""
    return [_compared(column) for column in order]


def _compared(column: OrderColumn, row: str = "") -> str:
    value = f"{row}{quoted(column.name)}"
    return value if column.mask is None else f"({value} & {column.mask})"


def staging_schema(schema: str, longest: int) -> str:
    """The schema that dlt stages a load in. It is made and dropped within the load."""
    return fit(_PREFIX + schema, schema, longest)


def source_comment(source_name: str) -> str:
    """The comment that writes down what a table or column is called in the source."""
    return _SOURCE_COMMENT + source_name.replace("\x00", "␀")


def commented_source(comment: str | None) -> str | None:
    """What :func:`source_comment` wrote down; None for no comment or somebody else's."""
    return comment.removeprefix(_SOURCE_COMMENT) if comment and comment.startswith(_SOURCE_COMMENT) else None
