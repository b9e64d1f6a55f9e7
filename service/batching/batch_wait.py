"""How long a batch waits for company: while what comes saves the device more time than it takes to come."""

from service.backends.buckets import bucket_of, buckets_for

_WEIGHT = 0.2
"""Of the newest value in the running means."""
_LONGEST_GAP_SECONDS = 1.0
"""Frames further apart are strangers whatever the wait; an hour of quiet must not outweigh the frames after it."""


class BatchWait:
    """Knows what batches cost and how fast frames arrive. Not safe for threads: its owner holds a lock."""

    def __init__(self, max_batch: int, longest_seconds: float, run_seconds: dict[int, float]) -> None:
        self._buckets = buckets_for(max_batch)
        self._max_batch = max_batch
        self._longest = longest_seconds
        self._cost = dict(run_seconds)
        self._last: float | None = None
        self._interval = float("inf")

    def arrived(self, now: float) -> None:
        """A frame joined the queue at `now` (seconds of any clock)."""
        if self._last is not None:
            gap = min(now - self._last, _LONGEST_GAP_SECONDS)
            self._interval = gap if self._interval == float("inf") else _mean(self._interval, gap)
        self._last = now

    def ran(self, frames: int, seconds: float) -> None:
        """A batch ran."""
        size = bucket_of(frames, self._buckets)
        self._cost[size] = _mean(self._cost.get(size, seconds), seconds)

    def patience(self, waiting: int, coming: int) -> float:
        """Seconds that `waiting` frames may wait in all; `coming` ones are being decoded and will be here.

        0 when no larger batch can be had in less time than it saves: a lone caller sends the next frame only after
        this one's answer, so its frames come further apart than a run takes.
        """
        best = 0.0
        for size in range(waiting + 1, self._max_batch + 1):
            saved = self._saved(waiting, size)
            strangers = size - waiting - coming
            if strangers <= 0 or strangers * self._interval <= saved < float("inf"):
                best = max(best, saved)
        return min(best, self._longest)

    def _saved(self, waiting: int, size: int) -> float:
        """Seconds by which all of `size` frames may be delayed before running those that wait now and the rest right
        after would have answered them sooner in the mean.

        Infinite while the costs are not known: what is on its way already is then waited for, strangers are not.
        """
        rest = size - waiting
        costs = [self._cost.get(bucket_of(frames, self._buckets)) for frames in (waiting, rest, size)]
        if None in costs:
            return float("inf")
        first, second, together = (cost for cost in costs if cost is not None)
        return (size * first + rest * second) / size - together


def _mean(before: float, newest: float) -> float:
    return before + _WEIGHT * (newest - before)
