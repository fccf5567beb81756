"""Fixtures that all tests may use."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import hypothesis
import pytest
from pydantic import SecretStr

from syncline.accounts.first_start import FirstKey, prepare
from syncline.settings import Settings
from tests.support.postgres import PostgresServer

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("syncline", deadline=None)
hypothesis.settings.load_profile("syncline")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --store postgresql` runs the tests of the API on PostgreSQL; some run on both stores at all times."""
    parser.addoption("--store", choices=("sqlite", "postgresql"), default="sqlite")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests must neither see the settings of whoever runs them nor touch their installation."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SYNCLINE_{name.upper()}", raising=False)
    monkeypatch.setenv("SYNCLINE_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the session of one test process; it takes half a second to start."""
    server = PostgresServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_database(postgres: PostgresServer) -> Iterator[str]:
    """Name of an empty database on :func:`postgres` that the test has to itself."""
    name = postgres.create_database()
    yield name
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty store, on each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'syncline.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url_of(request.getfixturevalue("postgres_database"))


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings with a home of their own, and the kind of store that `--store` names."""
    settings = Settings(home=tmp_path / "home", port=0)
    if request.config.getoption("--store") == "sqlite":
        return settings
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.url_of(request.getfixturevalue("postgres_database"))
    return settings.model_copy(update={"database_url": SecretStr(url)})


@pytest.fixture
async def first_key(settings: Settings) -> FirstKey:
    """The API key of an installation that was just made ready."""
    made = await prepare(settings)
    assert made is not None
    return made


@pytest.fixture
async def client(settings: Settings, first_key: FirstKey) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an API key on the whole app, served in this process, executor and scheduler included."""
    from syncline.server import create_app

    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://127.0.0.1",
            auth=(first_key.key, first_key.secret),
        ) as client,
    ):
        yield client
