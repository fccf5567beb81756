"""A stored secret is not sent to another place than it was given for."""

from typing import Any

import pytest

from syncline.declarations import MASK, Configuration, InvalidField, ServiceDeclaration, setting


class _Access(Configuration):
    token: str | None = setting(title="Token", description="A token.", secret=True, addressed_by=("host",))


class _Auth(Configuration):
    access: _Access | None = setting(title="Access", description="Access.", secret=True)


class _Config(Configuration):
    host: str | None = setting(title="Host", description="The server.")
    port: int = setting(title="Port", description="Its port.", default=5432)
    encrypted: bool = setting(title="TLS", description="Whether to encrypt.", default=True)
    mirrors: list[str] | None = setting(title="Mirrors", description="Other servers.")
    database: str | None = setting(title="Database", description="The database.")
    password: str | None = setting(
        title="Password", description="P.", secret=True, addressed_by=("host", "port", "encrypted")
    )
    mirror_key: str | None = setting(title="Key", description="K.", secret=True, addressed_by=("mirrors",))


SERVICE = ServiceDeclaration("example", "Example", "An example.", _Config, _Auth)
CONFIG = _Config.parse({"host": "db.example.com", "mirrors": ["a:1", "b:2"], "password": "pw", "mirror_key": "key"})
AUTH = _Auth.parse({"access": {"token": "tok"}}, path="auth")


def _refused(config: dict[str, Any], auth: dict[str, Any] | None = None) -> InvalidField:
    with pytest.raises(InvalidField) as caught:
        SERVICE.merge(CONFIG, AUTH, config, auth)
    return caught.value


@pytest.mark.parametrize(
    ("update", "field"),
    [
        ({"host": "elsewhere.example.com"}, "config.password"),
        ({"host": "elsewhere.example.com", "password": MASK}, "config.password"),
        ({"host": None}, "config.password"),
        ({"port": 6432}, "config.password"),
        ({"encrypted": False}, "config.password"),
        ({"mirrors": ["a:1", "b:2", "c:3"]}, "config.mirror_key"),
        ({"mirrors": ["a:1", "c:3"], "password": "pw"}, "config.mirror_key"),
        ({"host": "elsewhere.example.com", "password": "pw"}, "auth.access.token"),
    ],
)
def test_a_change_of_the_address_needs_the_secret_again(update: dict[str, Any], field: str) -> None:
    error = _refused(update)
    assert error.field == field
    assert "is needed again, because `config." in error.message
    assert not {"pw", "key", "tok"} & set(str(error).split())


@pytest.mark.parametrize(
    "update",
    [
        {"host": "DB.example.com."},
        {"port": 5432, "encrypted": True},
        {"mirrors": ["B:2", "a:1"]},
        {"mirrors": ["a:1"]},
        {"mirrors": None},
        {"database": "another"},
        {"mirrors": ["c:3"], "mirror_key": "key"},
        {"mirrors": ["c:3"], "mirror_key": None},
    ],
)
def test_what_leads_nowhere_new_needs_nothing(update: dict[str, Any]) -> None:
    merged, _ = SERVICE.merge(CONFIG, AUTH, update)
    assert merged.effective()["password"] == "pw"


def test_with_every_secret_given_the_address_changes() -> None:
    update = {"host": "elsewhere.example.com", "password": "pw"}
    config, auth = SERVICE.merge(CONFIG, AUTH, update, {"access": {"token": "tok"}})
    assert (config.effective()["host"], auth) == ("elsewhere.example.com", AUTH)


def test_a_secret_that_is_not_stored_is_not_asked_for() -> None:
    config, _ = SERVICE.merge(_Config.parse({"host": "a"}), None, {"host": "b", "mirrors": ["c:3"]})
    assert config.effective()["host"] == "b"
