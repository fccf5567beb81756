"""What of an Avro schema matters for reading with it what was written with it.

Defaults and aliases do not: they are for readers that have another schema. A registry that does not look at them takes
schemas whose defaults do not fit their types, and so do writers. Neither does a logical type that is none, such as a
decimal without a precision: a reader has to ignore it (Avro 1.12, "Logical Types").
"""

from typing import Any

_NAMED = ("record", "error", "enum", "fixed")


def written(schema: Any) -> Any:
    """The schema without defaults and aliases, and without decimals that cannot be."""
    if isinstance(schema, list):
        return [written(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: value for name, value in schema.items() if name not in ("default", "aliases")}
    for part in ("type", "items", "values"):
        if isinstance(found.get(part), dict | list):
            found[part] = written(found[part])
    if isinstance(found.get("fields"), list):
        found["fields"] = [written(field) for field in found["fields"]]
    if found.get("logicalType") == "decimal" and not _is_decimal(found):
        del found["logicalType"]
    return found


def _is_decimal(schema: dict[str, Any]) -> bool:
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    return type(precision) is int and type(scale) is int and 0 <= scale <= precision and precision > 0


def branch_names(schemas: list[Any], named: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What the branches of unions that have several named types are called in JSON, by their full names: the name
    alone, or the full name where several have that one. `schemas` are the unions."""
    full = {name for union in schemas for name in named_branches(union, named)}
    short = [name.rpartition(".")[2] for name in full]
    return {name: name if short.count(name.rpartition(".")[2]) > 1 else name.rpartition(".")[2] for name in full}


def named_branches(union: list[Any], named: dict[str, dict[str, Any]]) -> list[str]:
    """The full names of the named types (records, enums and fixed) among the branches of a union."""
    found = []
    for branch in union:
        kind = branch.get("type") if isinstance(branch, dict) else branch
        if isinstance(branch, dict) and kind in _NAMED:
            found.append(branch["name"])
        elif isinstance(kind, str) and kind in named:
            found.append(kind)
    return found


def with_branches(value: Any, names: dict[str, str]) -> Any:
    """A value that was read with the names of branches beside theirs, as Avro's JSON encoding has it: each an object
    with the branch's name (of `names`) and its value."""
    if type(value) is tuple:
        name, inner = value
        return {names[name]: with_branches(inner, names)}
    if type(value) is dict:
        return {name: with_branches(item, names) for name, item in value.items()}
    if type(value) is list:
        return [with_branches(item, names) for item in value]
    return value
