"""A frame wakes the thread that takes it and no other, and no wake-up is ever lost."""

import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import FrameType

import pytest

from service.batching.batcher import Batcher
from service.batching.tickets import Inference, Item, Priority
from service.errors import Overloaded
from service.imaging.geometry import U8
from tests.support.devices import BAD, Devices, numbered, open_devices, result
from tests.support.gate import DEADLINE_SECONDS, GatedBackend
from tests.support.red import FakeBackend
from tests.support.waiting import wait_until

LANES = 8
FRAMES = 40


class Waits:
    """Names of the device threads that began to wait, and of those that woke, one for each time.

    A thread holds the lock of the devices at both moments: whoever takes it afterwards meets the thread in that state.
    """

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []

    def note(self, frame: FrameType, event: str, _arg: object) -> None:
        noted = {"call": self.begun, "return": self.ended}.get(event)
        name = threading.current_thread().name
        if noted is not None and frame.f_code is threading.Condition.wait.__code__ and name.startswith("device "):
            noted.append(name)

    def await_begun(self, count: int) -> None:
        wait_until(lambda: len(self.begun) >= count, f"{count} waits are not begun")


@pytest.fixture
def waits() -> Iterator[Waits]:
    noted = Waits()
    threading.setprofile(noted.note)
    yield noted
    threading.setprofile(None)


def test_a_frame_wakes_one_thread_of_eight(waits: Waits) -> None:
    with open_devices(lanes=LANES) as devices:
        for number in range(FRAMES):
            result(devices.send(numbered(number)))
    assert len(waits.ended) <= FRAMES + LANES, "each once more, at the end"


def test_a_frame_that_joins_a_batch_wakes_only_the_thread_that_gathers_it(waits: Waits) -> None:
    with open_devices(max_batch=8, lanes=LANES, wait_seconds=3600) as devices:
        coming, futures = [devices.expect() for _ in range(8)], list[Future[Inference]]()
        waits.await_begun(LANES)
        for number, item in enumerate(coming[:7], start=1):
            futures.append(devices.threads.submit(item, numbered(1)))
            waits.await_begun(LANES + number)
        assert devices.backend.seen == [], "the device did not wait"
        futures.append(devices.threads.submit(coming[7], numbered(1)))
        for future in futures:
            result(future)
        assert devices.sizes == [8]
        assert len(set(waits.ended)) == 1, "the one that gathers"


def test_frames_that_wait_for_a_lone_run_wake_no_thread_before_its_end(waits: Waits) -> None:
    under_load = FakeBackend()
    under_load.lanes = LANES
    with open_devices() as devices:
        devices.threads.add_lanes(under_load)
        devices.occupy()
        futures = [devices.send(numbered(number)) for number in range(FRAMES)]
        woken_before = len(waits.ended)
        devices.backend.release()
        for future in futures:
            result(future)
    assert woken_before <= 1
    assert len(waits.ended) <= 1 + 2 * FRAMES + LANES


@pytest.fixture
def many_switches() -> Iterator[None]:
    """Threads take turns as often as the interpreter lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


CALLERS = 6
ROUNDS = 40
GPUS = {"max_batch": 4, "lanes": 3, "wait_seconds": 0.002, "run_seconds": {1: 0.010, 2: 0.012, 4: 0.016}}


def in_rounds(call: Callable[[random.Random], None], meanwhile: Callable[[], None] = lambda: None) -> None:
    """Several callers at once; each round ends in quiet, where nothing that comes later can heal a lost wake-up."""
    together = threading.Barrier(CALLERS, meanwhile)

    def caller(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(ROUNDS):
            together.wait(DEADLINE_SECONDS)
            call(dice)

    with ThreadPoolExecutor(CALLERS) as pool:
        for done in [pool.submit(caller, seed) for seed in range(CALLERS)]:
            done.result(4 * DEADLINE_SECONDS)


def burst(devices: Devices, dice: random.Random) -> None:
    """Some frames, of which some are withdrawn before or after they were submitted, or cancelled, or fail."""
    items = [devices.expect(dice.choice(list(Priority))) for _ in range(dice.randint(1, 5))]
    left: list[tuple[Item, Future[Inference]]] = []
    for item in items:
        if dice.random() < 0.1:
            assert devices.threads.withdraw(item)
            continue
        frame = numbered(dice.randint(0, 9))
        if dice.random() < 0.1:
            frame[:] = BAD
        left.append((item, devices.threads.submit(item, frame)))
    for item, future in left:
        fate = dice.random()
        if fate < 0.1 or (fate < 0.2 and devices.threads.withdraw(item)):
            future.cancel()
    for _, future in left:
        if not future.cancelled():
            future.exception(DEADLINE_SECONDS)


@pytest.mark.usefixtures("many_switches")
@pytest.mark.parametrize("layout", [{}, {"lanes": LANES}, GPUS], ids=["one", "lanes", "gpus"])
def test_no_frame_is_forgotten(layout: dict[str, int]) -> None:
    with open_devices(**layout) as devices:  # type: ignore[arg-type]
        in_rounds(lambda dice: burst(devices, dice))
        assert [devices.threads.waiting(priority) for priority in Priority] == [0, 0, 0]
    assert not devices.threads.alive


@pytest.mark.usefixtures("many_switches")
def test_no_frame_is_forgotten_when_lanes_come_meanwhile() -> None:
    under_load, rounds = GatedBackend(fails_on=BAD), iter(range(ROUNDS))
    under_load.lanes = LANES
    with open_devices() as devices:

        def add_lanes_in_the_third() -> None:
            if next(rounds) == 2:
                threading.Thread(target=devices.threads.add_lanes, args=[under_load]).start()

        in_rounds(lambda dice: burst(devices, dice), add_lanes_in_the_third)
        assert under_load.seen
    assert not devices.threads.alive


@pytest.mark.usefixtures("many_switches")
def test_every_frame_is_answered_or_refused_under_overload() -> None:
    backend = FakeBackend()
    backend.lanes = 2
    batcher = Batcher(backend, "red/1", max_frames=4, run_seconds={1: 1e-6})
    answered, refused = list[U8](), list[Overloaded]()

    def ask(dice: random.Random) -> None:
        for _ in range(5):
            with suppress(Overloaded), batcher.admit(Priority.FRAMES) as ticket:
                ticket.on_refusal = refused.append
                answered.append(result(ticket.submit(numbered(dice.randint(0, 9)))))

    in_rounds(ask)
    batcher.close()
    assert not batcher.alive
    assert len(answered) > CALLERS
