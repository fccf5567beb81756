"""A declared configuration parses, says what is missing, masks, splits, restores and merges."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.declarations import MASK, Configuration, InvalidField, ServiceDeclaration, setting


def _no_spaces(value: str) -> None:
    if " " in value:
        raise ValueError("holds a space: remove it")


class Access(Configuration):
    identifier: str | None = setting(title="ID", description="An ID.", secret=True, required_when={"kind": "key"})


class Example(Configuration):
    schema_name: str | None = setting(
        name="schema", title="Schema", description="The schema.", mandatory=True, permanent=True, answered=False
    )
    kind: Literal["key", "none"] = setting(title="Kind", description="Which kind.", default="none")
    key: str | None = setting(
        title="Key", description="The key.", secret=True, required_when={"kind": "key"}, check=_no_spaces
    )
    port: int | None = setting(title="Port", description="A port.", minimum=1, maximum=65535)
    enabled: bool = setting(title="Enabled", description="Whether it is.", default=False)
    names: list[str] | None = setting(
        title="Names", description="Some names.", required_when={"enabled": True}, unique=True, check=_no_spaces
    )
    access: Access | None = setting(title="Access", description="Access.", secret=True)
    host_key: str | None = setting(title="Host key", description="Ours.", read_only=True)

    def check(self, path: str) -> None:
        if self.enabled and self.kind == "none":
            raise InvalidField(f"{path}.kind", "must be key when it is enabled")


def parse(**values: Any) -> Example:
    return Example.parse({"schema": "s", **values})


def refused(**values: Any) -> InvalidField:
    with pytest.raises(InvalidField) as caught:
        parse(**values)
    return caught.value


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"port": "80"}, "config.port", "a whole number, not text"),
        ({"port": 80.5}, "config.port", "a whole number, not a number"),
        ({"port": True}, "config.port", "a whole number, not true or false"),
        ({"port": 0}, "config.port", "at least 1"),
        ({"port": 70000}, "config.port", "at most 65535"),
        ({"enabled": "true"}, "config.enabled", "true or false, not text"),
        ({"enabled": 1}, "config.enabled", "true or false, not a number"),
        ({"names": "a,b"}, "config.names", "a list, not text"),
        ({"names": ["a", 1]}, "config.names[1]", "text, not a number"),
        ({"names": ["a", "b c"]}, "config.names[1]", "remove it"),
        ({"names": ["a", "A"]}, "config.names[1]", "twice"),
        ({"names": [""]}, "config.names[0]", "empty"),
        ({"names": ["a\x00"]}, "config.names[0]", "control character"),
        ({"names": ["a\ud800"]}, "config.names[0]", "Unicode"),
        ({"names": ["a"] * 10_001}, "config.names", "at most 10000"),
        ({"kind": "Key"}, "config.kind", "did you mean key?"),
        ({"kind": ["key"]}, "config.kind", "one of key, none"),
        ({"kind": "other"}, "config.kind", "one of key, none"),
        ({"access": "x"}, "config.access", "an object of fields, not text"),
        ({"access": {"identifier": 1}}, "config.access.identifier", "text, not a number"),
        ({"access": {"identfier": "x"}}, "config.access.identfier", "did you mean `identifier`?"),
        ({"nmaes": []}, "config.nmaes", "did you mean `names`?"),
        ({"qqq": 1}, "config.qqq", "the fields are schema, kind"),
        ({"schema_name": "s"}, "config.schema_name", "not a field"),
        ({"host_key": "ssh"}, "config.host_key", "leave it out"),
        ({"key": MASK}, "config.key", "none is stored"),
        ({"key": " "}, "config.key", "empty"),
        ({"key": "x" * 20_000}, "config.key", "at most 16384"),
        ({"enabled": True}, "config.kind", "must be key"),
        ({"schema": ""}, "config.schema", "empty"),
        ({"kind": ""}, "config.kind", "one of key, none"),
        ({"names": ""}, "config.names", "a list, not text"),
        ({"names": [None]}, "config.names[0]", "text, not null"),
        ({"kind": "key", "key": ""}, "config.key", "needed when `kind` is key"),
    ],
)
def test_what_is_wrong_names_the_field_and_the_remedy(values: dict[str, Any], field: str, words: str) -> None:
    error = refused(**values)
    assert error.field == field
    assert words in error.message
    assert f"`{field}`" in str(error)


def test_null_and_empty_text_are_the_same_as_nothing_where_nothing_is_needed() -> None:
    values: dict[str, Any] = {"kind": None, "key": "", "port": None, "enabled": None, "names": None}
    assert parse(**values, access={"identifier": ""}) == parse(access={})
    assert parse(access=None) == parse()


def test_empty_text_removes_a_value() -> None:
    stored = parse(key="secret", access={"identifier": "me"})
    assert stored.merge({"key": "", "access": {"identifier": ""}}).values() == parse(access={}).values()


def test_the_offending_value_is_shown_shortened() -> None:
    assert refused(kind="other").value == '"other"'
    assert len(refused(names=["x y" * 500]).value or "") < 200


@pytest.mark.parametrize(
    "values",
    [
        {"key": 4711},
        {"key": ["4711"]},
        {"key": "47 11"},
        {"kee": "4711"},
        {"access": "4711"},
        {"access": {"identifier": 4711}},
        {"access": {"other": "4711"}},
    ],
)
def test_a_secret_or_unknown_value_is_never_shown(values: dict[str, Any]) -> None:
    error = refused(**values)
    assert error.value is None
    assert "47" not in str(error)


def test_a_configuration_that_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidField) as caught:
        Example.parse(["a"])  # type: ignore[arg-type]
    assert caught.value.field == "config"


def test_a_mandatory_field_must_be_there() -> None:
    with pytest.raises(InvalidField) as caught:
        Example.parse({})
    assert caught.value.field == "config.schema"


def test_null_counts_as_absent() -> None:
    assert parse(port=None, access={"identifier": None}).values() == {"schema": "s", "access": {}}


def test_what_is_missing_depends_on_the_other_fields() -> None:
    assert parse().missing() == []
    missing = parse(kind="key", enabled=True).missing()
    assert [finding.field for finding in missing] == ["config.key", "config.names", "config.access.identifier"]
    assert missing[0].reason == "needed when `kind` is key"
    assert missing[1].reason == "needed when `enabled` is true"


def test_an_empty_list_is_missing_where_one_is_needed() -> None:
    missing = parse(kind="key", enabled=True, key="k", names=[], access={"identifier": "i"}).missing()
    assert [finding.field for finding in missing] == ["config.names"]


def test_answers_mask_secrets_and_leave_out_what_was_not_set() -> None:
    parsed = parse(kind="key", key="hush", access={"identifier": "hush"})
    assert parsed.masked() == {"kind": "key", "key": MASK, "access": MASK}
    assert "hush" not in repr(parsed)
    assert "hush" not in str(parsed)


def test_split_and_restore_are_inverse() -> None:
    parsed = parse(kind="key", key="hush", port=80, access={"identifier": "hush"})
    public, secret = parsed.split()
    assert public == {"schema": "s", "kind": "key", "port": 80}
    assert secret == {"key": "hush", "access": {"identifier": "hush"}}
    restored = Example.restore(public, secret)
    assert restored == parsed
    assert restored.values() == parsed.values()


def test_restoring_does_not_look_at_rules_again() -> None:
    assert Example.restore({"enabled": True, "names": ["a b"]}).names == ["a b"]


def test_an_update_keeps_what_it_does_not_name() -> None:
    stored = parse(kind="key", key="hush", port=80, access={"identifier": "id"})
    merged = stored.merge({"key": MASK, "access": {"identifier": MASK}, "port": 81})
    assert merged.values() == {"schema": "s", "kind": "key", "key": "hush", "port": 81, "access": {"identifier": "id"}}
    assert stored.merge({"key": "new"}).key == "new"
    assert stored.merge({"port": None}).port is None
    assert stored.merge({"access": MASK}).access == stored.access


@pytest.mark.parametrize(
    ("update", "field"),
    [
        ({"schema": "other"}, "config.schema"),
        ({"schema": None}, "config.schema"),
        ({"key": MASK}, "config.key"),
        ({"access": {"identifier": MASK}}, "config.access.identifier"),
        ({"unknown": 1}, "config.unknown"),
        ({"host_key": "x"}, "config.host_key"),
        ({"port": "x"}, "config.port"),
    ],
)
def test_an_update_is_checked(update: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        parse().merge(update)
    assert caught.value.field == field


def test_an_update_may_repeat_a_permanent_value() -> None:
    assert parse().merge({"schema": "s"}).schema_name == "s"


def test_declared_fields_tell_forms_and_docs_everything() -> None:
    fields = {found.name: found for found in Example.declared_fields()}
    assert list(fields) == ["schema", "kind", "key", "port", "enabled", "names", "access", "host_key"]
    assert fields["kind"].choices == ("key", "none")
    assert fields["kind"].default == "none"
    assert fields["key"].secret
    assert fields["key"].required_when == {"kind": ("key",)}
    assert fields["schema"].permanent
    assert fields["schema"].required
    assert [found.type for found in fields.values()] == [
        "string", "string", "string", "integer", "boolean", "string[]", "object", "string",
    ]  # fmt: skip
    assert fields["access"].fields[0].name == "identifier"
    assert Example.secret_fields() == {"key", "access"}


def test_auth_may_depend_on_config() -> None:
    service = ServiceDeclaration("example", "Example", "An example.", Example, Access)
    config = Example.parse({"schema": "s", "kind": "key", "key": "k", "access": {"identifier": "i"}})
    assert [finding.field for finding in service.missing(config)] == ["auth.identifier"]
    assert service.missing(config, service.parse_auth({"identifier": "x"})) == []
    assert [f.field for f in service.missing(Example.parse({"schema": "s"}))] == []


def test_a_service_without_auth_takes_none() -> None:
    service = ServiceDeclaration("example", "Example", "An example.", Example)
    assert service.parse_auth(None) is None
    with pytest.raises(InvalidField) as caught:
        service.parse_auth({"token": "hush"})
    assert caught.value.field == "auth.token"
    assert "hush" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["schema", "kind", "key", "port", "enabled", "names", "access", "host_key", "other"])


@given(st.dictionaries(NAMES, JSON, max_size=5))
def test_any_json_is_parsed_or_refused_with_a_field(values: dict[str, Any]) -> None:
    finding: InvalidField | None = None
    parsed: Example | None = None
    try:
        parsed = Example.parse(values)
    except InvalidField as error:
        finding = error
    if finding is not None:
        assert finding.field.startswith("config")
        assert finding.message
    else:
        assert parsed is not None
        assert Example.restore(*parsed.split()) == parsed
