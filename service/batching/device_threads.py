"""A model's device threads, one for each GPU or lane: they take turns, group waiting frames into batches and run them.

They know nothing of who may be in the house. A frame is expected, submitted, and answered by its future, or withdrawn
before a thread has taken it.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from service.backends import Backend
from service.batching.batch_wait import BatchWait
from service.batching.lanes import Lanes
from service.batching.queues import Queues
from service.batching.runs import Runs
from service.batching.tickets import Inference, Item, Priority
from service.errors import NotReady
from service.imaging.geometry import U8


class DeviceThreads:
    """One lock guards the queues, what runs where and what batches cost; nothing runs and no future is answered under
    it. Two conditions share it: threads without work wait for `_turn`, the one that gathers a batch for `_company`.

    Whatever lets one more run begin wakes one thread, and a thread that begins one wakes the next if there is work and
    room for another. So a frame wakes one thread, and none sleeps while it could run a frame.
    """

    def __init__(
        self,
        backend: Backend,
        label: str,
        max_batch: int,
        batch_wait_seconds: float,
        run_seconds: dict[int, float],
        on_batch: Callable[[int], None],
    ) -> None:
        self._label = label
        self._max_batch = max(1, min(max_batch, backend.max_batch))
        self._on_batch = on_batch
        self._runs = Runs(label, self._note_run)
        self._lock = threading.Lock()
        self._turn = threading.Condition(self._lock)
        self._company = threading.Condition(self._lock)
        self._queues = Queues()
        self._lanes = Lanes(backend)
        self._wait = BatchWait(self._max_batch, batch_wait_seconds, run_seconds)
        self._gathering = False
        self._threads: list[threading.Thread] = []
        self.closed = False
        with self._lock:
            self._start_threads()

    def _start_threads(self) -> None:
        for lane in range(len(self._threads), self._lanes.most_runs):
            thread = threading.Thread(target=self._work, name=f"device {self._label} {lane}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def add_lanes(self, under_load: Backend) -> None:
        """From now on frames that are not alone run on `under_load`, as many at once as it has lanes."""
        with self._lock:
            if not self.closed:
                self._lanes.add(under_load)
                self._start_threads()

    @property
    def under_load(self) -> Backend:
        """What frames run on that are not alone."""
        return self._lanes.under_load

    @property
    def most_runs(self) -> int:
        """Runs that can go on beside each other."""
        return len(self._threads)

    @property
    def alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def waiting(self, priority: Priority) -> int:
        """Frames that are queued."""
        return self._queues.waiting(priority)

    def expect(self, item: Item) -> None:
        """It is being decoded, and is company that a batch may wait for."""
        with self._lock:
            self._queues.expect(item)

    def submit(self, item: Item, frame: U8) -> "Future[Inference]":
        """Queue an expected frame, model input uint8 [h, w, 3], or none that was withdrawn meanwhile; raises NotReady
        once closed."""
        with self._lock:
            if self.closed:
                raise NotReady(f"{self._label} is being unloaded; ask again")
            if self._queues.submit(item, frame):
                self._wait.arrived(item.submitted_at)
                self._company.notify()
                self._wake_next()
        return item.future

    def withdraw(self, item: Item) -> bool:
        """Whether that came before a thread took it: then the caller answers its future."""
        with self._lock:
            withdrawn = self._queues.withdraw(item)
            if withdrawn:
                self._company.notify()
            return withdrawn

    def close(self, timeout_seconds: float) -> None:
        """End the threads; queued frames fail with NotReady. A run on the device is waited for."""
        with self._lock:
            self.closed = True
            left = self._queues.clear()
            self._turn.notify_all()
            self._company.notify()
        for item in left:
            item.fail(NotReady(f"{self._label} was unloaded before this frame's turn; ask again"))
        ends_at = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))

    def _work(self) -> None:
        while self._serve_next():
            pass

    def _serve_next(self) -> bool:
        """Whether there was a batch. Its frames are let go with it, not held until the next one comes."""
        turn = self._next_turn()
        if turn is None:
            return False
        backend, batch = turn
        answers = self._runs.run(backend, batch)
        with self._lock:
            self._lanes.end(backend)
            self._wake_next()
        for item, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Inference):
                item.future.set_result(answer)
            else:
                item.future.set_exception(answer)
        return True

    def _next_turn(self) -> tuple[Backend, list[Item]] | None:
        """Wait for work and for room on the device; where to run which items, or None once closed."""
        with self._lock:
            while not self.closed:
                if self._free() is None:
                    self._turn.wait()
                    continue
                self._gather()
                backend = self._free()
                if backend is not None and (batch := self._queues.take(self._max_batch)):
                    self._lanes.begin(backend)
                    self._wake_next()
                    return backend, batch
            return None

    def _free(self) -> Backend | None:
        """What may run the next frame now; None without a frame, and while a thread gathers a batch that it joins."""
        queued = self._queues.queued
        return self._lanes.choose(queued - 1 + self._queues.expected) if queued and not self._gathering else None

    def _wake_next(self) -> None:
        if self._free() is not None:
            self._turn.notify()

    def _gather(self) -> None:
        """Wait for company for as long as that pays. One thread does; others have what it leaves."""
        self._gathering = True
        since = time.perf_counter()
        while not self.closed and 0 < (waiting := self._queues.queued) < self._max_batch:
            left = since + self._wait.patience(waiting, self._queues.expected) - time.perf_counter()
            if left <= 0 or not self._company.wait(left):
                break
        self._gathering = False

    def _note_run(self, frames: int, seconds: float) -> None:
        with self._lock:
            self._wait.ran(frames, seconds)
        self._on_batch(frames)
