"""Every frame has its own fate: cancelled, failed, refused or answered, whatever happens to its neighbours."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress

import numpy as np
import pytest

from service.batching.admission import BURST_SECONDS
from service.batching.batcher import Batcher
from service.batching.tickets import Inference, Priority
from service.errors import InferenceFailed, NotReady, Overloaded
from service.imaging.geometry import U8
from tests.support.gate import DEADLINE_SECONDS, GatedBackend

BAD = (1, 2, 3)


def numbered(number: int) -> U8:
    """A frame uint8 [4, 6, 3] that the backend can tell from others; red, so it is a tool, when the number is even."""
    frame = np.zeros((4, 6, 3), np.uint8)
    frame[..., 0] = 255 if number % 2 == 0 else 0
    frame[..., 2] = number
    return frame


class House:
    """A batcher whose tickets the test holds."""

    def __init__(
        self,
        backend: GatedBackend,
        max_frames: int = 16,
        wait_seconds: float = 0.0,
        run_seconds: dict[int, float] | None = None,
    ) -> None:
        self.backend = backend
        self.sizes: list[int] = []
        self.now = 100.0
        """For the batcher's notion of overload."""
        self.batcher = Batcher(
            backend,
            "red/1",
            max_frames=max_frames,
            max_batch=8,
            batch_wait_seconds=wait_seconds,
            run_seconds=run_seconds,
            on_batch=self.sizes.append,
            clock=lambda: self.now,
        )
        self.tickets = ExitStack()

    def send(self, frame: U8, priority: Priority = Priority.FRAMES) -> "Future[Inference]":
        return self.tickets.enter_context(self.batcher.admit(priority)).submit(frame)

    def answer(self, frame: U8) -> None:
        """One frame comes, is answered and leaves; half a second goes by."""
        with self.batcher.admit(Priority.FRAMES) as ticket:
            ticket.submit(frame).result(DEADLINE_SECONDS)
        assert self.backend.entered.acquire(timeout=DEADLINE_SECONDS)
        self.now += 0.5

    def occupy(self) -> "Future[Inference]":
        """Hold the device with frame 0, so that what is sent next has to wait."""
        self.backend.hold()
        first = self.send(numbered(0))
        assert self.backend.entered.acquire(timeout=DEADLINE_SECONDS)
        return first

    def close(self) -> None:
        self.backend.release()
        self.tickets.close()
        self.batcher.close()


@pytest.fixture
def houses() -> Iterator[list[House]]:
    opened: list[House] = []
    yield opened
    for house in opened:
        house.close()


def open_house(
    houses: list[House],
    *,
    max_batch: int = 1,
    max_frames: int = 16,
    wait_seconds: float = 0.0,
    lanes: int = 1,
    run_seconds: dict[int, float] | None = None,
) -> House:
    backend = GatedBackend(max_batch=max_batch, fails_on=BAD)
    backend.lanes = lanes
    house = House(backend, max_frames, wait_seconds, run_seconds)
    houses.append(house)
    return house


def result(future: "Future[Inference]") -> U8:
    return future.result(DEADLINE_SECONDS).probabilities


def test_each_frame_of_a_batch_gets_its_own_mask(houses: list[House]) -> None:
    house = open_house(houses, max_batch=8)
    house.occupy()
    futures = [house.send(numbered(number)) for number in range(1, 6)]
    house.backend.release()
    assert [int(result(future).max()) for future in futures] == [0, 255, 0, 255, 0]
    assert house.backend.seen == [0, 1, 2, 3, 4, 5]
    assert house.sizes == [1, 5]


def test_a_batch_is_never_larger_than_the_backend_takes(houses: list[House]) -> None:
    house = open_house(houses, max_batch=2)
    house.occupy()
    futures = [house.send(numbered(number)) for number in range(1, 6)]
    house.backend.release()
    for future in futures:
        result(future)
    assert house.sizes == [1, 2, 2, 1]


def test_a_batch_is_counted_before_its_frames_are_answered(houses: list[House]) -> None:
    house, counted = open_house(houses), list[int]()
    house.occupy()
    future = house.send(numbered(1))
    future.add_done_callback(lambda _: counted.extend(house.sizes))
    house.backend.release()
    result(future)
    house.batcher.close()
    assert counted == [1, 1]


