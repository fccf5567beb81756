"""The documentation says what is so."""

import re
from pathlib import Path

from syncline.settings import Settings

ROOT = Path(__file__).parent.parent


def test_every_setting_is_documented_with_its_default() -> None:
    documented = dict(re.findall(r"^\| `SYNCLINE_(\w+)` \| (.*?) \|", (ROOT / "docs/operating.md").read_text(), re.M))
    assert documented.keys() == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if not field.is_required() and field.default is not None and field.default_factory is None:
            assert documented[name.upper()] == f"`{field.default}`"


def test_every_link_between_documents_leads_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
