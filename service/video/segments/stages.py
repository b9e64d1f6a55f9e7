"""Stages that overlap: each runs in threads of its own and hands items on, in their order, through a bounded queue."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Full, Queue
from threading import Event, Lock, Thread
from typing import TypeVar, cast

T = TypeVar("T")
U = TypeVar("U")

_POLL_SECONDS = 0.1


class _End:
    pass


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


@dataclass(slots=True)
class StageClock:
    """What each stage took, summed over its threads. Computing that it leaves to others' threads (more than one for a
    codec, a net's lanes) or to the decoder's process is added by who knows of it."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Time at work by the clock."""
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    """Computing time."""
    _adding: Lock = field(default_factory=Lock)

    @contextmanager
    def at(self, stage: str) -> Iterator[None]:
        started, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - started, time.thread_time() - cpu)

    def over(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """The items; what it takes to get each of them is the stage's."""
        iterator = iter(items)
        while True:
            with self.at(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def add(self, stage: str, seconds: float, cpu_seconds: float) -> None:
        with self._adding:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
            self.cpu_seconds[stage] = self.cpu_seconds.get(stage, 0.0) + cpu_seconds


@contextmanager
def in_thread(items: Iterable[T], name: str, depth: int) -> Iterator[Iterator[T]]:
    """Iterate over `items` in a thread, at most `depth` ahead of who takes them; its errors are raised to the taker.

    Leaving the context stops the thread at its next item and waits for it.
    """
    queue: Queue[object] = Queue(depth)
    stopped = Event()
    thread = Thread(target=_fill, args=(items, queue, stopped), name=f"video-{name}", daemon=True)
    thread.start()
    try:
        yield cast(Iterator[T], _drain(queue))
    finally:
        stopped.set()
        thread.join()


def in_lanes(work: Callable[[T], U], items: Iterable[T], lanes: int) -> Iterator[U]:
    """What `work` makes of the items, in their order, in as many threads as there are lanes; one item more waits.

    An error is raised in its item's place. Leaving early waits for the items that were begun.
    """
    with ThreadPoolExecutor(lanes, "video-lane") as pool:
        begun: deque[Future[U]] = deque()
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > lanes:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def _fill(items: Iterable[T], queue: Queue[object], stopped: Event) -> None:
    try:
        for item in items:
            if not _put(queue, item, stopped):
                return
        _put(queue, _End(), stopped)
    except BaseException as error:  # noqa: BLE001  (raised again in the taker's thread)
        _put(queue, _Failure(error), stopped)


def _put(queue: Queue[object], item: object, stopped: Event) -> bool:
    """Wait for room; False when the taker has left."""
    while not stopped.is_set():
        try:
            queue.put(item, timeout=_POLL_SECONDS)
        except Full:
            continue
        return True
    return False


def _drain(queue: Queue[object]) -> Iterator[object]:
    while True:
        item = queue.get()
        if isinstance(item, _End):
            return
        if isinstance(item, _Failure):
            raise item.error
        yield item
