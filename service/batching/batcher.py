"""Who is let in to a model's device threads, and who is sent away.

A frame takes a ticket before it is decoded (a full house is refused there, at once), submits its pixels, and holds the
ticket until its answer is made.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.backends import Backend
from service.batching.admission import Admission
from service.batching.device_threads import DeviceThreads
from service.batching.tickets import Item, Priority, Ticket
from service.errors import NotReady, Overloaded

_ALONE_OVER_RUN = 2.0
"""First guess, until a lone frame came by: it is in the house twice as long as on the device."""


class Batcher:
    """The house of a model's frames, and the door to its device threads: `run_seconds` says what a batch of so many
    frames takes, as far as it is known; `on_batch` is told the size of every batch that ran, from a device thread;
    overload is judged by `clock`.

    Its lock guards the tickets and the admission. The device threads' lock may be taken under it, never the other way
    round, and nobody's callback runs under either.
    """

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
        run_seconds = run_seconds or {}
        self._label = label
        self._max_frames = max_frames
        self._devices = DeviceThreads(backend, label, max_batch, batch_wait_seconds, run_seconds, on_batch)
        self._lock = threading.Lock()
        self._admission = Admission(max_frames, _ALONE_OVER_RUN * run_seconds.get(1, 0.0), clock)
        """Of single frames; a live stream sends one frame at a time, and so does a video."""
        self._inside: dict[Priority, dict[Ticket, Item]] = {priority: {} for priority in Priority}
        """Tickets that were not refused, oldest first."""
        self._ever_admitted = 0

    def add_lanes(self, under_load: Backend) -> None:
        """From now on frames that are not alone run on `under_load`, as many at once as it has lanes."""
        self._devices.add_lanes(under_load)

    @property
    def under_load(self) -> Backend:
        """What frames run on that are not alone."""
        return self._devices.under_load

    @property
    def alive(self) -> bool:
        return self._devices.alive

    def waiting(self, priority: Priority) -> int:
        """Frames that wait for the device."""
        return self._devices.waiting(priority)

    def close(self, timeout_seconds: float = 10.0) -> None:
        """End the device threads; frames that still wait fail with NotReady. A run on the device is waited for."""
        self._devices.close(timeout_seconds)

    def check_room(self, priority: Priority) -> None:
        """Raise Overloaded when a frame would be refused now, NotReady when the model is going away."""
        with self._lock:
            full = len(self._inside[priority]) >= self._limit(priority)
        if full:
            self._note_asked(priority)
        with self._lock:
            self._require_room(priority)

    @contextmanager
    def admit(self, priority: Priority) -> Iterator[Ticket]:
        """A ticket for one frame, or Overloaded at once. A frame that waits for the device is cancelled at the end."""
        self._note_asked(priority)
        with self._lock:
            self._require_room(priority)
            alone = not any(self._inside.values())
            item = Item(priority)
            self._devices.expect(item)
            ticket = Ticket(item, self._devices.submit, self._is_alone)
            self._inside[priority][ticket] = item
            self._ever_admitted += 1
            number = self._ever_admitted
        entered_at, good = time.perf_counter(), False
        try:
            yield ticket
            good = True
        finally:
            with self._lock:
                refused = self._inside[priority].pop(ticket, None) is None
                if priority is Priority.FRAMES and not refused:
                    seconds = time.perf_counter() - entered_at
                    self._admission.answered(seconds, alone=good and alone and number == self._ever_admitted)
            ticket.leave()
            if self._devices.withdraw(item):
                item.future.cancel()

    def _is_alone(self) -> bool:
        with self._lock:
            return sum(map(len, self._inside.values())) <= 1

    def _limit(self, priority: Priority) -> int:
        return self._admission.limit(self._devices.most_runs) if priority is Priority.FRAMES else self._max_frames

    def _note_asked(self, priority: Priority) -> None:
        """Under overload, who came last and waits longer than is promised is refused rather than kept."""
        if priority is not Priority.FRAMES:
            return
        with self._lock:
            inside = self._inside[priority]
            self._admission.asked(len(inside))
            late = [*inside][self._limit(priority) :] if self._admission.overloaded else []
            refused = [self._put_out(ticket, priority) for ticket in late if self._devices.withdraw(inside[ticket])]
        for ticket, item, why in refused:
            ticket.refuse(why)
            item.fail(why)

    def _put_out(self, ticket: Ticket, priority: Priority) -> tuple[Ticket, Item, Overloaded]:
        why = self._overloaded(priority)
        return ticket, self._inside[priority].pop(ticket), why

    def _require_room(self, priority: Priority) -> None:
        if self._devices.closed:
            raise NotReady(f"{self._label} is being unloaded; ask again")
        if len(self._inside[priority]) >= self._limit(priority):
            raise self._overloaded(priority)

    def _overloaded(self, priority: Priority) -> Overloaded:
        held, limit = len(self._inside[priority]), self._limit(priority)
        why = "(ENDOMASK_MAX_QUEUED_FRAMES)" if limit >= self._max_frames else "while more come than can be answered"
        return Overloaded(f"{self._label} holds {held} frames already; the limit is {limit} {why}")
