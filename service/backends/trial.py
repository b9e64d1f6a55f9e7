"""Candidates at work: opened, held against the golden masks, and timed.

They take turns, so that what else the machine does meets all alike, and the shortest time of each counts: other work
can only add to it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from service.backends import Backend
from service.backends.busy import CpuTimes, cpu_times, load_per_core
from service.backends.candidates import Candidate, OpenCandidate, Opening, open_candidate
from service.backends.division import best_division, divisions, frames_per_second
from service.backends.golden import GoldenCheck, GoldenSet, check_golden
from service.errors import EndomaskError
from service.manifest.package import Package

FEWER_THREADS_GAIN = 0.9
"""Fewer threads must take at most this share of the time: on a machine that is busy meanwhile all look alike."""
ROUNDS = 7
RATE_ROUNDS = 3
HOPELESS_ROUNDS = 2
HOPELESS = 2.0
"""After so many rounds who takes this many times the fastest one's time is out: its turns are most of the wait."""
MEASURE_SECONDS = 2.0
"""A slow model is measured in fewer rounds: no new one begins after this long."""


class Measured(Candidate):
    """A candidate and what came of it. Without `refused` it may serve."""

    chosen: bool = False
    """Runs a frame that is alone, and every frame where none is chosen for those under load."""
    chosen_under_load: bool = False
    """Runs frames that are not alone."""
    milliseconds: float | None = None
    """Shortest run of one frame; unset for lanes, and for a candidate that may not serve."""
    frames_per_second: float | None = None
    """With every lane at work; set where lanes were tried."""
    changed_share: float | None = None
    """Share of the golden pixels that change class."""
    dice: float | None = None
    """Dice between the golden masks and its own, of the worst class; unset where the golden masks are too small."""
    refused: str | None = None
    """Why it may not serve."""

    def describe(self) -> str:
        """For a log or a terminal."""
        if self.refused is not None:
            return f"{self}: refused: {self.refused}"
        found = [] if self.milliseconds is None else [f"{self.milliseconds:.1f} ms"]
        found += [] if self.frames_per_second is None else [f"{self.frames_per_second:.1f} frames/s"]
        found += [f"{self.changed_share:.3%} of golden pixels change class"]
        found += [] if self.dice is None else [f"Dice {self.dice:.4f}"]
        return f"{self}: {', '.join(found)}"


@dataclass(frozen=True, slots=True)
class Bench:
    """What candidates are opened and timed with."""

    open_one: OpenCandidate = open_candidate
    clock: Callable[[], float] = time.perf_counter
    cpu_times: Callable[[], CpuTimes] = cpu_times
    load_per_core: Callable[[], float] = load_per_core


HERE = Bench()
"""The real runtimes and the real time."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A candidate after its golden check: with a backend it agrees, else `error` says why not."""

    measured: Measured
    backend: Backend | None = None
    check: GoldenCheck | None = None
    error: EndomaskError | None = None

    def with_result(self, **updates: Any) -> "Opened":
        """The same with more known of it."""
        return replace(self, measured=self.measured.model_copy(update=updates))


@dataclass(frozen=True, slots=True)
class Timed:
    opened: Opened
    milliseconds: float

    @property
    def measured(self) -> Measured:
        return self.opened.measured

    def line(self, *, chosen: bool) -> Measured:
        return self.measured.model_copy(update={"chosen": chosen, "milliseconds": round(self.milliseconds, 3)})


