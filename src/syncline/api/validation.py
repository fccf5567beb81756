"""What pydantic finds wrong with a request, said so that a person can put it right."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from syncline.declarations.errors import InvalidField, shown
from syncline.declarations.messages import explain

_PARTS = {"body", "query", "path", "header"}
_MOST_FINDINGS = 5


def explain_findings(findings: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None) -> str:
    """One message for the findings of a request, each naming its field.

    Args:
        findings: `errors()` of the validation error.
        model: The model of the body, for telling which fields there are.
    """
    messages = [_explain(finding, model) for finding in findings[:_MOST_FINDINGS]]
    if len(findings) > _MOST_FINDINGS:
        messages.append(f"and {len(findings) - _MOST_FINDINGS} more")
    return "; ".join(messages) + "."


def _explain(finding: Mapping[str, Any], model: type[BaseModel] | None) -> str:
    location = [part for part in finding["loc"] if part not in _PARTS or len(finding["loc"]) == 1]
    kind, value = finding["type"], finding.get("input")
    if location == ["body"]:
        return "The request needs a body: a JSON object"
    field = _path(location)
    if kind == "missing":
        return f"`{field}` is missing"
    if kind == "extra_forbidden":
        return str(InvalidField(field, f"is not a field of this request{_hint(location, model)}"))
    # Lists and objects are not shown: they may hold a secret that stands in the wrong place.
    safe = None if isinstance(value, Mapping | list) else shown(value)
    context = finding.get("ctx", {})
    message = str(context["error"]) if "error" in context else finding["msg"]
    return str(InvalidField(field, explain(kind, value, context, message, public=True), value=safe))


def _path(location: Sequence[int | str]) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _hint(location: Sequence[int | str], model: type[BaseModel] | None) -> str:
    """Which field may have been meant; the value of an unknown field is never shown, it may be a misspelt secret."""
    if model is None or len(location) != 1:
        return ": remove it"
    names = [info.alias or name for name, info in model.model_fields.items()]
    close = get_close_matches(str(location[0]).lower(), names, n=1)
    return f": did you mean `{close[0]}`?" if close else f": its fields are {', '.join(names)}"
