"""Threads for frames: ends go before beginnings, and every step's future tells what became of it."""

import subprocess
import sys
import threading
import weakref
from concurrent.futures import CancelledError

import pytest

from service.frame_threads import FrameThreads
from tests.support.waiting import wait_until

DEADLINE_SECONDS = 60.0


def hold(threads: FrameThreads) -> threading.Event:
    """Keep the one thread busy until the event is set."""
    release, busy = threading.Event(), threading.Event()

    def wait() -> None:
        busy.set()
        assert release.wait(DEADLINE_SECONDS)

    threads.begin(wait)
    assert busy.wait(DEADLINE_SECONDS)
    return release


def test_what_ends_a_frame_goes_before_what_begins_one_and_each_in_its_order(threads: FrameThreads) -> None:
    release, order = hold(threads), list[str]()
    submitted = [
        submit(lambda name=name: order.append(name))
        for submit, name in (
            (threads.begin, "begin 1"),
            (threads.end, "end 1"),
            (threads.begin, "begin 2"),
            (threads.end, "end 2"),
        )
    ]
    release.set()
    for step in submitted:
        step.result(DEADLINE_SECONDS)
    assert order == ["end 1", "end 2", "begin 1", "begin 2"]


def test_a_step_that_fails_tells_its_own_future_and_the_thread_lives_on(threads: FrameThreads) -> None:
    def fail() -> None:
        raise ValueError("this step")

    with pytest.raises(ValueError, match="this step"):
        threads.begin(fail).result(DEADLINE_SECONDS)
    assert threads.end(lambda: None).result(DEADLINE_SECONDS) is None


def test_a_shutdown_cancels_what_waits_and_lets_the_rest_end(threads: FrameThreads) -> None:
    release = hold(threads)
    waiting = [threads.begin(lambda: None), threads.end(lambda: None)]
    threads.shutdown()
    for step in waiting:
        with pytest.raises(CancelledError):
            step.result(0)
    release.set()
    with pytest.raises(RuntimeError, match="shutdown"):
        threads.begin(lambda: None)


def test_an_idle_thread_keeps_nothing_of_its_last_step(threads: FrameThreads) -> None:
    class Frame:
        def decode(self) -> None: ...

    frame = Frame()
    gone = weakref.ref(frame)
    threads.begin(frame.decode).result(DEADLINE_SECONDS)
    del frame
    wait_until(lambda: gone() is None, "the thread still holds its last step")


def test_who_waits_for_a_shutdown_waits_for_the_step_that_runs(threads: FrameThreads) -> None:
    release, ended = hold(threads), list[str]()
    last = threading.Thread(target=lambda: (threads.shutdown(wait=True), ended.append("all")))
    last.start()
    last.join(0.2)
    assert ended == []
    release.set()
    last.join(DEADLINE_SECONDS)
    assert ended == ["all"]


def test_a_process_that_ends_in_the_middle_of_a_step_ends_cleanly() -> None:
    script = """
import threading, time
from service.frame_threads import FrameThreads
begun = threading.Event()
FrameThreads(1).begin(lambda: (begun.set(), time.sleep(0.5), print("ended")))
assert begun.wait(30)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ended\n", "")
