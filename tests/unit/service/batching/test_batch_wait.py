"""A batch waits only while company saves more than it costs."""

import heapq
import random
from collections.abc import Callable

import pytest

from service.batching.batch_wait import BatchWait

COSTS = {1: 0.010, 2: 0.012, 4: 0.016, 8: 0.024}
"""Seconds by batch size on a device that starts slowly: 8 ms, and 2 ms a frame."""
PAIRS = {1: 0.010, 2: 0.012, 4: 1.0, 8: 2.0}
"""Only two go well together."""


def waiting_room(interval: float | None, costs: dict[int, float] = COSTS, longest: float = 1.0) -> BatchWait:
    """Frames have come every `interval` seconds."""
    wait = BatchWait(8, longest, costs)
    if interval is not None:
        for number in range(50):
            wait.arrived(number * interval)
    return wait


def test_the_first_frame_ever_waits_for_nobody() -> None:
    assert waiting_room(None).patience(1, coming=0) == 0


def test_a_lone_caller_never_waits() -> None:
    """Its frames can't come closer together than one run."""
    assert waiting_room(COSTS[1]).patience(1, coming=0) == 0


def test_a_frame_waits_while_company_comes_before_the_time_that_it_saves() -> None:
    """Two answered 12 ms from now, or one after 10 ms and one after 20: both may wait 3 ms for each other."""
    assert waiting_room(0.0029, PAIRS).patience(1, coming=0) == pytest.approx(0.003)
    assert waiting_room(0.0031, PAIRS).patience(1, coming=0) == 0


def test_the_size_that_saves_most_is_what_is_waited_for() -> None:
    steps = {1: 0.010, 2: 0.010, 4: 0.020, 8: 0.020}
    assert waiting_room(0.001, steps).patience(1, coming=0) == pytest.approx((8 * 0.010 + 7 * 0.020) / 8 - 0.020)


def test_frames_under_way_are_waited_for_however_rarely_frames_come() -> None:
    assert waiting_room(60.0, PAIRS).patience(1, coming=1) == pytest.approx(0.003)


def test_a_device_that_gains_nothing_by_batches_is_never_made_to_wait() -> None:
    assert waiting_room(0.0001, {size: 0.01 * size for size in COSTS}).patience(1, coming=3) == pytest.approx(0)


def test_an_hour_of_quiet_is_soon_forgotten() -> None:
    wait = BatchWait(8, 1.0, PAIRS)
    for now in (0.0, *(3600 + 0.002 * number for number in range(40))):
        wait.arrived(now)
    assert wait.patience(1, coming=0) == pytest.approx(0.003)


def test_the_setting_bounds_every_wait() -> None:
    assert waiting_room(0.0001, longest=0.002).patience(1, coming=7) == 0.002


def test_a_full_batch_waits_for_nobody() -> None:
    assert waiting_room(0.0001).patience(8, coming=5) == 0


def test_what_batches_cost_is_learnt_from_those_that_ran() -> None:
    wait = waiting_room(0.001)
    for _ in range(60):
        wait.ran(1, 0.001)
        wait.ran(2, 0.002)
        wait.ran(3, 0.004)
        wait.ran(7, 0.008)
    assert wait.patience(1, coming=0) == pytest.approx(0, abs=1e-4)


def test_a_pause_makes_the_next_frame_a_lone_one() -> None:
    wait = waiting_room(0.001)
    wait.arrived(60.0)
    assert wait.patience(1, coming=0) == 0


FRAMES = 1000
DECODE_SECONDS = 0.002
"""A frame is known to be coming for so long before it is in the queue."""
Patience = Callable[[BatchWait, int, int], float]
POLICIES: dict[str, Patience] = {
    "never": lambda _wait, _waiting, _coming: 0.0,
    "always": lambda _wait, waiting, _coming: 0.0 if waiting >= 8 else 0.02,
    "adaptive": lambda wait, waiting, coming: wait.patience(waiting, coming),
}


def mean_seconds(policy: Patience, next_frame: Callable[[float], float], callers: int) -> float:
    """Mean time from arrival to answer on one device with `COSTS`. A caller's next frame comes at `next_frame` of its
    answer;."""
    arrivals = [next_frame(0.0) for _ in range(callers)]
    heapq.heapify(arrivals)
    wait, queue, free, held = BatchWait(8, 0.02, COSTS), list[float](), 0.0, list[float]()
    while len(held) < FRAMES:
        queue.append(heapq.heappop(arrivals))
        wait.arrived(queue[-1])
        start = max(free, queue[-1])
        begins = start
        while len(queue) < 8 and arrivals:
            now = max(start, queue[-1])
            coming = sum(arrival <= now + DECODE_SECONDS for arrival in arrivals)
            begins = max(now, start + policy(wait, len(queue), coming))
            if arrivals[0] > begins:
                break
            queue.append(heapq.heappop(arrivals))
            wait.arrived(queue[-1])
        seconds = COSTS[next(size for size in COSTS if size >= len(queue))]
        free = (max(start, queue[-1]) if len(queue) == 8 else begins) + seconds
        wait.ran(len(queue), seconds)
        for arrived in queue:
            held.append(free - arrived)
            heapq.heappush(arrivals, next_frame(free))
        queue.clear()
    return sum(held) / len(held)


def strangers(frames_a_second: float) -> Callable[[float], float]:
    """Frames that come at random, whatever became of the earlier ones."""
    dice, last = random.Random(7), [0.0]

    def next_frame(_answered_at: float) -> float:
        last[0] += dice.expovariate(frames_a_second)
        return last[0]

    return next_frame


def callers(thinking_seconds: float) -> Callable[[float], float]:
    """Each sends its next frame soon after its answer."""
    dice = random.Random(7)
    return lambda answered_at: answered_at + dice.uniform(0, 2 * thinking_seconds)


def compare(make: Callable[[], Callable[[float], float]], count: int) -> dict[str, float]:
    return {name: mean_seconds(policy, make(), count) for name, policy in POLICIES.items()}


@pytest.mark.parametrize("frames_a_second", [5, 80, 250])
def test_frames_of_strangers_are_answered_no_later_for_the_wait(frames_a_second: float) -> None:
    seconds = compare(lambda: strangers(frames_a_second), 64)
    assert seconds["adaptive"] <= 1.01 * seconds["never"], seconds


@pytest.mark.parametrize("count", [1, 2, 4, 8, 12])
@pytest.mark.parametrize("thinking_seconds", [0.001, 0.010])
def test_callers_in_turns_are_answered_no_later_for_the_wait(count: int, thinking_seconds: float) -> None:
    seconds = compare(lambda: callers(thinking_seconds), count)
    assert seconds["adaptive"] <= 1.01 * seconds["never"], seconds


def test_callers_who_come_back_soon_are_answered_sooner_for_being_waited_for() -> None:
    seconds = compare(lambda: callers(0.001), 4)
    assert seconds["adaptive"] < 0.8 * seconds["never"], seconds


def test_a_fixed_wait_would_delay_lone_frames() -> None:
    seconds = compare(lambda: strangers(5), 64)
    assert seconds["always"] > 2 * seconds["adaptive"], seconds
