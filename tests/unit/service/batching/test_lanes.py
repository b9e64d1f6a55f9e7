"""A lone frame has all threads of a CPU, several have a lane each, and never both at once."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack

import numpy as np
import pytest

from service.batching.batcher import Batcher
from service.batching.lanes import Lanes
from service.batching.tickets import Inference, Priority
from service.errors import InferenceFailed, NotReady
from service.imaging.geometry import U8
from tests.support.gate import DEADLINE_SECONDS, GatedBackend
from tests.support.red import FakeBackend

BAD = (1, 2, 3)


def numbered(number: int) -> U8:
    """A pink frame uint8 [4, 6, 3] that backends can tell from others."""
    frame = np.zeros((4, 6, 3), np.uint8)
    frame[..., 2] = number
    return frame


class House:
    """A batcher with a backend for lone frames and one of two lanes, both held by the test if it wants."""

    def __init__(self) -> None:
        self.alone = GatedBackend()
        self.lanes = GatedBackend(fails_on=BAD)
        self.lanes.lanes = 2
        self.batcher = Batcher(self.alone, "red/1", max_frames=16)
        self.batcher.add_lanes(self.lanes)
        self.tickets = ExitStack()

    def send(self, frame: U8, priority: Priority = Priority.FRAMES) -> "Future[Inference]":
        return self.tickets.enter_context(self.batcher.admit(priority)).submit(frame)

    def occupy_alone(self) -> "Future[Inference]":
        """Frame 0 holds all threads."""
        self.alone.hold()
        first = self.send(numbered(0))
        assert self.alone.entered.acquire(timeout=DEADLINE_SECONDS)
        return first

    def occupy_lanes(self) -> "list[Future[Inference]]":
        """Frame 0 ran on all threads, frames 1 and 2 came meanwhile and hold the lanes."""
        self.lanes.hold()
        first = self.occupy_alone()
        held = [self.send(numbered(number)) for number in (1, 2)]
        self.alone.release()
        first.result(DEADLINE_SECONDS)
        for _ in held:
            assert self.lanes.entered.acquire(timeout=DEADLINE_SECONDS)
        return held

    def close(self) -> None:
        self.alone.release()
        self.lanes.release()
        self.tickets.close()
        self.batcher.close()


@pytest.fixture
def house() -> Iterator[House]:
    opened = House()
    yield opened
    opened.close()


def test_a_lone_frame_runs_on_all_threads(house: House) -> None:
    for number in range(3):
        house.send(numbered(number)).result(DEADLINE_SECONDS)
    assert house.alone.seen == [0, 1, 2]
    assert house.lanes.seen == []


def test_frames_that_came_meanwhile_run_beside_each_other_once_the_lone_one_is_done(house: House) -> None:
    house.lanes.hold()
    first = house.occupy_alone()
    others = [house.send(numbered(number)) for number in (1, 2, 3)]
    assert not house.lanes.entered.acquire(timeout=0.2), "a lane took cores from the run on all threads"
    house.alone.release()
    first.result(DEADLINE_SECONDS)
    for _ in range(2):
        assert house.lanes.entered.acquire(timeout=DEADLINE_SECONDS)
    assert house.batcher.waiting(Priority.FRAMES) == 1
    with house.batcher.admit(Priority.FRAMES):  # company for the last one, should both lanes be free at once
        house.lanes.release()
        for future in others:
            future.result(DEADLINE_SECONDS)
    assert house.alone.seen == [0]
    assert sorted(house.lanes.seen) == [1, 2, 3]


def test_a_frame_that_is_being_decoded_is_company(house: House) -> None:
    with house.batcher.admit(Priority.FRAMES) as coming:
        house.send(numbered(1)).result(DEADLINE_SECONDS)
        coming.submit(numbered(2)).result(DEADLINE_SECONDS)
    assert (house.lanes.seen, house.alone.seen) == ([1], [2])


def test_once_the_lanes_are_empty_a_lone_frame_has_all_threads_again(house: House) -> None:
    held = house.occupy_lanes()
    house.lanes.release()
    for future in held:
        future.result(DEADLINE_SECONDS)
    house.send(numbered(3)).result(DEADLINE_SECONDS)
    assert house.alone.seen == [0, 3]


def test_lanes_take_live_frames_first(house: House) -> None:
    held = house.occupy_lanes()
    futures = [
        house.send(numbered(number), priority)
        for number, priority in ((3, Priority.VIDEO), (4, Priority.FRAMES), (5, Priority.LIVE), (6, Priority.LIVE))
    ]
    house.lanes.release_those_inside()
    for _ in range(2):
        assert house.lanes.entered.acquire(timeout=DEADLINE_SECONDS)
    assert sorted(house.lanes.seen) == [1, 2, 5, 6]
    house.lanes.release()
    for future in [*held, *futures]:
        future.result(DEADLINE_SECONDS)
    assert {*house.lanes.seen, *house.alone.seen} == {0, 1, 2, 3, 4, 5, 6}


def test_a_frame_that_fails_in_its_lane_fails_alone(house: House) -> None:
    house.lanes.hold()
    first = house.occupy_alone()
    bad, good = house.send(np.full((4, 6, 3), BAD, np.uint8)), house.send(numbered(7))
    house.alone.release()
    for _ in range(2):
        assert house.lanes.entered.acquire(timeout=DEADLINE_SECONDS)
    house.lanes.release()
    with pytest.raises(InferenceFailed, match="red/1 failed on this frame"):
        bad.result(DEADLINE_SECONDS)
    assert good.result(DEADLINE_SECONDS).probabilities.max() == 0
    first.result(DEADLINE_SECONDS)
    assert house.batcher.alive
    house.send(numbered(8)).result(DEADLINE_SECONDS)
    assert house.alone.seen == [0, 8], "the lane of the failed frame is free again"


def test_closing_lets_the_lanes_end_and_fails_what_waits(house: House) -> None:
    held = house.occupy_lanes()
    waiting = house.send(numbered(3))
    house.batcher.close(timeout_seconds=0)
    with pytest.raises(NotReady, match="unloaded before this frame's turn"):
        waiting.result(DEADLINE_SECONDS)
    house.lanes.release()
    for future in held:
        future.result(DEADLINE_SECONDS)
    house.batcher.close()
    assert not house.batcher.alive


def test_lanes_that_come_after_the_end_are_left_alone(house: House) -> None:
    house.batcher.close()
    house.batcher.add_lanes(FakeBackend())
    assert house.batcher.under_load is house.lanes


def two_lanes() -> tuple[Lanes, FakeBackend, FakeBackend]:
    alone, under_load = FakeBackend(), FakeBackend()
    under_load.lanes = 2
    lanes = Lanes(alone)
    lanes.add(under_load)
    return lanes, alone, under_load


def test_who_decides_gives_all_threads_to_one_and_lanes_to_several() -> None:
    lanes, alone, under_load = two_lanes()
    assert (lanes.choose(company=0), lanes.choose(company=1)) == (alone, under_load)
    lanes.begin(under_load)
    assert lanes.choose(company=0) is under_load, "who runs is company too"
    lanes.begin(under_load)
    assert lanes.choose(company=0) is None
    lanes.end(under_load)
    lanes.end(under_load)
    assert lanes.choose(company=0) is alone


def test_nothing_runs_beside_a_run_on_all_threads() -> None:
    lanes, alone, under_load = two_lanes()
    lanes.begin(alone)
    assert lanes.choose(company=0) is None
    assert lanes.choose(company=5) is None
    lanes.end(alone)
    assert lanes.choose(company=5) is under_load


def test_without_further_lanes_the_backends_own_are_used() -> None:
    gpus = FakeBackend()
    gpus.lanes = 2
    lanes = Lanes(gpus)
    assert (lanes.most_runs, lanes.under_load) == (2, gpus)
    lanes.begin(gpus)
    assert lanes.choose(company=3) is gpus
    lanes.begin(gpus)
    assert lanes.choose(company=3) is None
