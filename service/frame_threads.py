"""Threads that decode and encode frames: what ends a frame goes before what begins one.

In one line for both, the first answer of a crowd would wait until its last frame was decoded, and an overload would be
noticed as late.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

Step: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    step: Step
    done: "Future[None]" = field(default_factory=Future)

    def take(self) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        try:
            self.step()
        except BaseException as error:  # noqa: BLE001 - the future tells it
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


class FrameThreads:
    """`threads` of them; each step's future tells its end, and is cancelled when they are shut down before its turn."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="frame")
        self._changing = threading.Lock()
        self._beginnings: deque[_Waiting] = deque()
        self._ends: deque[_Waiting] = deque()

    def begin(self, step: Step) -> "Future[None]":
        """Raises RuntimeError after a shutdown."""
        return self._submit(_Waiting(step), self._beginnings)

    def end(self, step: Step) -> "Future[None]":
        """Before all that begins; raises RuntimeError after a shutdown."""
        return self._submit(_Waiting(step), self._ends)

    def shutdown(self, *, wait: bool = False) -> None:
        """Cancel what waits; what runs is waited for with `wait`."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._changing:
            left = [*self._ends, *self._beginnings]
            self._ends.clear()
            self._beginnings.clear()
        for waiting in left:
            waiting.done.cancel()
        if wait:
            self._pool.shutdown(wait=True)

    def _submit(self, waiting: _Waiting, queue: deque[_Waiting]) -> "Future[None]":
        with self._changing:
            self._pool.submit(self._take_next)
            queue.append(waiting)
        return waiting.done

    def _take_next(self) -> None:
        """There are as many calls of this as there are steps."""
        with self._changing:
            queue = self._ends or self._beginnings
            waiting = queue.popleft() if queue else None
        if waiting is not None:
            waiting.take()
