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
ONSET_SECONDS = 2 * BURST_SECONDS
"""An overload that begins in a steady load shows within this time."""
OVERLOAD = 2.0
"""So many times more frames asked for than answered are too many."""
PATIENCE = 3.5
"""Under overload a frame is held this many times as long as one that is alone: sending and refusing cost time too,
and five times is promised."""
BESIDES = 1
"""At least so many are held besides those on the device: decoded or encoded meanwhile."""
_FEW = 8
"""So few frames may come in a short time by chance."""
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
        self._earlier = 0
        """So many of the answers are older than the overload: they tell how fast frames leave, not whether too many
        come."""

    def asked(self, held: int) -> None:
        """A frame came, let in or not, while so many were held. A full house is the beginning of an overload when
        frames come too fast for longer than a burst, and answers tell how fast they leave; it ends when they don't come
        too fast, or when one comes to an empty house after a pause. A house that is empty for a moment while they
        come is none: opened to all, it would be filled with frames that can't be answered in time."""
        now = self._clock()
        paused = not self._asked or now - self._asked[-1] > BURST_SECONDS
        self._asked.append(now)
        self._forget(now - WINDOW_SECONDS)
        if self.overloaded:
            too_many = len(self._asked) > OVERLOAD * (len(self._answered) - self._earlier)
            self.overloaded = too_many and not (held == 0 and paused)
        elif held >= self.most and self._answered and (begun_at := self._beginning(now)) is not None:
            self.overloaded = True
            _drop(self._asked, begun_at)
            self._earlier = sum(answered_at < begun_at for answered_at in self._answered)

    def _beginning(self, now: float) -> float | None:
        """Since when too many come, if they do. A tenth of a second tells where many came in both its halves, since the
        answers of an earlier load would hide it for longer; else it takes the whole second."""
        burst, onset, window = (now - seconds for seconds in (BURST_SECONDS, ONSET_SECONDS, WINDOW_SECONDS))
        if self._too_many(onset, burst, _FEW) and self._too_many(burst, now, _FEW):
            return onset
        return window if self._too_many(window, burst) else None

    def _too_many(self, since: float, until: float, few: int = 0) -> bool:
        """Whether more came between than leave since."""
        came = sum(since <= asked_at <= until for asked_at in self._asked)
        left = sum(since <= answered_at for answered_at in self._answered)
        return came > max(few, OVERLOAD * left)

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

    def _forget(self, before: float) -> None:
        _drop(self._asked, before)
        self._earlier = max(0, self._earlier - _drop(self._answered, before))


def _drop(times: deque[float], before: float) -> int:
    """How many were older."""
    count = 0
    while times and times[0] < before:
        times.popleft()
        count += 1
    return count
