"""How many frames a model may hold: many while callers take turns, few once more frames come than can be answered.

Sixteen callers that each wait for their answer keep a long queue and lose nothing by it. When frames come faster than
they are answered, the queue is only delay: then it is held as short as the promised time allows.
"""

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 1.0
"""Frames asked for and answered are compared over this time."""
BURST_SECONDS = 0.05 * WINDOW_SECONDS
"""Frames that come within this time are a burst, which may fill the house; who comes on top is refused alone."""
OVERLOAD = 2.0
"""So many times more frames asked for than answered are too many."""
PATIENCE = 3.5
"""Under overload a frame is held this many times as long as one that is alone: sending and refusing cost time too,
and five times is promised."""
BESIDES = 1
"""At least so many are held besides those on the device: decoded or encoded meanwhile."""
_WEIGHT = 0.1


class Admission:
    """Not safe for threads: its owner holds a lock. `alone_seconds` is a guess at a lone frame's time in the house."""

    def __init__(self, most: int, alone_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.overloaded = False
        self._alone_seconds = alone_seconds
        self._seen_alone = False
        self._clock = clock
        self._asked: deque[float] = deque()
        self._answered: deque[float] = deque()

    def asked(self, held: int) -> None:
        """A frame came, let in or not, while so many were held. A full house is the beginning of an overload when
        frames come too fast for longer than a burst, and answers tell how fast they leave; it ends when they don't come
        too fast, or when one comes to an empty house after a pause. A house that is empty for a moment while they
        come is none: opened to all, it would be filled with frames that can't be answered in time."""
        now = self._clock()
        paused = not self._asked or now - self._asked[-1] > BURST_SECONDS
        self._asked.append(now)
        self._forget()
        too_many = len(self._asked) > OVERLOAD * len(self._answered)
        goes_on = self.overloaded and not (held == 0 and paused)
        self.overloaded = too_many and (goes_on or (held >= self.most and self._lasts(now)))

    def _lasts(self, now: float) -> bool:
        """Too many had come before a burst could have begun."""
        earlier = sum(asked_at < now - BURST_SECONDS for asked_at in self._asked)
        return bool(self._answered) and earlier > OVERLOAD * len(self._answered)

    def answered(self, seconds: float, *, alone: bool) -> None:
        """A frame left after so long, not refused; `alone` when it has its mask and no other was there meanwhile."""
        self._answered.append(self._clock())
        if alone:
            weight = _WEIGHT if self._seen_alone else 1.0
            self._alone_seconds += weight * (seconds - self._alone_seconds)
            self._seen_alone = True

    def limit(self, runs: int) -> int:
        """Frames that may be held, `runs` of them on the device at once, each by itself. Under overload, as many as
        leave within the promised time (Little's law)."""
        if not self.overloaded or self._alone_seconds <= 0:
            return self.most
        return min(self.most, max(runs + BESIDES, int(PATIENCE * self._alone_seconds * self._rate())))

    def _rate(self) -> float:
        """Frames answered a second, since the first one that is remembered: after a quiet time that is no whole
        window ago."""
        if not self._answered:
            return 0.0
        since = min(times[0] for times in (self._asked, self._answered) if times)
        return len(self._answered) / max(BURST_SECONDS, self._clock() - since)

    def _forget(self) -> None:
        since = self._clock() - WINDOW_SECONDS
        for times in (self._asked, self._answered):
            while times and times[0] < since:
                times.popleft()
