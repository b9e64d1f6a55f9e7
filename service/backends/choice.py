"""`auto`: open what a package could run on, drop what gives other masks, keep the fastest.

Candidates take turns, so that what else the machine does meets all alike, and the shortest time of each counts: other
work can only add to it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.backends import Backend
from service.backends.busy import CpuTimes, cpu_times, load_per_core
from service.backends.candidates import Candidate, OpenCandidate, Opening, candidates_for, open_candidate
from service.backends.golden import GoldenCheck, GoldenSet, check_golden
from service.errors import EndomaskError, InferenceFailed, PackageError, ProviderUnavailable, StartError
from service.manifest.package import Package
from service.settings import Settings

log = logging.getLogger(__name__)

FEWER_THREADS_GAIN = 0.9
"""Fewer threads must take at most this share of the time: on a machine that is busy meanwhile all look alike."""
ROUNDS = 7
HOPELESS_ROUNDS = 2
HOPELESS = 2.0
"""After so many rounds who takes this many times the fastest one's time is out: its turns are most of the wait."""
MEASURE_SECONDS = 2.0
"""A slow model is measured in fewer rounds: no new one begins after this long."""
BUSY_SHARE = 0.2
"""Others' part of all cores while we measured from which the choice is worth a second look."""


class Measured(Candidate):
    """A candidate and what came of it. Without `refused` it may serve."""

    chosen: bool = False
    milliseconds: float | None = None
    """Shortest run of one frame; unset for a candidate that may not serve."""
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
        dice = "" if self.dice is None else f", Dice {self.dice:.4f}"
        return f"{self}: {self.milliseconds:.1f} ms, {self.changed_share:.3%} of golden pixels change class{dice}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend that serves, and the table that it was chosen from."""

    backend: Backend
    candidates: tuple[Measured, ...] = ()
    golden: GoldenCheck | None = None
    """How the backend answered the golden frames, where that was asked already."""
    busy_share: float = 0.0
    """Part of all cores that others used while the candidates were measured."""


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
class _Opened:
    """A candidate after its golden check: with a backend it agrees, else `error` says why not."""

    measured: Measured
    backend: Backend | None = None
    check: GoldenCheck | None = None
    error: EndomaskError | None = None


@dataclass(frozen=True, slots=True)
class _Timed:
    opened: _Opened
    milliseconds: float

    @property
    def measured(self) -> Measured:
        return self.opened.measured

    def line(self, *, chosen: bool) -> Measured:
        return self.measured.model_copy(update={"chosen": chosen, "milliseconds": round(self.milliseconds, 3)})


def choose(package: Package, settings: Settings, provider: str, bench: Bench = HERE) -> Choice:
    """Measure every candidate on `provider`; raises StartError when none of them opens and agrees."""
    before = bench.cpu_times()
    trial = _Trial(package, Opening.of(settings), bench)
    opened = [trial.open(candidate) for candidate in candidates_for(package, settings, provider)]
    refused = [entry for entry in opened if entry.backend is None]
    if len(refused) == len(opened):
        raise _nothing_serves(package, refused)
    best, *others = sorted(trial.race(opened), key=lambda entry: entry.milliseconds)
    if not settings.threads and provider == "cpu":
        best, *tried = trial.try_fewer_threads(best)
        others = tried + others
    lines = [
        best.line(chosen=True),
        *(entry.line(chosen=False) for entry in others),
        *(entry.measured for entry in refused),
    ]
    for line in lines:
        log.log(logging.WARNING if line.refused else logging.INFO, "%s on %s", package.label, line.describe())
    busy_share = bench.cpu_times().others_share(before)
    if busy_share > BUSY_SHARE:
        log.warning(
            "%s: other processes used %.0f%% of the processor while it was measured; a start that finds it quiet "
            "measures again",
            package.label,
            100 * busy_share,
        )
    return _choice(best.opened, tuple(lines), busy_share)


class _Trial:
    """Opens and times candidates of one package, whose golden frames are read once."""

    def __init__(self, package: Package, opening: Opening, bench: Bench) -> None:
        self._package = package
        self._opening = opening
        self._bench = bench
        self._golden: GoldenSet = package.golden()

    def open(self, candidate: Candidate) -> _Opened:
        line = Measured.model_validate(_without_result(candidate).model_dump())
        try:
            backend = self._bench.open_one(self._package, candidate, self._opening)
            check = check_golden(self._package, backend, self._golden)
        except EndomaskError as error:
            return _Opened(line.model_copy(update={"refused": str(error)}), error=error)
        found = {"changed_share": check.agreement.changed_share, "dice": check.dice, "refused": check.refused}
        return _Opened(line.model_copy(update=found), backend if check.refused is None else None, check)

    def race(self, opened: list[_Opened]) -> list[_Timed]:
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
        return [_Timed(opened[index], milliseconds) for index, milliseconds in shortest.items()]

    def _time(self, backend: Backend) -> float:
        """Milliseconds of a run after another one of the same backend, whose threads are then awake."""
        frame = self._golden[0][:1]
        backend.run(frame)
        started_at = self._bench.clock()
        backend.run(frame)
        return 1000 * (self._bench.clock() - started_at)

    def try_fewer_threads(self, best: _Timed) -> list[_Timed]:
        """Halve the fastest one's threads for as long as that is clearly faster: a small net on many cores, or on two
        threads of each core, spends its time on their meetings. The best comes first, then the others tried."""
        tried: list[_Timed] = []
        while best.measured.threads > 1:
            fewer = _without_result(best.measured).model_copy(update={"threads": best.measured.threads // 2})
            opened = self.open(fewer)
            if opened.backend is None:
                break
            before, after = self.race([best.opened, opened])
            if after.milliseconds > FEWER_THREADS_GAIN * before.milliseconds:
                return [before, after, *tried]
            best, tried = after, [before, *tried]
        return [best, *tried]


def reopen(
    package: Package, candidates: tuple[Measured, ...], settings: Settings, bench: Bench, busy_share: float
) -> Choice:
    """Open the chosen one of candidates measured earlier; raises StartError or InferenceFailed when it does not open
    or gives other masks."""
    chosen = next(line for line in candidates if line.chosen)
    opened = _Trial(package, Opening.of(settings), bench).open(chosen)
    if opened.backend is None:
        raise opened.error or PackageError(f"{package.label} on {chosen}: {opened.measured.refused}")
    return _choice(opened, candidates, busy_share)


def _choice(opened: _Opened, candidates: tuple[Measured, ...], busy_share: float) -> Choice:
    if opened.backend is None:
        raise ValueError("a refused candidate can't serve")
    return Choice(opened.backend, candidates, opened.check, busy_share)


def _without_result(line: Candidate) -> Candidate:
    return Candidate.model_validate(line.model_dump(include=set(Candidate.model_fields)))


def _nothing_serves(package: Package, refused: list[_Opened]) -> StartError:
    """The one candidate's own error, or one that names them all. A GPU that fails on the golden frames (its memory is
    full, say) can't be used either."""
    reasons = "; ".join(f"{entry.measured}: {entry.measured.refused}" for entry in refused)
    if len(refused) == 1 and isinstance(refused[0].error, StartError):
        return refused[0].error
    if all(_is_unavailable(entry) for entry in refused):
        return ProviderUnavailable(f"{package.label} runs on nothing here: {reasons}")
    return PackageError(f"{package.label} runs on nothing here: {reasons}")


def _is_unavailable(entry: _Opened) -> bool:
    on_gpu = entry.measured.provider != "cpu"
    return isinstance(entry.error, ProviderUnavailable) or (on_gpu and isinstance(entry.error, InferenceFailed))
