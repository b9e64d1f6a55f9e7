"""Lanes of a stage: items side by side, results in their order, few begun ahead."""

import itertools
from collections.abc import Iterator
from threading import Barrier, Event

import pytest

from service.video.stages import in_lanes

PATIENCE_SECONDS = 30


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
