"""Stages in threads, lanes of a stage: results in their order, few begun ahead, each charged for its own."""

import itertools
import threading
from collections.abc import Iterator
from threading import Barrier, Event

import pytest

from service.video.segments.stages import StageClock, in_lanes, in_thread

PATIENCE_SECONDS = 60


def test_as_many_items_as_there_are_lanes_are_worked_on_beside_each_other() -> None:
    together = Barrier(3)

    def meet(item: int) -> int:
        together.wait(PATIENCE_SECONDS)
        return item

    assert list(in_lanes(meet, range(9), lanes=3)) == list(range(9))


def test_results_keep_the_order_of_their_items() -> None:
    second_is_done = Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_is_done.wait(PATIENCE_SECONDS)
        if item == 1:
            second_is_done.set()
        return 10 * item

    assert list(in_lanes(work, range(6), lanes=2)) == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_one_item_more_than_there_are_lanes_is_taken_ahead(lanes: int) -> None:
    taken = itertools.count()
    results = in_lanes(lambda item: item, taken, lanes)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert next(taken) == 5 + lanes
    results.close()


def test_an_error_comes_in_its_items_place() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise ValueError("the third one is bad")
        return item

    results = in_lanes(work, range(6), lanes=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the third one is bad"):
        next(results)


def test_an_error_of_the_items_themselves_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 7
        yield 8
        raise OSError("no more")

    results = in_lanes(lambda item: item, items(), lanes=1)
    assert next(results) == 7
    with pytest.raises(OSError, match="no more"):
        next(results)


def test_items_come_in_order_and_an_error_comes_after_them() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise ValueError("the file ends here")

    found = []
    with in_thread(items(), "read", depth=2) as taken, pytest.raises(ValueError, match="ends here"):
        found.extend(taken)
    assert found == [0, 1, 2, 3, 4]


def test_a_stage_runs_no_further_ahead_than_its_queue() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1, 100):
            made.append(number)
            yield number

    with in_thread(items(), "read", depth=3) as taken:
        assert next(taken) == 1
        assert next(taken) == 2
    assert len(made) <= 2 + 3 + 1 + 1


def test_leaving_early_ends_all_threads_of_a_chain() -> None:
    before = set(threading.enumerate())

    def endless() -> Iterator[int]:
        number = 0
        while True:
            number += 1
            yield number

    with (
        in_thread(endless(), "first", 2) as first,
        in_thread((number * 2 for number in first), "second", 2) as second,
    ):
        assert next(second) == 2
    assert set(threading.enumerate()) <= before


def test_a_stage_is_charged_for_its_own_items_and_not_for_who_takes_them() -> None:
    def items() -> Iterator[int]:
        for number in range(3):
            sum(range(200_000))
            yield number

    clock = StageClock()
    taken = 0
    for number in clock.over("read", items()):
        with clock.at("write"):
            taken += number + sum(range(2_000_000))
    assert set(clock.cpu_seconds) == set(clock.seconds) == {"read", "write"}
    assert 0 < clock.cpu_seconds["read"] < clock.cpu_seconds["write"]


def test_what_a_failing_stage_took_is_counted() -> None:
    clock = StageClock()
    with pytest.raises(ValueError, match="broken"), clock.at("read"):
        raise ValueError("broken")
    assert clock.seconds["read"] > 0
