"""A store of messages by itself, with a clock that the tests turn: locks, schedules, expiry, sessions."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from syncline.amqp import Data, Header, Message, Properties, Timestamp, UInt
from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.conditions import (
    InvalidOperationError,
    MessageLockLostError,
    MessageNotFoundError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)
from syncline.emulator.errors import EmulatorError
from syncline.emulator.message_store import MessageStore
from syncline.emulator.store_settings import StoreSettings
from syncline.emulator.stored_message import StoredMessage
from syncline.emulator.timeline import Timeline

START = 1_700_000_000_000


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


class Bench:
    """A store, its clock, and the messages that left it for the dead-letter queue."""

    def __init__(self, settings: StoreSettings | None = None) -> None:
        self.clock = Clock()
        self.timeline = Timeline(self.clock)
        self.dead: list[tuple[str, str]] = []
        self.store = MessageStore(settings or StoreSettings("orders"), self.timeline, self._dead_letter)

    def pass_time(self, milliseconds: int) -> None:
        """Move the clock and let what is due happen."""
        self.clock.now += milliseconds
        self.timeline.run_due()

    def _dead_letter(
        self, stored: StoredMessage, reason: str, description: str | None, properties: Mapping[str, object]
    ) -> None:
        self.dead.append((text(stored), reason))


class Waiter:
    """A consumer that counts how often it is woken."""

    def __init__(self) -> None:
        self.woken = 0
        self.stopped: EmulatorError | None = None

    def wake(self) -> None:
        self.woken += 1

    def stop(self, error: EmulatorError) -> None:
        self.stopped = error


def message(
    body: str, *, session: str | None = None, ttl: int | None = None, scheduled_at: int | None = None
) -> BrokeredMessage:
    annotations = {"x-opt-scheduled-enqueue-time": Timestamp(scheduled_at)} if scheduled_at is not None else None
    return BrokeredMessage(
        Message(
            header=Header(ttl=None if ttl is None else UInt(ttl)),
            message_annotations=annotations,
            properties=Properties(message_id=body, group_id=session),
            body=Data(body.encode()),
        ).encode()
    )


def text(stored: StoredMessage | None) -> str:
    assert stored is not None
    return str(stored.content.message_id)


def peeked(bench: Bench, first: int = 1) -> list[tuple[int, str]]:
    found = bench.store.peek(first, 250, max_bytes=1_000_000)
    return [(stored.sequence_number, text(stored)) for stored in found]


def test_numbers_rise_from_one_and_a_peek_starts_anywhere() -> None:
    bench = Bench()
    assert [bench.store.add(message(name)) for name in "abc"] == [1, 2, 3]
    assert peeked(bench) == [(1, "a"), (2, "b"), (3, "c")]
    assert peeked(bench, 3) == [(3, "c")]
    assert peeked(bench, 4) == []


def test_a_peek_stops_at_its_bytes_and_never_before_the_first_message() -> None:
    bench = Bench()
    for name in "abc":
        bench.store.add(message(name))
    assert len(bench.store.peek(1, 250, max_bytes=1)) == 1


def test_a_lock_that_runs_out_gives_the_message_back_and_counts() -> None:
    bench = Bench(StoreSettings("orders", lock_duration=1000))
    bench.store.add(message("a"))
    waiter = Waiter()
    bench.store.subscribe(waiter)
    locked = bench.store.acquire(lock=True)
    assert locked is not None
    assert locked.lock_token is not None
    token = locked.lock_token
    assert bench.store.acquire(lock=True) is None
    bench.pass_time(999)
    assert waiter.woken == 0
    bench.pass_time(1)
    assert waiter.woken == 1
    with pytest.raises(MessageLockLostError, match="orders"):
        bench.store.complete(token)
    again = bench.store.acquire(lock=True)
    assert again is not None
    assert again.delivery_count == 1


def test_a_renewed_lock_holds_longer() -> None:
    bench = Bench(StoreSettings("orders", lock_duration=1000))
    bench.store.add(message("a"))
    locked = bench.store.acquire(lock=True)
    assert locked is not None
    assert locked.lock_token is not None
    bench.pass_time(600)
    assert bench.store.renew([locked.lock_token]) == [START + 1600]
    bench.pass_time(600)
    bench.store.complete(locked.lock_token)
    assert len(bench.store) == 0


def test_too_many_deliveries_end_in_the_dead_letter_queue() -> None:
    bench = Bench(StoreSettings("orders", max_delivery_count=2))
    bench.store.add(message("a"))
    for _ in range(2):
        locked = bench.store.acquire(lock=True)
        assert locked is not None
        assert locked.lock_token is not None
        bench.store.abandon(locked.lock_token, {})
    assert bench.dead == [("a", "MaxDeliveryCountExceeded")]
    assert len(bench.store) == 0


def test_a_released_message_does_not_count_as_delivered() -> None:
    bench = Bench()
    bench.store.add(message("a"))
    locked = bench.store.acquire(lock=True)
    assert locked is not None
    assert locked.lock_token is not None
    bench.store.abandon(locked.lock_token, {}, failed=False)
    again = bench.store.acquire(lock=True)
    assert again is not None
    assert again.delivery_count == 0


@pytest.mark.parametrize(("dead_letter", "dead"), [(True, [("a", "TTLExpiredException")]), (False, [])])
def test_what_outlives_its_time_is_dropped_or_dead_lettered(dead_letter: bool, dead: list[tuple[str, str]]) -> None:
    bench = Bench(StoreSettings("orders", dead_letter_expired=dead_letter, time_to_live=60_000))
    bench.store.add(message("a", ttl=1000))
    bench.store.add(message("b"))
    bench.pass_time(1000)
    assert peeked(bench) == [(2, "b")]
    assert bench.dead == dead
    bench.pass_time(59_000)
    assert peeked(bench) == []


def test_a_locked_message_expires_only_once_it_is_given_back() -> None:
    bench = Bench(StoreSettings("orders", dead_letter_expired=True))
    bench.store.add(message("a", ttl=1000))
    locked = bench.store.acquire(lock=True)
    assert locked is not None
    assert locked.lock_token is not None
    bench.pass_time(2000)
    assert bench.dead == []
    bench.store.abandon(locked.lock_token, {})
    assert bench.dead == [("a", "TTLExpiredException")]


def test_a_scheduled_message_is_seen_at_once_and_received_in_time_under_a_new_number() -> None:
    bench = Bench()
    bench.store.add(message("later", scheduled_at=START + 5000))
    bench.store.add(message("now"))
    assert peeked(bench) == [(1, "later"), (2, "now")]
    assert (bench.store.active_count, bench.store.scheduled_count) == (1, 1)
    assert text(bench.store.acquire(lock=False)) == "now"
    assert bench.store.acquire(lock=False) is None
    bench.pass_time(5000)
    assert peeked(bench) == [(3, "later")]
    assert text(bench.store.acquire(lock=False)) == "later"


def test_a_scheduled_message_is_cancelled_by_its_number() -> None:
    bench = Bench()
    number = bench.store.add(message("later", scheduled_at=START + 5000))
    bench.store.cancel_scheduled([number])
    assert len(bench.store) == 0
    with pytest.raises(MessageNotFoundError, match=str(number)):
        bench.store.cancel_scheduled([number])


def test_a_deferred_message_is_had_by_its_number_alone() -> None:
    bench = Bench()
    bench.store.add(message("a"))
    locked = bench.store.acquire(lock=True)
    assert locked is not None
    assert locked.lock_token is not None
    bench.store.defer(locked.lock_token, {})
    assert bench.store.acquire(lock=True) is None
    (found,) = bench.store.receive_deferred([1], lock=True)
    with pytest.raises(MessageNotFoundError):
        bench.store.receive_deferred([1], lock=True)
    assert found.lock_token is not None
    bench.store.abandon(found.lock_token, {})
    assert [text(stored) for stored in bench.store.receive_deferred([1], lock=False)] == ["a"]


def test_properties_given_with_an_outcome_are_kept_with_the_message() -> None:
    bench = Bench()
    bench.store.add(message("a"))
    locked = bench.store.acquire(lock=True)
    assert locked is not None
    assert locked.lock_token is not None
    bench.store.abandon(locked.lock_token, {"attempt": "first"})
    again = bench.store.acquire(lock=True)
    assert again is not None
    assert Message.decode(again.encode()).application_properties == {"attempt": "first"}
    assert Message.decode(again.encode()).body == Data(b"a")


def test_a_session_is_held_by_one_and_its_messages_come_in_order() -> None:
    bench = Bench(StoreSettings("orders", requires_session=True, lock_duration=1000))
    for name, session in (("a1", "a"), ("b1", "b"), ("a2", "a")):
        bench.store.add(message(name, session=session))
    first = bench.store.accept_session(None, "me")
    assert first is not None
    assert first.identifier == "a"
    with pytest.raises(SessionCannotBeLockedError, match="'a'"):
        bench.store.accept_session("a", "you")
    second = bench.store.accept_session(None, "you")
    assert second is not None
    assert second.identifier == "b"
    assert bench.store.accept_session(None, "they") is None
    assert text(bench.store.acquire(lock=True, session=first)) == "a1"
    assert text(bench.store.acquire(lock=True, session=first)) == "a2"
    bench.store.release_session(first)
    again = bench.store.accept_session(None, "they")
    assert again is not None
    returned = bench.store.acquire(lock=True, session=again)
    assert text(returned) == "a1"
    assert returned is not None
    assert returned.delivery_count == 0


def test_a_session_whose_lock_runs_out_is_lost_to_its_owner() -> None:
    bench = Bench(StoreSettings("orders", requires_session=True, lock_duration=1000))
    bench.store.add(message("a1", session="a"))
    session = bench.store.accept_session("a", "me")
    assert session is not None
    lost: list[bool] = []
    session.on_lost = lambda: lost.append(True)
    bench.store.acquire(lock=True, session=session)
    bench.pass_time(500)
    assert bench.store.renew_session("a") == START + 1500
    bench.pass_time(999)
    assert not lost
    bench.pass_time(1)
    assert lost
    with pytest.raises(SessionLockLostError):
        bench.store.renew_session("a")
    again = bench.store.accept_session("a", "you")
    returned = bench.store.acquire(lock=True, session=again)
    assert returned is not None
    assert returned.delivery_count == 1


def test_a_session_keeps_its_state_between_receivers() -> None:
    bench = Bench(StoreSettings("orders", requires_session=True))
    session = bench.store.accept_session("a", "me")
    assert session is not None
    bench.store.set_session_state("a", b"half way")
    bench.store.release_session(session)
    assert bench.store.sessions.with_content() == ["a"]
    again = bench.store.accept_session("a", "you")
    assert again is not None
    assert again.state == b"half way"


def test_sessions_are_refused_where_there_are_none() -> None:
    bench = Bench()
    with pytest.raises(InvalidOperationError, match="does not use sessions"):
        bench.store.accept_session("a", "me")


def test_a_long_queue_that_is_drained_forgets_its_order() -> None:
    bench = Bench()
    content = message("a")
    for _ in range(5000):
        bench.store.add(content)
    while bench.store.acquire(lock=False) is not None:
        pass
    bench.store.add(content)
    assert peeked(bench) == [(5001, "a")]
    assert bench.store.size == content.size


def test_a_store_that_closes_stops_its_consumers() -> None:
    bench = Bench()
    waiter = Waiter()
    bench.store.subscribe(waiter)
    error = EmulatorError("The entity was deleted.")
    bench.store.close(error)
    assert waiter.stopped is error


def test_new_settings_hold_for_what_comes() -> None:
    bench = Bench()
    bench.store.add(message("a"))
    bench.store.reconfigure(replace(bench.store.settings, time_to_live=10))
    bench.store.add(message("b"))
    bench.pass_time(10)
    assert peeked(bench) == [(1, "a")]


def test_nothing_is_left_of_messages_that_came_and_went() -> None:
    bench = Bench(StoreSettings("orders", time_to_live=1_000_000, lock_duration=1000))
    content = message("a")
    for _ in range(200):
        for _ in range(10):
            bench.store.add(content)
        while (locked := bench.store.acquire(lock=True)) is not None:
            assert locked.lock_token is not None
            bench.store.complete(locked.lock_token)
        bench.pass_time(1500)
    assert [len(bench.store._ready), len(bench.store._locks), len(bench.store._expiries)] == [0, 0, 0]
    assert len(bench.timeline) < 5
