"""`syncline api-key`, as people type it."""

import asyncio
import base64
import re

import pytest
from typer.testing import CliRunner

from syncline.accounts.first_start import FirstKey, prepare
from syncline.api.authentication import Caller, authenticate
from syncline.api.errors import Unauthorized
from syncline.cli.main import app
from syncline.settings import Settings
from syncline.store.database import Database


@pytest.fixture
def first(settings: Settings) -> FirstKey:
    """The first key of the installation that the command finds in the environment."""
    made = asyncio.run(prepare(settings))
    assert made is not None
    return made


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["api-key", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def _shown(output: str) -> tuple[str, str]:
    key, secret = re.findall(r"API (?:key|secret)\s+(\S+)", output)
    return key, secret


def _caller(settings: Settings, key: str, secret: str) -> Caller:
    async def ask() -> Caller:
        database = Database(settings.store_url)
        try:
            return await authenticate(database, "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode())
        finally:
            await database.close()

    return asyncio.run(ask())


def test_keys_are_made_listed_rotated_and_revoked(settings: Settings, first: FirstKey) -> None:
    key, secret = _shown(_run("create", "--name", "airflow", "--user", "owner@localhost"))
    assert _caller(settings, key, secret).role == "Account Administrator"
    listed = _run("list")
    assert key in listed
    assert "airflow" in listed
    assert secret not in listed

    rotated, new_secret = _shown(_run("rotate", key))
    assert rotated == key
    assert _caller(settings, key, new_secret)
    with pytest.raises(Unauthorized):
        _caller(settings, key, secret)

    _run("revoke", key)
    with pytest.raises(Unauthorized):
        _caller(settings, key, new_secret)
    assert _caller(settings, first.key, first.secret)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rotate", "unknown"), "ApiKey 'unknown' was not found"),
        (("revoke", "unknown"), "ApiKey 'unknown' was not found"),
        (("create", "--user", "stranger@example.com"), "User 'stranger@example.com' was not found"),
    ],
)
def test_mistakes_are_told_without_a_traceback(first: FirstKey, arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(app, ["api-key", *arguments])
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output
