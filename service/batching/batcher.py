"""A model's device threads, one for each GPU or lane: group waiting frames into batches, and give every frame its own
fate.

A frame takes a ticket before it is decoded (a full house is refused there, at once), submits its pixels, and holds the
ticket until its answer is made. Live frames go before single frames, those before video.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np

from service.backends import Backend
from service.batching.admission import Admission
from service.batching.batch_wait import BatchWait
from service.batching.lanes import Lanes
from service.batching.tickets import Inference, Item, Priority, Ticket
from service.errors import EndomaskError, InferenceFailed, NotReady, Overloaded
from service.imaging.geometry import U8

log = logging.getLogger(__name__)


_ALONE_OVER_RUN = 2.0
"""First guess, until a lone frame came by: it is in the house twice as long as on the device."""


class Batcher:
    """`run_seconds` says what a batch of so many frames takes, as far as it is known; `on_batch` is told the size of
    every batch that ran, from a device thread; overload is judged by `clock`."""

    def __init__(
        self,
        backend: Backend,
        label: str,
        *,
        max_frames: int,
        max_batch: int = 1,
        batch_wait_seconds: float = 0.0,
        run_seconds: dict[int, float] | None = None,
        on_batch: Callable[[int], None] = lambda _size: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lanes = Lanes(backend)
        self._label = label
        self._max_frames = max_frames
        self._max_batch = max(1, min(max_batch, backend.max_batch))
        self._wait = BatchWait(self._max_batch, batch_wait_seconds, run_seconds or {})
        alone_seconds = _ALONE_OVER_RUN * (run_seconds or {}).get(1, 0.0)
        self._admission = Admission(max_frames, alone_seconds, clock)
        """Of single frames; a live stream sends one frame at a time, and so does a video."""
        self._on_batch = on_batch
        self._changed = threading.Condition()
        self._queues: dict[Priority, deque[Item]] = {priority: deque() for priority in Priority}
        self._inside: dict[Priority, dict[Ticket, None]] = {priority: {} for priority in Priority}
        """Tickets that were not refused, oldest first."""
        self._ever_admitted = 0
        self._coming = 0
        """Admitted frames that were not yet submitted: company that a batch may wait for."""
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._start_threads()

    def _start_threads(self) -> None:
        self._admission.runs = self._lanes.most_runs
        for lane in range(len(self._threads), self._lanes.most_runs):
            thread = threading.Thread(target=self._work, name=f"device {self._label} {lane}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def add_lanes(self, under_load: Backend) -> None:
        """From now on frames that are not alone run on `under_load`, as many at once as it has lanes."""
        with self._changed:
            if not self._closed:
                self._lanes.add(under_load)
                self._start_threads()

    @property
    def under_load(self) -> Backend:
        """What frames run on that are not alone."""
        return self._lanes.under_load

    @property
    def alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def waiting(self, priority: Priority) -> int:
        """Frames that wait for the device."""
        return len(self._queues[priority])

    def check_room(self, priority: Priority) -> None:
        """Raise Overloaded when a frame would be refused now, NotReady when the model is going away."""
        with self._changed:
            if len(self._inside[priority]) >= self._limit(priority):
                self._note_asked(priority)
            self._require_room(priority)

    def _limit(self, priority: Priority) -> int:
        return self._admission.limit if priority is Priority.FRAMES else self._max_frames

    def _note_asked(self, priority: Priority) -> None:
        """Under overload, who came last and waits longer than is promised is refused rather than kept."""
        if priority is not Priority.FRAMES:
            return
        inside = self._inside[priority]
        self._admission.asked(len(inside))
        if self._admission.overloaded:
            for ticket in [*inside][self._admission.limit :]:
                self._refuse(ticket)

    def _refuse(self, ticket: Ticket) -> None:
        """Unless the device has it."""
        queue, item = self._queues[ticket.priority], ticket.item
        if item is not None and item not in queue:
            return
        refusal = self._overloaded(ticket.priority)
        del self._inside[ticket.priority][ticket]
        ticket.refuse(refusal)
        if item is not None:
            queue.remove(item)
            item.fail(refusal)

    def _require_room(self, priority: Priority) -> None:
        if self._closed:
            raise NotReady(f"{self._label} is being unloaded; ask again")
        if len(self._inside[priority]) >= self._limit(priority):
            raise self._overloaded(priority)

    def _overloaded(self, priority: Priority) -> Overloaded:
        held, limit = len(self._inside[priority]), self._limit(priority)
        why = "(ENDOMASK_MAX_QUEUED_FRAMES)" if limit >= self._max_frames else "while more come than can be answered"
        return Overloaded(f"{self._label} holds {held} frames already; the limit is {limit} {why}")

    @contextmanager
    def admit(self, priority: Priority) -> Iterator[Ticket]:
        """A ticket for one frame, or Overloaded at once."""
        with self._changed:
            self._note_asked(priority)
            self._require_room(priority)
            alone = not any(self._inside.values())
            ticket = Ticket(self._submit, self._is_alone, priority)
            self._inside[priority][ticket] = None
            self._ever_admitted += 1
            number = self._ever_admitted
            self._coming += 1
        entered_at, good = time.perf_counter(), False
        try:
            yield ticket
            good = True
        finally:
            with self._changed:
                if priority is Priority.FRAMES and ticket.refusal is None:
                    seconds = time.perf_counter() - entered_at
                    self._admission.answered(seconds, alone=good and alone and number == self._ever_admitted)
                self._leave(ticket)

    def _is_alone(self) -> bool:
        with self._changed:
            return sum(map(len, self._inside.values())) <= 1

    def _leave(self, ticket: Ticket) -> None:
        """Out of the house, and out of the queue when its caller has cancelled it."""
        self._inside[ticket.priority].pop(ticket, None)
        queue, item = self._queues[ticket.priority], ticket.item
        ticket.leave()
        if item is None:
            self._coming -= 1
        elif item.future.cancelled() and item in queue:
            queue.remove(item)
        else:
            return
        self._changed.notify_all()

    def close(self, timeout_seconds: float = 10.0) -> None:
        """End the device threads; frames that still wait fail with NotReady. A run on the device is waited for."""
        with self._changed:
            self._closed = True
            left = [item for queue in self._queues.values() for item in queue]
            for queue in self._queues.values():
                queue.clear()
            self._changed.notify_all()
        for item in left:
            item.fail(NotReady(f"{self._label} was unloaded before this frame's turn; ask again"))
        ends_at = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))

    def _submit(self, frame: U8, ticket: Ticket) -> "Future[Inference]":
        item = Item(frame, Future(), time.perf_counter())
        with self._changed:
            if self._closed:
                raise NotReady(f"{self._label} is being unloaded; ask again")
            ticket.check()
            ticket.item = item
            self._coming -= 1
            self._queues[ticket.priority].append(item)
            self._wait.arrived(item.submitted_at)
            self._changed.notify_all()
        return item.future

    def _work(self) -> None:
        while (turn := self._next_turn()) is not None:
            backend, batch = turn
            answers = self._run(backend, batch) if batch else []
            with self._changed:
                self._lanes.end(backend)
                self._changed.notify_all()
            for item, answer in zip(batch, answers, strict=True):
                if isinstance(answer, Inference):
                    item.future.set_result(answer)
                else:
                    item.future.set_exception(answer)

    def _next_turn(self) -> tuple[Backend, list[Item]] | None:
        """Wait for work and for room on the device; where to run which items, or None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._free() is not None)
            if self._closed or (backend := self._free()) is None:
                return None
            self._lanes.begin(backend)
            self._gather()
            return backend, self._take()

    def _free(self) -> Backend | None:
        """What may run the next frame now; None without one."""
        queued = self._queued()
        return self._lanes.choose(queued - 1 + self._coming) if queued else None

    def _take(self) -> list[Item]:
        """The items whose callers still want them."""
        taken: list[Item] = []
        for queue in self._queues.values():
            while queue and len(taken) < self._max_batch:
                item = queue.popleft()
                if item.future.set_running_or_notify_cancel():
                    taken.append(item)
        return taken

    def _queued(self) -> int:
        return sum(map(len, self._queues.values()))

    def _gather(self) -> None:
        """Wait for company for as long as that pays. Another GPU's thread may take the frames meanwhile."""
        since = time.perf_counter()
        while not self._closed and 0 < (waiting := self._queued()) < self._max_batch:
            left = since + self._wait.patience(waiting, self._coming) - time.perf_counter()
            if left <= 0 or not self._changed.wait(left):
                return

    def _run(self, backend: Backend, batch: list[Item]) -> list[Inference | EndomaskError]:
        """Each frame's own; when the batch fails, its frames run one by one, so that only the bad one fails."""
        started_at = time.perf_counter()
        try:
            probabilities = self._infer(backend, _stack([item.frame for item in batch]))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers, and the thread lives on
            if len(batch) == 1:
                return [self._explain(error)]
            log.warning("%s failed on a batch of %d frames, trying them singly: %s", self._label, len(batch), error)
            return [answer for item in batch for answer in self._run(backend, [item])]
        infer_seconds = time.perf_counter() - started_at
        with self._changed:
            self._wait.ran(len(batch), infer_seconds)
        self._on_batch(len(batch))
        return [
            Inference(planes, started_at - item.submitted_at, infer_seconds)
            for item, planes in zip(batch, probabilities, strict=True)
        ]

    def _infer(self, backend: Backend, frames: U8) -> U8:
        probabilities = backend.run(frames)
        if len(probabilities) != len(frames):
            raise InferenceFailed(f"{self._label} gave {len(probabilities)} masks for {len(frames)} frames")
        return probabilities

    def _explain(self, error: Exception) -> EndomaskError:
        if isinstance(error, EndomaskError):
            return error
        explained = InferenceFailed(f"{self._label} failed on this frame")
        explained.__cause__ = error
        return explained


def _stack(frames: list[U8]) -> U8:
    """uint8 [h, w, 3] of each -> [n, h, w, 3], contiguous; one alone is not copied."""
    return np.ascontiguousarray(frames[0])[None] if len(frames) == 1 else np.stack(frames)
