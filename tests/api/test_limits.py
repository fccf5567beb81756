"""An account may make so many requests, and is told when it may go on."""

from collections.abc import AsyncIterator

import httpx
import pytest

from syncline.accounts.first_start import FirstKey
from syncline.api.errors import TooManyRequests
from syncline.api.limits import RateLimits
from syncline.server import create_app
from syncline.settings import Settings


class Clock:
    """Seconds that go forward when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _limits(**settings: int) -> tuple[RateLimits, Clock]:
    clock = Clock()
    unlimited = {name: 0 for name in Settings.model_fields if name.endswith(("per_hour", "per_minute"))}
    return RateLimits(Settings(**{**unlimited, **settings}), clock), clock  # type: ignore[arg-type]


def test_a_window_slides() -> None:
    limits, clock = _limits(requests_per_hour=3)
    for _ in range(3):
        limits.check("account", "GET", "/v1/groups", {})
        clock.now += 600
    with pytest.raises(TooManyRequests, match="3 requests, which is the limit for an hour") as refused:
        limits.check("account", "GET", "/v1/groups", {})
    assert refused.value.headers["Retry-After"] == "1800"
    clock.now += 1800
    limits.check("account", "GET", "/v1/groups", {})
    with pytest.raises(TooManyRequests) as refused:
        limits.check("account", "GET", "/v1/groups", {})
    assert refused.value.headers["Retry-After"] == "600"


def test_a_part_of_a_second_is_rounded_up() -> None:
    limits, clock = _limits(setup_test_requests_per_minute=1)
    limits.check("account", "POST", "/v1/connections", {})
    clock.now += 59.5
    with pytest.raises(TooManyRequests) as refused:
        limits.check("account", "POST", "/v1/connections", {})
    assert refused.value.headers["Retry-After"] == "1"


def test_refused_requests_do_not_count() -> None:
    limits, clock = _limits(requests_per_hour=1)
    limits.check("account", "GET", "/v1/groups", {})
    for _ in range(5):
        clock.now += 600
        with pytest.raises(TooManyRequests):
            limits.check("account", "GET", "/v1/groups", {})
    clock.now += 600
    limits.check("account", "GET", "/v1/groups", {})


def test_accounts_are_counted_apart() -> None:
    limits, _ = _limits(requests_per_hour=1)
    limits.check("one", "GET", "/v1/groups", {})
    limits.check("other", "GET", "/v1/groups", {})


def test_zero_is_no_limit() -> None:
    limits, _ = _limits()
    for _ in range(1000):
        limits.check("account", "POST", "/v1/connections/x/test", {})


@pytest.mark.parametrize(
    ("method", "path", "body", "counts"),
    [
        ("POST", "/v1/connections", {}, True),
        ("POST", "/v1/connections", {"run_setup_tests": True}, True),
        ("POST", "/v1/connections", {"run_setup_tests": False}, False),
        ("PATCH", "/v1/connections/x", {"config": {}}, True),
        ("PATCH", "/v1/connections/x", {"paused": True, "run_setup_tests": True}, True),
        ("PATCH", "/v1/connections/x", {"paused": True}, False),
        ("PATCH", "/v1/connections/x", {"config": {}, "run_setup_tests": False}, False),
        ("POST", "/v1/connections/x/test", {}, True),
        ("POST", "/v1/connections/x/sync", {}, False),
        ("GET", "/v1/connections/x", {}, False),
        ("POST", "/v1/destinations", {}, True),
        ("PATCH", "/v1/destinations/x", {"config": {}}, True),
        ("POST", "/v1/destinations/x/test", {}, True),
        ("DELETE", "/v1/destinations/x", {}, False),
    ],
)
def test_requests_that_run_setup_tests_have_a_limit_of_their_own(
    method: str, path: str, body: dict[str, object], counts: bool
) -> None:
    limits, _ = _limits(setup_test_requests_per_hour=1)
    limits.check("account", "POST", "/v1/connections/y/test", {})
    if counts:
        with pytest.raises(TooManyRequests, match="setup tests"):
            limits.check("account", method, path, body)
    else:
        limits.check("account", method, path, body)


def test_requests_that_talk_to_a_source_have_a_limit_of_their_own() -> None:
    limits, _ = _limits(source_requests_per_minute=1)
    limits.check("account", "POST", "/v1/connections/x/schemas/reload", {})
    limits.check("account", "GET", "/v1/connections/x/schemas", {})
    with pytest.raises(TooManyRequests, match="talk to a source"):
        limits.check("account", "POST", "/v1/connections/x/schemas/reload", {})


@pytest.fixture
async def limited(settings: Settings, first_key: FirstKey) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings.model_copy(update={"requests_per_hour": 2}))
    auth = (first_key.key, first_key.secret)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1", auth=auth) as client,
    ):
        yield client


async def test_clients_are_told_to_wait(limited: httpx.AsyncClient) -> None:
    statuses = [(await limited.get("/v1/groups")).status_code for _ in range(2)]
    assert statuses == [200, 200]
    answer = await limited.get("/v1/groups")
    assert answer.status_code == 429
    assert answer.json()["code"] == "TooManyRequests"
    assert 3590 <= int(answer.headers["Retry-After"]) <= 3600
    assert (await limited.get("/health")).status_code == 200
