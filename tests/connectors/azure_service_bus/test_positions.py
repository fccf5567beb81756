"""Where browsing goes on: partitions, and messages that became visible late."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage

from syncline.connectors.azure_service_bus import position as position_module
from syncline.connectors.azure_service_bus.reader import Reader
from syncline.connectors.base import RawBatch, ReadLimits, Stream
from syncline.connectors.registry import connector_for
from syncline.emulator.descriptions import SubscriptionDescription, TopicDescription
from syncline.emulator.emulator import EmulatorThread
from tests.connectors.azure_service_bus.conftest import (
    SUBSCRIPTION,
    Publish,
    opened,
    read_all,
    rows,
    without_manage,
)

ORDERS = Stream("orders", "bus")


def numbered(count: int, start: int = 0) -> list[ServiceBusMessage]:
    return [ServiceBusMessage(b'{"n":%d}' % n, message_id=f"m{n}") for n in range(start, start + count)]


def ids(batches: list[RawBatch]) -> list[str]:
    return [row["message_id"] for row in rows(batches)]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sequence numbers that were asked for."""
    asked: list[int] = []
    ask = Reader._request

    def request(reader: Reader, sequence_number: int, count: int) -> Any:
        asked.append(sequence_number)
        return ask(reader, sequence_number, count)

    monkeypatch.setattr(Reader, "_request", request)
    return asked


