"""Frames run in batches, in their order, on every lane; each is answered, whatever happens to its neighbours."""

import threading
import time
import weakref

import numpy as np
import pytest

from service.batching.tickets import Priority
from service.errors import InferenceFailed, NotReady
from service.imaging.geometry import U8
from tests.support.devices import BAD, numbered, open_devices, result
from tests.support.gate import DEADLINE_SECONDS, GatedBackend

PATIENT = 3600
"""Seconds: a batch that waits so long for company was forgotten."""


def test_each_frame_of_a_batch_gets_its_own_mask() -> None:
    with open_devices(max_batch=8) as devices:
        devices.occupy()
        futures = [devices.send(numbered(number)) for number in range(1, 6)]
        devices.backend.release()
        assert [int(result(future).max()) for future in futures] == [0, 255, 0, 255, 0]
        assert devices.backend.seen == [0, 1, 2, 3, 4, 5]
        assert devices.sizes == [1, 5]


def test_a_batch_is_never_larger_than_the_backend_takes() -> None:
    with open_devices(max_batch=2) as devices:
        devices.occupy()
        futures = [devices.send(numbered(number)) for number in range(1, 6)]
        devices.backend.release()
        for future in futures:
            result(future)
        assert devices.sizes == [1, 2, 2, 1]


def test_a_batch_is_counted_before_its_frames_are_answered() -> None:
    counted = list[int]()
    with open_devices() as devices:
        devices.occupy()
        future = devices.send(numbered(1))
        future.add_done_callback(lambda _: counted.extend(devices.sizes))
        devices.backend.release()
        result(future)
    assert counted == [1, 1]


def test_every_gpu_takes_batches_of_its_own() -> None:
    with open_devices(lanes=3) as devices:
        devices.backend.hold()
        futures = [devices.send(numbered(2)) for _ in range(4)]
        for _ in range(3):
            devices.await_run()
        assert devices.threads.waiting(Priority.FRAMES) == 1
        devices.backend.release()
        assert [result(future).max() for future in futures] == [255] * 4
    assert not devices.threads.alive


def test_live_frames_go_before_single_frames_and_those_before_video() -> None:
    with open_devices() as devices:
        devices.occupy()
        futures = [
            devices.send(numbered(1), Priority.VIDEO),
            devices.send(numbered(2), Priority.FRAMES),
            devices.send(numbered(3), Priority.LIVE),
            devices.send(numbered(4), Priority.FRAMES),
        ]
        assert devices.threads.waiting(Priority.FRAMES) == 2
        devices.backend.release()
        for future in futures:
            result(future)
        assert devices.backend.seen == [0, 3, 2, 4, 1]


def test_a_frame_cancelled_before_its_turn_never_reaches_the_device() -> None:
    with open_devices() as devices:
        devices.occupy()
        cancelled, kept = devices.send(numbered(1)), devices.send(numbered(2))
        assert cancelled.cancel()
        devices.backend.release()
        result(kept)
        assert devices.backend.seen == [0, 2]


def test_a_frame_withdrawn_before_its_turn_never_reaches_the_device() -> None:
    with open_devices() as devices:
        devices.occupy()
        item = devices.expect()
        devices.threads.submit(item, numbered(1))
        kept = devices.send(numbered(2))
        assert devices.threads.withdraw(item)
        devices.backend.release()
        result(kept)
        assert devices.backend.seen == [0, 2]


def test_a_frame_that_is_running_answers_even_if_its_caller_tried_to_cancel() -> None:
    with open_devices() as devices:
        running = devices.occupy()
        waiting = devices.send(numbered(2))
        assert not running.cancel()
        devices.backend.release()
        assert result(running).max() == 255
        assert result(waiting).max() == 255


def test_the_device_thread_outlives_a_failure() -> None:
    with open_devices() as devices:
        with pytest.raises(InferenceFailed):
            result(devices.send(np.full((4, 6, 3), BAD, np.uint8)))
        assert devices.threads.alive
        assert result(devices.send(numbered(2))).max() == 255


def test_a_lone_frame_waits_for_no_company() -> None:
    with open_devices(max_batch=8, wait_seconds=PATIENT) as devices:
        assert result(devices.send(numbered(2))).max() == 255


def test_a_batch_waits_for_a_frame_that_is_being_decoded() -> None:
    with open_devices(max_batch=8, wait_seconds=PATIENT) as devices:
        coming = devices.expect()
        early = devices.send(numbered(2))
        assert not devices.backend.entered.acquire(timeout=0.2), "the device did not wait"
        late = devices.threads.submit(coming, numbered(4))
        result(early)
        result(late)
        assert devices.sizes == [2]


