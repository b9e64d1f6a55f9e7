"""The frames that wait for a device: live ones go before single ones, those before video."""

import time
from collections import deque

from service.batching.tickets import Item, Priority
from service.imaging.geometry import U8


class Queues:
    """Each item goes one way: expected, queued, taken. Until it is taken it may be withdrawn; it is in one place or in
    none, so whoever has got it out answers its future, alone. Not safe for threads: its owner holds a lock."""

    def __init__(self) -> None:
        self._expected: set[Item] = set()
        self._queues: dict[Priority, deque[Item]] = {priority: deque() for priority in Priority}

    @property
    def expected(self) -> int:
        """Frames that are being decoded: company that a batch may wait for."""
        return len(self._expected)

    @property
    def queued(self) -> int:
        return sum(map(len, self._queues.values()))

    def waiting(self, priority: Priority) -> int:
        """Queued frames of that priority."""
        return len(self._queues[priority])

    def expect(self, item: Item) -> None:
        self._expected.add(item)

    def submit(self, item: Item, frame: U8) -> bool:
        """Queue a frame, model input uint8 [h, w, 3]; False, and nothing is done, when it is not expected any more."""
        if item not in self._expected:
            return False
        self._expected.remove(item)
        item.frame, item.submitted_at = frame, time.perf_counter()
        self._queues[item.priority].append(item)
        return True

    def withdraw(self, item: Item) -> bool:
        """Whether it was still expected or queued, and is not any more."""
        queue = self._queues[item.priority]
        if item in self._expected:
            self._expected.remove(item)
        elif item in queue:
            queue.remove(item)
        else:
            return False
        return True

    def take(self, most: int) -> list[Item]:
        """The next ones whose callers still want them."""
        taken: list[Item] = []
        for queue in self._queues.values():
            while queue and len(taken) < most:
                item = queue.popleft()
                if item.future.set_running_or_notify_cancel():
                    taken.append(item)
        return taken

    def clear(self) -> list[Item]:
        """All that were queued."""
        left = [item for queue in self._queues.values() for item in queue]
        for queue in self._queues.values():
            queue.clear()
        return left