class TestPartitions:
    @pytest.fixture(autouse=True)
    def _topic(self, emulator: EmulatorThread) -> None:
        description = TopicDescription("wide", enable_partitioning=True)
        emulator.call(lambda namespace: namespace.create_topic(description))
        emulator.call(lambda namespace: namespace.create_subscription(SubscriptionDescription("wide", SUBSCRIPTION)))

    def test_every_partition_is_read(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish(numbered(100), to="wide")
        batches = read_all(without_manage(emulator, "wide"), "wide")
        assert sorted(ids(batches)) == sorted(f"m{n}" for n in range(100))
        assert len(batches[-1].position["partitions"]) == 16
        assert not any(batch.warnings for batch in batches)

    def test_each_goes_on_where_it_was(self, emulator: EmulatorThread, publish: Publish) -> None:
        context = without_manage(emulator, "wide")
        publish([ServiceBusMessage(b"{}", message_id="first", partition_key="a")], to="wide")
        position = read_all(context, "wide")[-1].position
        assert len(position["partitions"]) == 1
        for start in range(0, 600, 150):
            publish(numbered(150, start=start), to="wide")
            batches = read_all(context, "wide", position)
            assert sorted(ids(batches)) == sorted(f"m{n}" for n in range(start, start + 150))
            position = batches[-1].position
        assert read_all(context, "wide", position) == []

    def test_batches_may_end_within_a_partition(self, emulator: EmulatorThread, publish: Publish) -> None:
        context = without_manage(emulator, "wide")
        publish(numbered(400), to="wide")
        with opened(context) as source:
            first = next(iter(source.read(Stream("wide", "bus"), None, ReadLimits(rows=30), threading.Event())))
        rest = read_all(context, "wide", first.position, rows=30)
        assert sorted(ids([first, *rest])) == sorted(f"m{n}" for n in range(400))

    def test_going_on_takes_a_request_or_two_for_each(
        self, emulator: EmulatorThread, publish: Publish, requests: list[int]
    ) -> None:
        context = without_manage(emulator, "wide")
        publish(numbered(2000), to="wide")
        position = read_all(context, "wide")[-1].position
        requests.clear()
        assert read_all(context, "wide", position) == []
        assert len(requests) <= 34


Hide = Callable[[int], Callable[[], None]]


@pytest.fixture
def hide(emulator: EmulatorThread) -> Hide:
    """Makes a message invisible; what it returns makes it visible again."""

    def hidden(number: int) -> Callable[[], None]:
        def log(namespace: Any) -> Any:
            return namespace.topic("orders").subscription(SUBSCRIPTION).store._messages._messages

        stored = emulator.call(lambda namespace: log(namespace).pop(number))
        return lambda: emulator.call(lambda namespace: log(namespace).update({number: stored}))

    return hidden


class TestLateMessages:
    def test_they_are_read_once_they_are_visible_and_nothing_else_again(
        self, emulator: EmulatorThread, publish: Publish, hide: Hide
    ) -> None:
        context = without_manage(emulator)
        publish(numbered(20))
        show = [hide(number) for number in (3, 10, 11)]
        first = read_all(context)
        assert len(ids(first)) == 17
        show[0]()
        publish(numbered(2, start=20))
        second = read_all(context, position=first[-1].position)
        assert ids(second) == ["m2", "m20", "m21"]
        show[2]()
        third = read_all(context, position=second[-1].position)
        assert ids(third) == ["m10"]
        show[1]()
        fourth = read_all(context, position=third[-1].position)
        assert ids(fourth) == ["m9"]
        assert "gaps" not in fourth[-1].position["partitions"]["0"]
        assert read_all(context, position=fourth[-1].position) == []

    def test_what_is_missing_at_the_beginning_may_turn_up_too(
        self, emulator: EmulatorThread, publish: Publish, hide: Hide
    ) -> None:
        publish(numbered(5))
        show = hide(1)
        first = read_all(without_manage(emulator))
        show()
        assert ids(read_all(without_manage(emulator), position=first[-1].position)) == ["m0"]

    def test_looking_for_them_ends(
        self,
        emulator: EmulatorThread,
        publish: Publish,
        hide: Hide,
        requests: list[int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("syncline.connectors.azure_service_bus.reader._CLOCK_ALLOWANCE", timedelta(0))
        monkeypatch.setattr("syncline.connectors.azure_service_bus.reader.LOOK_BACK", timedelta(0))
        publish(numbered(5))
        hide(3)
        (batch,) = read_all(without_manage(emulator))
        assert batch.position["partitions"]["0"]["gaps"][0][:2] == [3, 3]
        (only_the_gap_less,) = read_all(without_manage(emulator), position=batch.position)
        assert only_the_gap_less.table.num_rows == 0
        assert 3 in requests
        requests.clear()
        assert read_all(without_manage(emulator), position=only_the_gap_less.position) == []
        assert 3 not in requests

    def test_gaps_are_bounded(self, emulator: EmulatorThread, publish: Publish, hide: Hide) -> None:
        publish(numbered(300))
        for number in range(2, 300, 2):
            hide(number)
        (batch,) = read_all(without_manage(emulator))
        assert batch.table.num_rows == 151
        assert len(batch.position["partitions"]["0"]["gaps"]) == position_module.MOST_GAPS


class TestWritten:
    """Positions that a person writes."""

    @pytest.mark.parametrize(
        "position",
        [
            {"partitions": {}},
            {"sequence_number": 42},
            {"partitions": {"0": {"sequence_number": 42}}},
            {"partitions": {"3": {"sequence_number": (3 << 48) + 1, "enqueued_time": "2026-01-31T12:00:00+00:00"}}},
            {"read_mode": "Drain"},
        ],
    )
    def test_good_ones_are_taken(self, position: dict[str, Any]) -> None:
        connector_for("azure_service_bus").check_position(position)

    @pytest.mark.parametrize(
        "position",
        [
            {},
            {"sequence_number": "42"},
            {"sequence_number": 42, "sequence": 1},
            {"partitions": 1},
            {"partitions": {"a": {"sequence_number": 42}}},
            {"partitions": {"0": {}}},
            {"partitions": {"0": {"sequence_number": "42"}}},
            {"partitions": {"1": {"sequence_number": 42}}},
            {"partitions": {"0": {"sequence_number": 42, "enqueued_time": "yesterday"}}},
        ],
    )
    def test_others_are_refused_with_an_example(self, position: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="it looks like"):
            connector_for("azure_service_bus").check_position(position)
