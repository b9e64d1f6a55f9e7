"""Who is let in, who is refused at once or after all, and what a frame leaves behind when it goes."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress

import pytest

from service.batching.admission import BURST_SECONDS
from service.batching.batcher import Batcher
from service.batching.tickets import Inference, Priority
from service.errors import NotReady, Overloaded
from service.imaging.geometry import U8
from tests.support.devices import BAD, numbered, result
from tests.support.gate import DEADLINE_SECONDS, GatedBackend


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


def test_a_cancelled_frame_is_out_of_the_queue_as_soon_as_its_caller_is_gone(houses: list[House]) -> None:
    house = open_house(houses)
    house.occupy()
    with house.batcher.admit(Priority.FRAMES) as ticket:
        ticket.submit(numbered(1)).cancel()
    assert house.batcher.waiting(Priority.FRAMES) == 0


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


def test_a_batch_waits_for_a_frame_that_has_a_ticket(houses: list[House]) -> None:
    house = open_house(houses, max_batch=8, wait_seconds=3600)
    with house.batcher.admit(Priority.FRAMES) as coming:
        early = house.send(numbered(2))
        assert not house.backend.entered.acquire(timeout=0.2), "the device did not wait"
        late = coming.submit(numbered(4))
        result(early)
        result(late)
    assert house.sizes == [2]


def test_a_batch_waits_no_longer_for_a_frame_that_was_refused(houses: list[House]) -> None:
    house = open_house(houses, max_batch=8, max_frames=4, wait_seconds=3600, run_seconds={1: 0.01})
    house.answer(numbered(6))
    tickets = [house.tickets.enter_context(house.batcher.admit(Priority.FRAMES)) for _ in range(4)]
    early = tickets[0].submit(numbered(4))
    house.now += 2 * BURST_SECONDS
    with pytest.raises(Overloaded):
        house.batcher.check_room(Priority.FRAMES)
    tickets[1].submit(numbered(8))
    result(early)


def test_a_refusal_and_its_callbacks_may_ask_the_house(houses: list[House]) -> None:
    house = open_house(houses, max_frames=3, run_seconds={1: 0.01})
    house.answer(numbered(6))
    house.occupy()
    ticket, waited = house.tickets.enter_context(house.batcher.admit(Priority.FRAMES)), list[bool]()

    def ask(_: object) -> None:
        asker = threading.Thread(target=ticket.is_alone, daemon=True)
        asker.start()
        asker.join(DEADLINE_SECONDS)
        waited.append(asker.is_alive())

    last = house.tickets.enter_context(house.batcher.admit(Priority.FRAMES))
    last.on_refusal = ask
    last.submit(numbered(1)).add_done_callback(ask)
    house.now += 2 * BURST_SECONDS
    with pytest.raises(Overloaded):
        house.batcher.check_room(Priority.FRAMES)
    assert waited == [False, False]


def test_a_frame_whose_ticket_has_left_is_cancelled_and_out_of_the_queue(houses: list[House]) -> None:
    house = open_house(houses)
    house.occupy()
    with house.batcher.admit(Priority.FRAMES) as ticket:
        left = ticket.submit(numbered(1))
    assert left.cancelled()
    assert house.batcher.waiting(Priority.FRAMES) == 0


def test_a_ticket_that_has_left_submits_nothing(houses: list[House]) -> None:
    house = open_house(houses)
    with house.batcher.admit(Priority.FRAMES) as ticket:
        pass
    with pytest.raises(ValueError, match="after its ticket had left"):
        ticket.submit(numbered(1))
    assert house.backend.seen == []


def test_a_frame_is_alone_until_another_is_in_the_house(houses: list[House]) -> None:
    house = open_house(houses)
    with house.batcher.admit(Priority.FRAMES) as ticket:
        assert ticket.is_alone()
        with house.batcher.admit(Priority.LIVE):
            assert not ticket.is_alone()
        assert ticket.is_alone()


def test_refused_frames_that_leave_are_no_sign_that_the_overload_is_over(houses: list[House]) -> None:
    house = open_house(houses, max_frames=12, run_seconds={1: 0.01})
    house.answer(numbered(6))
    with ExitStack() as leaving:
        for number in range(12):
            (house.tickets if number < 2 else leaving).enter_context(house.batcher.admit(Priority.FRAMES))
        house.now += 2 * BURST_SECONDS
        with pytest.raises(Overloaded):
            house.batcher.check_room(Priority.FRAMES)
    with pytest.raises(Overloaded, match="holds 2 frames already; the limit is 2 while more come"):
        house.batcher.check_room(Priority.FRAMES)


def test_nobody_is_let_in_once_it_is_closed(houses: list[House]) -> None:
    house = open_house(houses)
    house.batcher.close()
    with pytest.raises(NotReady, match="is being unloaded"):
        house.batcher.check_room(Priority.FRAMES)
    with pytest.raises(NotReady, match="is being unloaded"), house.batcher.admit(Priority.FRAMES):
        pytest.fail("a frame would be decoded for nothing")
