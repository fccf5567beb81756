"""The page about destinations tells of every service and every field that there is."""

from pathlib import Path

import pytest

from syncline.declarations import ServiceDeclaration
from syncline.warehouses.registry import services

PAGE = (Path(__file__).parents[2] / "docs" / "destinations.md").read_text()
SECTIONS = {section.partition("\n")[0]: section for section in PAGE.split("\n## ")[1:]}


@pytest.mark.parametrize("declaration", services(), ids=lambda declaration: declaration.service)
def test_every_service_and_field_is_documented(declaration: ServiceDeclaration) -> None:
    section = SECTIONS[f"{declaration.name} (`{declaration.service}`)"]
    missing = [field.name for field in declaration.config.declared_fields() if f"`{field.name}`" not in section]
    assert missing == []
    assert "tried" in section.lower()