class Trial:
    """Opens and times candidates of one package, whose golden frames are read once."""

    def __init__(self, package: Package, opening: Opening, bench: Bench) -> None:
        self._package = package
        self._opening = opening
        self._bench = bench
        self._golden: GoldenSet = package.golden()

    def open(self, candidate: Candidate) -> Opened:
        line = Measured.model_validate(without_result(candidate).model_dump())
        try:
            backend = self._bench.open_one(self._package, candidate, self._opening)
            check = check_golden(self._package, backend, self._golden)
        except EndomaskError as error:
            return Opened(line.model_copy(update={"refused": str(error)}), error=error)
        found = {"changed_share": check.agreement.changed_share, "dice": check.dice, "refused": check.refused}
        return Opened(line.model_copy(update=found), backend if check.refused is None else None, check)

    def race(self, opened: list[Opened]) -> list[Timed]:
        """The agreeing candidates and the shortest time of each, in turns."""
        running = {index: entry.backend for index, entry in enumerate(opened) if entry.backend is not None}
        shortest = dict.fromkeys(running, float("inf"))
        clock = self._bench.clock
        ends_at = clock() + MEASURE_SECONDS
        for turn in range(ROUNDS):
            for index, backend in running.items():
                shortest[index] = min(shortest[index], self._time(backend))
            if turn + 1 == HOPELESS_ROUNDS:
                limit = HOPELESS * min(shortest.values())
                running = {index: backend for index, backend in running.items() if shortest[index] <= limit}
            if clock() > ends_at:
                break
        return [Timed(opened[index], milliseconds) for index, milliseconds in shortest.items()]

    def _time(self, backend: Backend) -> float:
        """Milliseconds of a run after another one of the same backend, whose threads are then awake."""
        frame = self._golden[0][:1]
        backend.run(frame)
        started_at = self._bench.clock()
        backend.run(frame)
        return 1000 * (self._bench.clock() - started_at)

    def try_fewer_threads(self, best: Timed) -> list[Timed]:
        """Halve the fastest one's threads for as long as that is clearly faster: a small net on many cores, or on two
        threads of each core, spends its time on their meetings. The best comes first, then the others tried."""
        tried: list[Timed] = []
        while best.measured.threads > 1:
            fewer = without_result(best.measured).model_copy(update={"threads": best.measured.threads // 2})
            opened = self.open(fewer)
            if opened.backend is None:
                break
            before, after = self.race([best.opened, opened])
            if after.milliseconds > FEWER_THREADS_GAIN * before.milliseconds:
                return [before, after, *tried]
            best, tried = after, [before, *tried]
        return [best, *tried]

    def divide(self, alone: Opened, cores: int) -> list[Opened]:
        """The chosen one, and it in lanes: on one thread each, on two, ... Where one of those agrees, each has its
        frames a second, and the best under load, if that is one in lanes, is marked. Lanes are closed once measured: on
        many cores they are many sessions."""
        tried = [self._try_lanes(candidate, alone) for candidate in divisions(alone.measured, cores)]
        agreeing = [lanes for lanes, _ in tried if lanes.measured.refused is None]
        if not agreeing:
            return [alone, *(lanes for lanes, _ in tried)]
        alone_rate = max(rate for _, rate in tried)
        best = best_division([alone_rate, *(lanes.measured.frames_per_second or 0.0 for lanes in agreeing)])
        return [
            alone.with_result(frames_per_second=alone_rate),
            *(lanes.with_result(chosen_under_load=number == best) for number, lanes in enumerate(agreeing, start=1)),
            *(lanes for lanes, _ in tried if lanes.measured.refused is not None),
        ]

    def _try_lanes(self, candidate: Candidate, alone: Opened) -> tuple[Opened, float]:
        """Lanes and their frames a second, without their backend; the rate of the lone run in turns with them, 0 when
        they fail."""
        opened = self.open(candidate)
        if opened.backend is None or alone.backend is None:
            return opened, 0.0
        try:
            alone_rate, rate = self._rates([alone.backend, opened.backend])
        except EndomaskError as error:
            return replace(opened.with_result(refused=str(error)), backend=None, error=error), 0.0
        return replace(opened.with_result(frames_per_second=round(rate, 1)), backend=None), round(alone_rate, 1)

    def _rates(self, backends: list[Backend]) -> list[float]:
        """The best rate of each, in turns."""
        best = [0.0] * len(backends)
        ends_at = self._bench.clock() + MEASURE_SECONDS
        for _ in range(RATE_ROUNDS):
            for index, backend in enumerate(backends):
                rate = frames_per_second(backend, self._golden[0][:1], self._bench.clock)
                best[index] = max(best[index], rate)
            if self._bench.clock() > ends_at:
                break
        return best


def without_result(line: Candidate) -> Candidate:
    return Candidate.model_validate(line.model_dump(include=set(Candidate.model_fields)))
