"""Where a run goes: a frame that is alone has all of a CPU's threads, several have a lane each.

Threads of one run wait for each other at every layer, and wait longer when decoding and encoding take the cores
meanwhile. So lanes answer more frames, and one run on all threads answers a lone frame sooner.
"""

from service.backends import Backend


class Lanes:
    """Knows what runs. Not safe for threads: its owner holds a lock."""

    def __init__(self, alone: Backend) -> None:
        self._alone = alone
        self._under_load: Backend | None = None
        self._runs = {alone: 0}

    def add(self, under_load: Backend) -> None:
        """What runs go to from now on that are not alone."""
        self._under_load = under_load
        self._runs[under_load] = 0

    @property
    def under_load(self) -> Backend:
        """What runs go to that are not alone."""
        return self._under_load or self._alone

    @property
    def most_runs(self) -> int:
        """Runs that can go on beside each other."""
        return max(backend.lanes for backend in self._runs)

    def choose(self, company: int) -> Backend | None:
        """What a run may begin on now, None while it has to wait; `company` are the frames that wait besides, or are
        being decoded.

        A run on all threads is let finish by itself: beside it a lane would take its cores and hold it up.
        """
        if self._under_load is None:
            chosen = self._alone
        elif self._runs[self._alone]:
            return None
        else:
            chosen = self._under_load if company or self._runs[self._under_load] else self._alone
        return chosen if self._runs[chosen] < chosen.lanes else None

    def begin(self, backend: Backend) -> None:
        self._runs[backend] += 1

    def end(self, backend: Backend) -> None:
        self._runs[backend] -= 1
