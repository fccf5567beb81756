"""Requests at the same time: one wins, the other gets the right code, and nothing is half done."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from syncline.accounts.first_start import FirstKey, prepare
from syncline.connections import stopping
from syncline.engine.heartbeat import Heartbeat
from syncline.engine.runs import Ending, finish_run
from syncline.engine.stopping import StopRequest
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, RunState
from tests.connections.support import PASSED, UseResults, all_runs, begun, create, pretend_to_run_elsewhere, stored


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> Settings:
    """A store on each kind of database, and a scheduler that stays out of the way."""
    return Settings(
        home=tmp_path / "home", port=0, database_url=SecretStr(store_url), scheduler_interval=600, stop_grace=1.0
    )


@pytest.fixture
async def other_client(settings: Settings, client: httpx.AsyncClient, first_key: FirstKey) -> AsyncIterator[Any]:
    """A second server on the same store, with a home of its own."""
    from syncline.server import create_app

    home = settings.home.with_name("other")
    home.mkdir()
    (home / "sealing.key").write_bytes((settings.home / "sealing.key").read_bytes())
    other = settings.model_copy(update={"home": home})
    await prepare(other)
    app = create_app(other)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://127.0.0.1",
            auth=(first_key.key, first_key.secret),
        ) as other_client,
    ):
        yield other_client


@pytest.fixture
def working(settings: Settings) -> Iterator[Any]:
    """Carries out runs as another process would, with quick signs of life, until it is asked to stop."""
    database = Database(settings.store_url)
    threads: list[threading.Thread] = []

    def work(run_id: str) -> None:
        stop = StopRequest()
        with Heartbeat(database, run_id, stop, interval=0.05):
            stop.event.wait(20)
        with database.sync_session() as session:
            finish_run(session, run_id, Ending(stop.state))

    def begin(run_id: str) -> None:
        threads.append(threading.Thread(target=work, args=(run_id,)))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()
    database.close_sync()


async def test_of_many_creations_of_one_schema_one_wins(
    client: httpx.AsyncClient, other_client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    def spelt(schema: str) -> dict[str, Any]:
        return {**body, "config": {**body["config"], "schema": schema}}

    answers = await asyncio.gather(
        *(
            sender.post("/v1/connections", json=spelt(schema))
            for sender in (client, other_client)
            for schema in ("bus", "Bus", "bus", "BUS")
        )
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}
    assert {answer.json()["code"] for answer in answers} == {"Success", "Conflict"}
    assert len((await client.get("/v1/connections")).json()["data"]["items"]) == 1


@pytest.mark.usefixtures("destination")
async def test_of_many_syncs_at_once_one_runs(
    client: httpx.AsyncClient,
    other_client: httpx.AsyncClient,
    body: dict[str, Any],
    use_results: UseResults,
    settings: Settings,
) -> None:
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, schedule_type="manual")
    url = f"/v1/connections/{data['id']}/sync"
    answers = await asyncio.gather(*(sender.post(url) for sender in (client, other_client) * 4))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await all_runs(settings, data["id"])) == 1


@pytest.mark.usefixtures("destination")
async def test_of_two_changes_of_the_setup_at_once_one_wins(
    client: httpx.AsyncClient,
    other_client: httpx.AsyncClient,
    body: dict[str, Any],
    use_results: UseResults,
) -> None:
    data = await create(client, body, schedule_type="manual")
    url = f"/v1/connections/{data['id']}"
    use_results(PASSED, wait=asyncio.Barrier(2).wait)  # both are tested at the same time
    topics = [["orders"], ["bills"]]
    answers = await asyncio.gather(
        client.patch(url, json={"config": {"topics": topics[0]}, "paused": True}),
        other_client.patch(url, json={"config": {"topics": topics[1]}, "sync_frequency": 5}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    loser = next(answer for answer in answers if answer.status_code == 409)
    assert loser.json()["code"] == "Conflict"
    winner = next(number for number, answer in enumerate(answers) if answer.status_code == 200)
    after = (await client.get(url)).json()["data"]
    assert after["config"]["topics"] == topics[winner]
    assert (after["paused"], after["sync_frequency"]) == ((True, 360) if winner == 0 else (False, 5))


@pytest.mark.usefixtures("destination")
async def test_a_change_during_a_test_wins_and_the_test_is_told(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults
) -> None:
    data = await create(client, body, schedule_type="manual")
    url = f"/v1/connections/{data['id']}"
    go_on = asyncio.Event()
    tested = use_results(PASSED, wait=go_on.wait)
    test = asyncio.create_task(client.post(f"{url}/test"))
    await begun(tested)
    other = await client.patch(url, json={"sync_frequency": 5})
    assert other.status_code == 200, "what is not tested can change meanwhile"
    change = await client.patch(url, json={"config": {"topics": ["orders"]}, "run_setup_tests": False})
    assert change.status_code == 200
    go_on.set()
    assert ((await test).status_code, (await test).json()["code"]) == (409, "Conflict")
    after = (await client.get(url)).json()["data"]
    assert (after["setup_tests"], after["status"]["setup_state"]) == ([], "incomplete"), "the test saw another setup"
    assert (after["config"]["topics"], after["sync_frequency"]) == (["orders"], 5)


@pytest.mark.usefixtures("destination")
async def test_many_changes_at_once_all_count(
    client: httpx.AsyncClient, other_client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    data = await create(client, body)
    url = f"/v1/connections/{data['id']}"
    changes: list[dict[str, Any]] = [
        {"sync_frequency": 5},
        {"data_delay_sensitivity": "HIGH"},
        {"pause_after_trial": True},
        {"schedule_type": "manual"},
        {"data_delay_threshold": 7},
        {"trust_certificates": True, "daily_sync_time": "02:00"},
    ]
    answers = await asyncio.gather(
        *((client, other_client)[number % 2].patch(url, json=change) for number, change in enumerate(changes))
    )
    assert {answer.status_code for answer in answers} == {200}
    after = (await client.get(url)).json()["data"]
    for change in changes[:-1]:
        assert change.items() <= after.items()


@pytest.mark.usefixtures("destination")
async def test_a_connection_is_deleted_while_it_is_tested_changed_and_synced(
    client: httpx.AsyncClient,
    other_client: httpx.AsyncClient,
    body: dict[str, Any],
    use_results: UseResults,
    settings: Settings,
) -> None:
    use_results(PASSED, pause=0.2)
    data = await create(client, body, run_setup_tests=True, schedule_type="manual")
    url = f"/v1/connections/{data['id']}"
    requests = [
        client.post(f"{url}/test"),
        other_client.patch(url, json={"config": {"topics": ["orders"]}}),
        other_client.post(f"{url}/sync"),
        client.delete(url),
        other_client.delete(url),
    ]
    answers = await asyncio.gather(*requests)
    assert {answer.status_code for answer in answers} <= {200, 400, 404, 409}, [answer.text for answer in answers]
    assert 200 in {answer.status_code for answer in answers[3:]}, "one of the two has deleted it"
    assert (await client.get(url)).status_code == 404
    assert await all_runs(settings, data["id"]) == []
    await create(client, body)


@pytest.mark.usefixtures("destination")
@pytest.mark.parametrize("action", ["delete", "pause", "force", "historical"])
async def test_the_sync_of_another_server_is_stopped_through_the_store(
    client: httpx.AsyncClient,
    body: dict[str, Any],
    use_results: UseResults,
    settings: Settings,
    working: Any,
    action: str,
) -> None:
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, schedule_type="manual")
    url = f"/v1/connections/{data['id']}"
    run_id = await pretend_to_run_elsewhere(settings, data["id"])
    working(run_id)
    answer = await {
        "delete": lambda: client.delete(url),
        "pause": lambda: client.patch(url, json={"paused": True}),
        "force": lambda: client.post(f"{url}/sync", json={"force": True}),
        "historical": lambda: client.patch(url, json={"is_historical_sync": True}),
    }[action]()
    assert answer.status_code == 200, answer.text
    runs = await all_runs(settings, data["id"])
    if action == "delete":
        assert runs == []
    else:
        assert (runs[0].id, runs[0].state) == (run_id, RunState.CANCELLED)
        assert len(runs) == (1 if action == "pause" else 2)


@pytest.mark.usefixtures("destination")
async def test_a_sync_elsewhere_that_does_not_stop_keeps_its_connection(
    client: httpx.AsyncClient,
    body: dict[str, Any],
    use_results: UseResults,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stopping, "INTERVAL", 0.0)
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, schedule_type="manual")
    url = f"/v1/connections/{data['id']}"
    run_id = await pretend_to_run_elsewhere(settings, data["id"])
    for answer in (await client.post(f"{url}/sync", json={"force": True}), await client.delete(url)):
        assert (answer.status_code, answer.json()["code"]) == (409, "Conflict")
        assert "another process" in answer.json()["message"]
    (run,) = await all_runs(settings, data["id"])
    assert (run.id, run.state, run.stop_requested) == (run_id, RunState.RUNNING, True)
    connection: Connection = await stored(settings, data["id"])
    assert connection.paused, "it was to be deleted, so it does not sync again"