def test_a_full_house_is_refused_at_once_and_has_room_again_when_a_frame_leaves(houses: list[House]) -> None:
    house = open_house(houses, max_frames=2)
    with house.batcher.admit(Priority.FRAMES), house.batcher.admit(Priority.FRAMES):
        with pytest.raises(Overloaded, match="holds 2 frames already; the limit is 2"):
            house.send(numbered(1))
        house.send(numbered(2), Priority.LIVE).result(DEADLINE_SECONDS)
    result(house.send(numbered(3)))


def test_under_overload_who_came_last_is_refused_although_it_was_let_in(houses: list[House]) -> None:
    house = open_house(houses, max_frames=4, run_seconds={1: 0.01})
    house.answer(numbered(6))
    running = house.occupy()
    futures = [house.send(numbered(number)) for number in (1, 2, 3)]
    house.now += 2 * BURST_SECONDS
    with pytest.raises(Overloaded, match="the limit is 2 while more come than can be answered"):
        house.send(numbered(5))
    for future in futures[1:]:
        with pytest.raises(Overloaded):
            result(future)
    house.send(numbered(4), Priority.LIVE)
    house.backend.release()
    result(running)
    result(futures[0])
    assert house.backend.seen == [6, 0, 4, 1]


def test_under_overload_a_frame_is_refused_before_it_is_decoded(houses: list[House]) -> None:
    house = open_house(houses, max_frames=4, run_seconds={1: 0.01})
    house.answer(numbered(6))
    tickets = [house.tickets.enter_context(house.batcher.admit(Priority.FRAMES)) for _ in range(4)]
    house.now += 2 * BURST_SECONDS
    with pytest.raises(Overloaded):
        house.batcher.check_room(Priority.FRAMES)
    for ticket in tickets[:2]:
        ticket.check()
    for ticket in tickets[2:]:
        with pytest.raises(Overloaded):
            ticket.check()
        with pytest.raises(Overloaded):
            ticket.submit(numbered(1))
    assert result(tickets[0].submit(numbered(2))).max() == 255


def test_under_overload_every_lane_has_a_frame_and_one_more_is_made_ready(houses: list[House]) -> None:
    house = open_house(houses, max_frames=6, lanes=2, run_seconds={1: 0.001})
    house.answer(numbered(6))
    for _ in range(6):
        house.tickets.enter_context(house.batcher.admit(Priority.FRAMES))
    house.now += 2 * BURST_SECONDS
    with pytest.raises(Overloaded, match="the limit is 3 while more come"):
        house.batcher.check_room(Priority.FRAMES)


def test_frames_that_failed_have_left_the_house_like_those_with_a_mask(houses: list[House]) -> None:
    house = open_house(houses, max_frames=4, run_seconds={1: 0.01})
    house.answer(numbered(6))
    for _ in range(10):
        with suppress(ValueError), house.batcher.admit(Priority.FRAMES):
            raise ValueError("no picture")
    house.occupy()
    futures = [house.send(numbered(number)) for number in (1, 2, 3)]
    with pytest.raises(Overloaded, match="ENDOMASK_MAX_QUEUED_FRAMES"):
        house.send(numbered(5))
    house.backend.release()
    for future in futures:
        result(future)


def test_every_gpu_takes_batches_of_its_own(houses: list[House]) -> None:
    house = open_house(houses, lanes=3)
    house.backend.hold()
    futures = [house.send(numbered(2)) for _ in range(4)]
    for _ in range(3):
        assert house.backend.entered.acquire(timeout=DEADLINE_SECONDS)
    assert house.batcher.waiting(Priority.FRAMES) == 1
    house.backend.release()
    assert [result(future).max() for future in futures] == [255] * 4
    house.batcher.close()
    assert not house.batcher.alive


def test_live_frames_go_before_single_frames_and_those_before_video(houses: list[House]) -> None:
    house = open_house(houses)
    house.occupy()
    futures = [
        house.send(numbered(1), Priority.VIDEO),
        house.send(numbered(2), Priority.FRAMES),
        house.send(numbered(3), Priority.LIVE),
        house.send(numbered(4), Priority.FRAMES),
    ]
    assert house.batcher.waiting(Priority.FRAMES) == 2
    house.backend.release()
    for future in futures:
        result(future)
    assert house.backend.seen == [0, 3, 2, 4, 1]


