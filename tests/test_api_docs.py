"""docs/api.md says what the API is."""

import re
from pathlib import Path
from typing import Any

import pytest

from syncline.api.middleware import present_path
from syncline.server import create_app
from syncline.settings import Settings

PAGE = (Path(__file__).parent.parent / "docs/api.md").read_text()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(Settings(home=tmp_path_factory.mktemp("home"))).openapi()


def test_every_operation_is_documented_and_nothing_else_is(document: dict[str, Any]) -> None:
    documented = re.findall(r"^\| `([A-Z]+ /\S+)` \| \S", PAGE, re.MULTILINE)
    operations = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert set(documented) == operations
    assert len(documented) == len(operations), "an operation is documented twice"


def test_every_status_of_a_failure_is_documented(document: dict[str, Any]) -> None:
    documented = set(re.findall(r"^\| (\d{3}) \| `", PAGE, re.MULTILINE))
    assert documented == {*document["components"]["responses"], "405"}


def test_the_older_names_that_are_documented_are_served() -> None:
    names = re.findall(r"`(/v1/\S+)` is\s+`(/v1/\S+)`", PAGE)
    assert len(names) == 4
    for older, present in names:
        assert present_path(older) == present_path(f"{older}/") == present
