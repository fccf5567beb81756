import threading

import pytest

from syncline.sync.hand_over import Closed, HandOver


def test_items_come_in_order():
    queue: HandOver[int] = HandOver(100)
    queue.put(1, 10)
    queue.put(2, 10)
    assert [queue.take(1), queue.take(1)] == [1, 2]


def test_nothing_comes_after_the_time():
    assert HandOver(100).take(0.01) is None


def test_one_item_always_fits():
    queue: HandOver[int] = HandOver(10)
    queue.put(1, 1000)
    assert queue.take(1) == 1


def test_putting_waits_for_a_release():
    queue: HandOver[int] = HandOver(10)
    queue.put(1, 8)
    putting = threading.Thread(target=queue.put, args=(2, 8))
    putting.start()
    assert queue.take(5) == 1
    # The one who takes learns that no more can come, instead of waiting for it.
    assert queue.take(60) is None
    queue.release(8)
    assert queue.take(5) == 2
    putting.join(5)


def test_closing_sends_those_away_who_wait():
    queue: HandOver[int] = HandOver(10)
    queue.put(1, 10)
    refused = []

    def put() -> None:
        with pytest.raises(Closed):
            queue.put(2, 10)
        refused.append(2)

    putting = threading.Thread(target=put)
    putting.start()
    queue.close()
    putting.join(5)
    assert refused == [2]
