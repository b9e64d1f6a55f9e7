"""A worker's sweeps, beside its heartbeat."""

import threading

from service.video.workers.worker import Sweeper

DEADLINE_SECONDS = 60


def test_a_sweep_that_fails_does_not_stop_the_other() -> None:
    swept = threading.Event()

    def fail() -> None:
        raise OSError("the disk hiccups")

    sweeper = Sweeper([fail, swept.set])
    sweeper.sweep_if_due()
    sweeper.wait(DEADLINE_SECONDS)
    assert swept.is_set()


def test_a_long_sweep_is_not_waited_for_and_begun_once() -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def sweep() -> None:
        begun.release()
        go_on.wait(DEADLINE_SECONDS)

    sweeper = Sweeper([sweep], every_seconds=0)
    sweeper.sweep_if_due()
    assert begun.acquire(timeout=DEADLINE_SECONDS)
    sweeper.sweep_if_due()
    sweeper.wait(0.01)
    assert not begun.acquire(blocking=False)
    go_on.set()
    sweeper.wait(DEADLINE_SECONDS)
    sweeper.sweep_if_due()
    assert begun.acquire(timeout=DEADLINE_SECONDS)
    sweeper.wait(DEADLINE_SECONDS)


def test_a_short_sweep_is_not_repeated_at_once() -> None:
    rounds: list[int] = []
    sweeper = Sweeper([lambda: rounds.append(1)])
    for _ in range(3):
        sweeper.sweep_if_due()
        sweeper.wait(DEADLINE_SECONDS)
    assert rounds == [1]
