"""The guide to the source says what the declaration and the code say."""

import ast
import re
from pathlib import Path

import pytest

import syncline
from syncline.connectors.azure_service_bus.config import DECLARATION
from syncline.declarations.fields import DeclaredField

PAGE = (Path(__file__).parents[3] / "docs" / "azure-service-bus.md").read_text()
CODE = Path(syncline.__file__).parent
SECTIONS = {section.partition("\n")[0]: section for section in PAGE.split("\n## ")[1:]}


def test_the_table_of_settings_is_the_declaration() -> None:
    declared = [
        *DECLARATION.config.declared_fields(),
        *(DECLARATION.auth.declared_fields() if DECLARATION.auth else []),
    ]
    table = "\n".join(["| Field | Needed | What it is |", "| --- | --- | --- |", *map(row, flattened(declared))])
    assert table in SECTIONS["Every setting"], f"the table has to be:\n{table}"


def flattened(fields: list[DeclaredField], path: str = "") -> list[tuple[str, DeclaredField]]:
    found = []
    for field in fields:
        found.append((f"{path}{field.name}", field))
        found += flattened(list(field.fields), f"{path}{field.name}.")
    return found


def row(named: tuple[str, DeclaredField]) -> str:
    name, field = named
    needed = "yes" if field.required else ""
    if field.required_when:
        conditions = (
            f"`{other}` is {' or '.join(f'`{str(value).lower() if value is False else value}`' for value in values)}"
            for other, values in field.required_when.items()
        )
        needed = f"when {' or '.join(conditions)}"
    notes = [field.description]
    if field.choices:
        notes.append(f"One of {', '.join(f'`{choice}`' for choice in field.choices)}.")
    if field.default is not None:
        notes.append(f"Default: `{str(field.default).lower() if field.default is False else field.default}`.")
    notes += ["Secret."] * field.secret + ["Syncline's own."] * field.extension
    return f"| `{name}` | {needed} | {' '.join(notes)} |"


def strings_of(path: Path) -> set[str]:
    """The texts in a module, with a star for what is filled in."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "*" for part in node.values)
            found.add("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


TEXTS = {
    text
    for folder in ("connectors", "networking", "sync")
    for path in (CODE / folder).rglob("*.py")
    for text in strings_of(path)
}
MESSAGES = re.findall(r"^\| ([^|`-].*?) \| ", SECTIONS["When something is wrong"], re.M)[1:]


def test_there_are_messages_to_check() -> None:
    assert len(MESSAGES) > 20


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_in_the_guide_is_one_that_the_code_gives(message: str) -> None:
    """Several stars in a row may stand for one, and the other way round."""
    wanted = re.sub(r"\*[^*]+\*", "*", message)
    assert any(wanted.rstrip(".") in text for text in TEXTS), wanted


@pytest.mark.parametrize("code", re.findall(r"^\| `(\w+)` \| ", SECTIONS["Warnings"], re.M))
def test_every_warning_in_the_guide_is_one_that_the_code_gives(code: str) -> None:
    assert code in TEXTS


def test_every_warning_that_the_code_gives_is_in_the_guide() -> None:
    sources = "\n".join(path.read_text() for path in CODE.rglob("*.py"))
    constants = dict(re.findall(r'^(\w+) = "(\w+)"', sources, re.M))
    given = re.findall(r"SourceWarning\(\s*(?:code=)?(\"?\w+\"?),", sources)
    codes = {code.strip('"') if '"' in code else constants[code] for code in given}
    codes |= {constants[name] for name in re.findall(r"SourceWarning\(\s*code=([A-Z_]+),", sources)}
    assert codes == set(re.findall(r"^\| `(\w+)` \| ", SECTIONS["Warnings"], re.M))
