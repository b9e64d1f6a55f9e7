"""A frame is expected, queued and taken, or withdrawn before; never two of these."""

from service.batching.queues import Queues
from service.batching.tickets import Item, Priority
from tests.support.devices import numbered


def expected(queues: Queues, priority: Priority = Priority.FRAMES) -> Item:
    item = Item(priority)
    queues.expect(item)
    return item


def queued(queues: Queues, priority: Priority = Priority.FRAMES) -> Item:
    item = expected(queues, priority)
    assert queues.submit(item, numbered(1))
    return item


def test_a_frame_is_expected_then_queued_then_gone() -> None:
    queues = Queues()
    item = expected(queues)
    assert (queues.expected, queues.queued) == (1, 0)
    assert queues.submit(item, numbered(1))
    assert (queues.expected, queues.queued) == (0, 1)
    assert queues.take(8) == [item]
    assert (queues.expected, queues.queued) == (0, 0)


def test_the_next_ones_are_the_oldest_of_the_lowest_priority() -> None:
    queues = Queues()
    video, first, second, live = (
        queued(queues, priority) for priority in (Priority.VIDEO, Priority.FRAMES, Priority.FRAMES, Priority.LIVE)
    )
    assert [queues.waiting(priority) for priority in Priority] == [1, 2, 1]
    assert queues.take(3) == [live, first, second]
    assert queues.take(3) == [video]


def test_a_cancelled_frame_takes_nobodys_place_in_a_batch() -> None:
    queues = Queues()
    cancelled, kept = queued(queues), queued(queues)
    cancelled.future.cancel()
    assert queues.take(1) == [kept]
    assert not kept.future.cancel(), "it runs"


def test_a_frame_is_withdrawn_once_and_not_after_it_was_taken() -> None:
    queues = Queues()
    decoding, waiting, running = expected(queues), queued(queues), Item(Priority.LIVE)
    queues.expect(running)
    queues.submit(running, numbered(1))
    assert queues.take(1) == [running]
    assert [queues.withdraw(item) for item in (decoding, waiting, running)] == [True, True, False]
    assert [queues.withdraw(item) for item in (decoding, waiting)] == [False, False]
    assert (queues.expected, queues.queued) == (0, 0)


def test_a_frame_that_was_withdrawn_is_not_queued() -> None:
    queues = Queues()
    item = expected(queues)
    queues.withdraw(item)
    assert not queues.submit(item, numbered(1))
    assert queues.queued == 0


def test_what_is_cleared_is_what_was_queued() -> None:
    queues = Queues()
    expected(queues)
    left = [queued(queues, Priority.LIVE), queued(queues, Priority.VIDEO)]
    assert queues.clear() == left
    assert (queues.expected, queues.queued) == (1, 0)
