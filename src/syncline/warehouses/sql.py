"""SQL that is the same in every warehouse."""

from collections.abc import Sequence

from syncline.warehouses.naming import fit

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


def staging_schema(schema: str, longest: int) -> str:
    """The schema that dlt stages a load in. It is made and dropped within the load."""
    return fit(_PREFIX + schema, schema, longest)


def source_comment(source_name: str) -> str:
    """The comment that writes down what a table or column is called in the source."""
    return _SOURCE_COMMENT + source_name.replace("\x00", "␀")


def commented_source(comment: str | None) -> str | None:
    """What :func:`source_comment` wrote down; None for no comment or somebody else's."""
    return comment.removeprefix(_SOURCE_COMMENT) if comment and comment.startswith(_SOURCE_COMMENT) else None
