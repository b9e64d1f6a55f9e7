"""Device threads that a test hands frames to, without a house around them."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np

from service.batching.device_threads import DeviceThreads
from service.batching.tickets import Inference, Item, Priority
from service.imaging.geometry import U8
from tests.support.gate import DEADLINE_SECONDS, GatedBackend

BAD = (1, 2, 3)
"""RGB of a frame that the backend fails on."""


def numbered(number: int) -> U8:
    """A frame uint8 [4, 6, 3] that the backend can tell from others; red, so it is a tool, when the number is even."""
    frame = np.zeros((4, 6, 3), np.uint8)
    frame[..., 0] = 255 if number % 2 == 0 else 0
    frame[..., 2] = number
    return frame


def result(future: "Future[Inference]") -> U8:
    return future.result(DEADLINE_SECONDS).probabilities


class Devices:
    """`sizes` are those of the batches that ran."""

    def __init__(self, backend: GatedBackend, wait_seconds: float, run_seconds: dict[int, float]) -> None:
        self.backend = backend
        self.sizes: list[int] = []
        self.threads = DeviceThreads(backend, "red/1", 8, wait_seconds, run_seconds, self.sizes.append)

    def expect(self, priority: Priority = Priority.FRAMES) -> Item:
        item = Item(priority)
        self.threads.expect(item)
        return item

    def send(self, frame: U8, priority: Priority = Priority.FRAMES) -> "Future[Inference]":
        return self.threads.submit(self.expect(priority), frame)

    def occupy(self) -> "Future[Inference]":
        """Hold the device with frame 0, so that what is sent next has to wait."""
        self.backend.hold()
        first = self.send(numbered(0))
        self.await_run()
        return first

    def await_run(self) -> None:
        assert self.backend.entered.acquire(timeout=DEADLINE_SECONDS)


@contextmanager
def open_devices(
    *,
    max_batch: int = 1,
    lanes: int = 1,
    wait_seconds: float = 0.0,
    run_seconds: dict[int, float] | None = None,
    backend: GatedBackend | None = None,
) -> Iterator[Devices]:
    """Closed at the end, when none of its threads may be left."""
    backend = backend or GatedBackend(max_batch=max_batch, fails_on=BAD)
    backend.lanes = lanes
    before = set(threading.enumerate())
    devices = Devices(backend, wait_seconds, run_seconds or {})
    try:
        yield devices
    finally:
        backend.release()
        devices.threads.close(DEADLINE_SECONDS)
    ended_late = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("device ")]
    assert ended_late == []
