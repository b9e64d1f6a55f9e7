"""`auto`: open what a package could run on, drop what gives other masks, keep the fastest.

Candidates take turns, so that what else the machine does meets all alike, and the shortest time of each counts: other
work can only add to it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.backends import Backend
from service.backends.candidates import Candidate, OpenCandidate, candidates_for, open_candidate
from service.backends.golden import check_golden
from service.errors import EndomaskError, PackageError, ProviderUnavailable, StartError
from service.imaging.geometry import U8
from service.manifest.package import Package
from service.settings import Settings

log = logging.getLogger(__name__)

FEWER_THREADS_GAIN = 0.9
"""Fewer threads must take at most this share of the time: on a machine that is busy meanwhile all look alike."""
ROUNDS = 7
MEASURE_SECONDS = 2.0
"""A slow model is measured in fewer rounds: no new one begins after this long."""


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


@dataclass(frozen=True, slots=True)
class Bench:
    """What candidates are opened and timed with."""

    open_one: OpenCandidate = open_candidate
    clock: Callable[[], float] = time.perf_counter


HERE = Bench()
"""The real runtimes and the real time."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A candidate after its golden check: with a backend it agrees, else `error` says why not."""

    measured: Measured
    backend: Backend | None = None
    error: EndomaskError | None = None


@dataclass(frozen=True, slots=True)
class _Timed:
    backend: Backend
    measured: Measured
    milliseconds: float

    def line(self, *, chosen: bool) -> Measured:
        return self.measured.model_copy(update={"chosen": chosen, "milliseconds": round(self.milliseconds, 3)})


def choose(package: Package, settings: Settings, provider: str, bench: Bench = HERE) -> Choice:
    """Measure every candidate on `provider`; raises StartError when none of them opens and agrees."""
    opened = [
        _open(package, candidate, settings.max_batch_frames, bench)
        for candidate in candidates_for(package, settings, provider)
    ]
    refused = [entry for entry in opened if entry.backend is None]
    if len(refused) == len(opened):
        raise _nothing_serves(package, refused)
    best, *others = sorted(_race(opened, package.golden()[0][:1], bench.clock), key=lambda entry: entry.milliseconds)
    if not settings.threads and provider == "cpu":
        best, *tried = _try_fewer_threads(package, best, bench)
        others = tried + others
    lines = [
        best.line(chosen=True),
        *(entry.line(chosen=False) for entry in others),
        *(entry.measured for entry in refused),
    ]
    for line in lines:
        log.log(logging.WARNING if line.refused else logging.INFO, "%s on %s", package.label, line.describe())
    return Choice(best.backend, tuple(lines))


def open_chosen(package: Package, candidate: Candidate, max_batch: int, bench: Bench) -> Backend:
    """Open one candidate; raises StartError or InferenceFailed when it does not open or gives other masks."""
    opened = _open(package, candidate, max_batch, bench)
    if opened.backend is None:
        raise opened.error or PackageError(f"{package.label} on {candidate}: {opened.measured.refused}")
    return opened.backend


def _open(package: Package, candidate: Candidate, max_batch: int, bench: Bench) -> _Opened:
    line = Measured.model_validate(_without_result(candidate).model_dump())
    try:
        backend = bench.open_one(package, candidate, max_batch)
        check = check_golden(package, backend)
    except EndomaskError as error:
        return _Opened(line.model_copy(update={"refused": str(error)}), error=error)
    found = {"changed_share": check.agreement.changed_share, "dice": check.dice, "refused": check.refused}
    return _Opened(line.model_copy(update=found), backend if check.refused is None else None)


def _race(opened: list[_Opened], frame: U8, clock: Callable[[], float]) -> list[_Timed]:
    """The agreeing candidates and the shortest time of each, in turns. Every timed run follows one of the same
    backend, whose threads are then awake."""
    runners = [(entry.measured, entry.backend) for entry in opened if entry.backend is not None]
    shortest = [float("inf")] * len(runners)
    ends_at = clock() + MEASURE_SECONDS
    for _ in range(ROUNDS):
        for index, (_, backend) in enumerate(runners):
            backend.run(frame)
            started_at = clock()
            backend.run(frame)
            shortest[index] = min(shortest[index], 1000 * (clock() - started_at))
        if clock() > ends_at:
            break
    return [_Timed(backend, line, ms) for (line, backend), ms in zip(runners, shortest, strict=True)]


def _try_fewer_threads(package: Package, best: _Timed, bench: Bench) -> list[_Timed]:
    """Halve the fastest one's threads for as long as that is clearly faster: a small net on many cores, or on two
    threads of each core, spends its time on their meetings. The best comes first, then the others that were tried."""
    tried: list[_Timed] = []
    while best.measured.threads > 1:
        fewer = _without_result(best.measured).model_copy(update={"threads": best.measured.threads // 2})
        opened = _open(package, fewer, 1, bench)
        if opened.backend is None:
            break
        before, after = _race([_Opened(best.measured, best.backend), opened], package.golden()[0][:1], bench.clock)
        if after.milliseconds > FEWER_THREADS_GAIN * before.milliseconds:
            return [before, after, *tried]
        best, tried = after, [before, *tried]
    return [best, *tried]


def _without_result(line: Candidate) -> Candidate:
    return Candidate.model_validate(line.model_dump(include=set(Candidate.model_fields)))


def _nothing_serves(package: Package, refused: list[_Opened]) -> StartError:
    """The one candidate's own error, or one that names them all."""
    reasons = "; ".join(f"{entry.measured}: {entry.measured.refused}" for entry in refused)
    if len(refused) == 1 and isinstance(refused[0].error, StartError):
        return refused[0].error
    if all(isinstance(entry.error, ProviderUnavailable) for entry in refused):
        return ProviderUnavailable(f"{package.label} runs on nothing here: {reasons}")
    return PackageError(f"{package.label} runs on nothing here: {reasons}")