def test_a_batch_waits_no_longer_for_a_frame_that_was_withdrawn() -> None:
    with open_devices(max_batch=8, wait_seconds=PATIENT) as devices:
        coming = devices.expect()
        early = devices.send(numbered(2))
        assert not devices.backend.entered.acquire(timeout=0.2), "the device did not wait"
        assert devices.threads.withdraw(coming)
        result(early)


def test_a_batch_that_lost_its_frames_makes_way_for_the_next() -> None:
    with open_devices(max_batch=8, wait_seconds=PATIENT) as devices:
        coming, item = devices.expect(), devices.expect()
        devices.threads.submit(item, numbered(2))
        assert not devices.backend.entered.acquire(timeout=0.2), "the device did not wait"
        assert devices.threads.withdraw(item)
        assert devices.threads.withdraw(coming)
        assert result(devices.send(numbered(4))).max() == 255
        assert devices.backend.seen == [4]


def test_what_a_full_batch_leaves_goes_to_another_gpu_meanwhile() -> None:
    with open_devices(max_batch=2, lanes=2, wait_seconds=PATIENT) as devices:
        devices.backend.hold()
        devices.expect()
        for number in (1, 2, 3, 4):
            devices.send(numbered(number))
        for _ in range(2):
            devices.await_run()


class Meeting(GatedBackend):
    """A run ends when all lanes are at one."""

    def __init__(self, lanes: int) -> None:
        super().__init__()
        self.lanes = lanes
        self._all_here = threading.Barrier(lanes)

    def run(self, frames: U8) -> U8:
        self._all_here.wait(DEADLINE_SECONDS)
        return super().run(frames)


def test_every_lane_has_a_frame_as_soon_as_a_lone_run_has_ended() -> None:
    lanes = 8
    with open_devices() as devices:
        devices.threads.add_lanes(Meeting(lanes))
        devices.occupy()
        futures = [devices.send(numbered(number)) for number in range(lanes)]
        devices.backend.release()
        for future in futures:
            result(future)
        assert devices.backend.seen == [0]


def test_a_frame_does_not_wait_while_another_ones_answer_is_being_made() -> None:
    made = threading.Event()
    with open_devices() as devices:
        under_load = GatedBackend()
        under_load.lanes = 2
        devices.threads.add_lanes(under_load)
        first = devices.occupy()
        first.add_done_callback(lambda _: made.wait())
        second = devices.send(numbered(1))
        devices.backend.release()
        try:
            second.result(DEADLINE_SECONDS)
        finally:
            made.set()


def test_lanes_may_come_while_frames_run() -> None:
    with open_devices() as devices:
        running = devices.occupy()
        under_load = Meeting(2)
        devices.threads.add_lanes(under_load)
        assert devices.threads.under_load is under_load
        futures = [devices.send(numbered(number)) for number in (1, 2)]
        devices.backend.release()
        for future in (running, *futures):
            result(future)
        assert sorted(under_load.seen) == [1, 2]


def test_closing_fails_the_waiting_frames_and_lets_the_running_one_end() -> None:
    with open_devices() as devices:
        running = devices.occupy()
        waiting, coming = devices.send(numbered(1)), devices.expect()
        devices.threads.close(timeout_seconds=0)
        with pytest.raises(NotReady, match="unloaded before this frame's turn"):
            result(waiting)
        with pytest.raises(NotReady, match="is being unloaded"):
            devices.threads.submit(coming, numbered(3))
        devices.backend.release()
        assert result(running).max() == 255


def test_closing_ends_idle_threads_and_one_that_gathers_a_batch() -> None:
    before = set(threading.enumerate())
    with open_devices(max_batch=8, lanes=8, wait_seconds=PATIENT) as devices:
        devices.expect()
        waiting = devices.send(numbered(1))
        assert not devices.backend.entered.acquire(timeout=0.2), "the device did not wait"
        devices.threads.close(DEADLINE_SECONDS)
        assert set(threading.enumerate()) <= before
        with pytest.raises(NotReady):
            result(waiting)


def test_times_say_how_long_a_frame_waited_and_ran() -> None:
    with open_devices() as devices:
        devices.occupy()
        before = time.perf_counter()
        waiting = devices.send(numbered(1))
        devices.backend.release()
        inference = waiting.result(DEADLINE_SECONDS)
        assert inference.queue_seconds > 0
        assert inference.infer_seconds > 0
        assert inference.queue_seconds + inference.infer_seconds <= time.perf_counter() - before


@pytest.mark.usefixtures("no_collector")
def test_a_thread_without_work_holds_no_frame() -> None:
    with open_devices() as devices:
        frame = numbered(2)
        held = weakref.ref(frame)
        result(devices.send(frame))
        del frame
        ends_at = time.monotonic() + DEADLINE_SECONDS
        while held() is not None and time.monotonic() < ends_at:
            time.sleep(0.001)
        assert held() is None