def test_a_frame_cancelled_before_its_turn_never_reaches_the_device(houses: list[House]) -> None:
    house = open_house(houses)
    house.occupy()
    cancelled, kept = house.send(numbered(1)), house.send(numbered(2))
    assert cancelled.cancel()
    house.backend.release()
    result(kept)
    assert house.backend.seen == [0, 2]


def test_a_cancelled_frame_is_out_of_the_queue_as_soon_as_its_caller_is_gone(houses: list[House]) -> None:
    house = open_house(houses)
    house.occupy()
    with house.batcher.admit(Priority.FRAMES) as ticket:
        ticket.submit(numbered(1)).cancel()
    assert house.batcher.waiting(Priority.FRAMES) == 0


def test_a_frame_that_is_running_answers_even_if_its_caller_tried_to_cancel(houses: list[House]) -> None:
    house = open_house(houses)
    running = house.occupy()
    waiting = house.send(numbered(2))
    assert not running.cancel()
    house.backend.release()
    assert result(running).max() == 255
    assert result(waiting).max() == 255


def test_a_failing_frame_fails_alone_in_its_batch(houses: list[House]) -> None:
    house = open_house(houses, max_batch=8)
    house.occupy()
    bad = np.full((4, 6, 3), BAD, np.uint8)
    futures = [house.send(numbered(2)), house.send(bad), house.send(numbered(4))]
    house.backend.release()
    assert result(futures[0]).max() == 255
    assert result(futures[2]).max() == 255
    with pytest.raises(InferenceFailed, match="red/1 failed on this frame") as failure:
        result(futures[1])
    assert "the device refused this batch" in str(failure.value.__cause__)


def test_the_device_thread_outlives_a_failure(houses: list[House]) -> None:
    house = open_house(houses)
    with pytest.raises(InferenceFailed):
        result(house.send(np.full((4, 6, 3), BAD, np.uint8)))
    assert house.batcher.alive
    assert result(house.send(numbered(2))).max() == 255


def test_a_backend_that_loses_a_frame_fails_it_instead_of_mixing_masks_up(houses: list[House]) -> None:
    class Losing(GatedBackend):
        def run(self, frames: U8) -> U8:
            return super().run(frames)[1:]

    house = House(Losing())
    houses.append(house)
    with pytest.raises(InferenceFailed, match="gave 0 masks for 1 frames"):
        result(house.send(numbered(2)))


def test_a_lone_frame_waits_for_no_company(houses: list[House]) -> None:
    house = open_house(houses, max_batch=8, wait_seconds=3600)
    assert result(house.send(numbered(2))).max() == 255


def test_a_batch_waits_for_a_frame_that_is_being_decoded(houses: list[House]) -> None:
    house = open_house(houses, max_batch=8, wait_seconds=3600)
    with house.batcher.admit(Priority.FRAMES) as coming:
        early = house.send(numbered(2))
        assert not house.backend.entered.acquire(timeout=0.2), "the device did not wait"
        late = coming.submit(numbered(4))
        result(early)
        result(late)
    assert house.sizes == [2]


def test_a_batch_waits_no_longer_for_a_frame_that_could_not_be_decoded(houses: list[House]) -> None:
    house = open_house(houses, max_batch=8, wait_seconds=3600)
    with house.batcher.admit(Priority.FRAMES):
        early = house.send(numbered(2))
    result(early)


def test_closing_fails_the_waiting_frames_and_lets_the_running_one_end(houses: list[House]) -> None:
    house = open_house(houses)
    running = house.occupy()
    waiting = house.send(numbered(1))
    house.batcher.close(timeout_seconds=0)
    with pytest.raises(NotReady, match="unloaded before this frame's turn"):
        result(waiting)
    with pytest.raises(NotReady):
        house.send(numbered(3))
    house.backend.release()
    assert result(running).max() == 255


def test_times_say_how_long_a_frame_waited_and_ran(houses: list[House]) -> None:
    house = open_house(houses)
    house.occupy()
    before = time.perf_counter()
    waiting = house.send(numbered(1))
    house.backend.release()
    inference = waiting.result(DEADLINE_SECONDS)
    assert inference.queue_seconds > 0
    assert inference.infer_seconds > 0
    assert inference.queue_seconds + inference.infer_seconds <= time.perf_counter() - before
