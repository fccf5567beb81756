"""What is sealed can be opened with its key, and with nothing else."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.migrate import migrate
from syncline.store.models import Account
from syncline.store.sealing import Sealer, SealingError, load_sealer

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
KEY, OTHER_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@given(JSON_VALUES)
def test_opening_gives_back_what_was_sealed(value: object) -> None:
    sealer = Sealer([KEY])
    assert sealer.open(sealer.seal(value)) == value


def test_a_sealed_secret_does_not_show() -> None:
    assert "hunter2" not in Sealer([KEY]).seal({"password": "hunter2"})


def test_another_key_opens_nothing_and_the_error_says_what_to_do() -> None:
    token = Sealer([KEY]).seal("value")
    with pytest.raises(SealingError, match="SYNCLINE_SEALING_KEYS") as caught:
        Sealer([OTHER_KEY]).open(token)
    assert token not in str(caught.value)
    assert OTHER_KEY not in str(caught.value)


def test_keys_rotate() -> None:
    token = Sealer([KEY]).seal("value")
    both = Sealer([OTHER_KEY, KEY])
    rotated = both.rotate(token)
    assert both.open(token) == "value"
    assert Sealer([OTHER_KEY]).open(rotated) == "value"


def test_a_malformed_key_is_refused_by_number_and_not_shown() -> None:
    with pytest.raises(SealingError, match="number 2") as caught:
        Sealer([KEY, "not-a-key"])
    assert "not-a-key" not in str(caught.value)
    with pytest.raises(SealingError):
        Sealer([])


def test_derived_keys_depend_on_purpose_and_key() -> None:
    sealer = Sealer([KEY])
    assert sealer.derive_key("one") == Sealer([KEY, OTHER_KEY]).derive_key("one")
    assert len({sealer.derive_key("one"), sealer.derive_key("two"), Sealer([OTHER_KEY]).derive_key("one")}) == 3


def test_the_first_start_makes_a_key_file_for_its_owner_alone(settings: Settings) -> None:
    token = load_sealer(settings).seal("value")
    path = settings.home / "sealing.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_sealer(settings).open(token) == "value"
    assert [entry.name for entry in settings.home.iterdir()] == ["sealing.key"]


def test_a_missing_key_file_is_not_replaced_once_the_store_is_used(settings: Settings) -> None:
    migrate(settings.store_url)
    database = Database(settings.store_url)
    with database.sync_session() as session:
        session.add(Account(name="Someone"))
    database.close_sync()
    with pytest.raises(SealingError, match="Put the file back"):
        load_sealer(settings)
    assert not (settings.home / "sealing.key").exists()


def test_keys_of_the_settings_need_no_file(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "unused", sealing_keys=f"{KEY}, {OTHER_KEY}")  # type: ignore[arg-type]
    assert load_sealer(settings).open(Sealer([OTHER_KEY]).seal(1)) == 1
    assert not settings.home.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00binary", "bytes that are no key"),
        ("schlüssel".encode(), "bytes that are no key"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"not a key", "number 1 is not a Fernet key"),
        (None, "no regular file"),
    ],
)
def test_a_key_file_of_something_else_ends_the_start_with_one_line(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if content is None:
        (home / "sealing.key").mkdir()
    else:
        (home / "sealing.key").write_bytes(content)
    with pytest.raises(SealingError, match=said) as caught:
        load_sealer(Settings(home=home))
    assert "SYNCLINE_SEALING_KEYS" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_file_that_blocks_or_leads_nowhere_ends_the_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.mkfifo(home / "sealing.key")
    with pytest.raises(SealingError, match="no regular file"):
        load_sealer(Settings(home=home))
    (home / "sealing.key").unlink()
    (home / "sealing.key").symlink_to(tmp_path / "gone")
    with pytest.raises(SealingError, match="cannot be read"):
        load_sealer(Settings(home=home))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00binary", b""])
def test_the_commands_say_one_line_about_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sealing.key").write_bytes(content)
    environment = {**os.environ, "SYNCLINE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "syncline", "up", "--port", "0"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: The key file")
    assert len(ended.stderr.splitlines()) == 1
