"""Clients send every field that they know: null where there is nothing to say, empty text for what shall go."""

from collections.abc import Iterator

import pytest
from pydantic import TypeAdapter, ValidationError

import syncline.server  # noqa: F401 - with the app, every request model is there
from syncline.api.models import RequestModel


def _models(base: type[RequestModel] = RequestModel) -> Iterator[type[RequestModel]]:
    for model in base.__subclasses__():
        if model.__module__.startswith("syncline."):
            yield model
        yield from _models(model)


FIELDS = [(model, name) for model in sorted(set(_models()), key=str) for name in model.model_fields]


def refused(model: type[RequestModel], name: str, value: object) -> bool:
    """Whether a value is among what is wrong with a request that has nothing else in it."""
    try:
        TypeAdapter(model).validate_python({name: value})
    except ValidationError as error:
        return any(finding["loc"][:1] == (name,) for finding in error.errors())
    return False


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_null_is_taken_for_every_field_that_may_be_absent(model: type[RequestModel], name: str) -> None:
    assert refused(model, name, None) == model.model_fields[name].is_required()


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_empty_text_is_taken_for_what_it_takes_away(model: type[RequestModel], name: str) -> None:
    if name in model.clearable_fields():
        assert not refused(model, name, "")


def test_each_identifier_of_a_way_to_the_source_or_the_destination_can_be_taken_away() -> None:
    identifiers = {(model, name) for model, name in FIELDS if name.endswith(("_agent_id", "_link_id", "_manager_id"))}
    assert {model.__name__ for model, _ in identifiers} >= {"CreateConnectionRequest", "UpdateDestination"}
    assert all(name in model.clearable_fields() for model, name in identifiers)
