"""Threads that decode and encode frames: what ends a frame goes before what begins one.

In one line for both, the first answer of a crowd would wait until its last frame was decoded, and an overload be
noticed as late. An executor of the standard library has one line, and takes four locks of its own for each step, at
which the event loop waited for a tenth of a millisecond on the mean while sixteen callers kept the threads busy.
"""

import atexit
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
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
        self._changed = threading.Condition()
        self._beginnings: deque[_Waiting] = deque()
        self._ends: deque[_Waiting] = deque()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"frame {number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.shutdown, wait=True)  # a step that the interpreter's end cut off would abort the process

    def begin(self, step: Step) -> "Future[None]":
        """Raises RuntimeError after a shutdown."""
        return self._submit(_Waiting(step), self._beginnings)

    def end(self, step: Step) -> "Future[None]":
        """Before all that begins; raises RuntimeError after a shutdown."""
        return self._submit(_Waiting(step), self._ends)

    def shutdown(self, *, wait: bool = False) -> None:
        """Cancel what waits; what runs is waited for with `wait`."""
        atexit.unregister(self.shutdown)
        with self._changed:
            self._closed = True
            left = [*self._ends, *self._beginnings]
            self._ends.clear()
            self._beginnings.clear()
            self._changed.notify_all()
        for waiting in left:
            waiting.done.cancel()
        if wait:
            for thread in self._threads:
                thread.join()

    def _submit(self, waiting: _Waiting, queue: deque[_Waiting]) -> "Future[None]":
        with self._changed:
            if self._closed:
                raise RuntimeError("no step is taken after a shutdown")
            queue.append(waiting)
            self._changed.notify()
        return waiting.done

    def _work(self) -> None:
        while (waiting := self._next()) is not None:
            waiting.take()
            del waiting  # or an idle thread would keep its last frame until the next one came

    def _next(self) -> _Waiting | None:
        """Wait for a step; None once shut down."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._ends or self._beginnings)
            queue = self._ends or self._beginnings
            return queue.popleft() if queue else None
