"""A backend that a test can hold on the device, to see what happens meanwhile."""

import threading

from service.imaging.geometry import U8
from tests.support.red import FakeBackend

DEADLINE_SECONDS = 60


class GatedBackend(FakeBackend):
    """While `hold` is set, runs wait inside; `entered` says that one is there."""

    def __init__(self, max_batch: int = 1, fails_on: tuple[int, int, int] | None = None) -> None:
        super().__init__(max_batch=max_batch, fails_on=fails_on)
        self.entered = threading.Semaphore(0)
        self._open = threading.Event()
        self._open.set()
        self.seen: list[int] = []
        """First pixel's blue of every frame that ran, in order: tests number their frames there."""

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def release_those_inside(self) -> None:
        """Let them end that wait inside, and hold what comes after them."""
        left, self._open = self._open, threading.Event()
        left.set()

    def run(self, frames: U8) -> U8:
        gate = self._open
        self.seen.extend(int(value) for value in frames[:, 0, 0, 2])
        self.entered.release()
        if not gate.wait(DEADLINE_SECONDS):
            raise TimeoutError("the test never opened the gate")
        return super().run(frames)
