"""`auto`: open what a package could run on, drop what gives other masks, keep the fastest; on a CPU, see whether lanes
of it answer more frames a second when several are there."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from service.backends import Backend
from service.backends.candidates import Opening, candidates_for
from service.backends.golden import GoldenCheck
from service.backends.trial import HERE, Bench, Measured, Opened, Trial
from service.errors import InferenceFailed, PackageError, ProviderUnavailable, StartError
from service.manifest.package import Package
from service.settings import Settings

log = logging.getLogger(__name__)
BUSY_SHARE = 0.2
"""Others' part of all cores while we measured from which the choice is worth a second look."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend that serves, and the table that it was chosen from."""

    backend: Backend
    candidates: tuple[Measured, ...] = ()
    golden: GoldenCheck | None = None
    """How the backend answered the golden frames, where that was asked already."""
    busy_share: float = 0.0
    """Part of all cores that others used while the candidates were measured."""
    open_under_load: Callable[[], Backend] | None = None
    """Opens what frames that are not alone run on, and holds it against the golden masks; raises StartError or
    InferenceFailed. None where one run at a time answers as many."""


def choose(
    package: Package, settings: Settings, provider: str, bench: Bench = HERE, lanes: int | None = None
) -> Choice:
    """Measure every candidate on `provider`; raises StartError when none of them opens and agrees.

    `lanes` gives each candidate so many on a CPU, under load or not; None finds out what is best under load.
    """
    before = bench.cpu_times()
    trial = Trial(package, Opening.of(settings), bench)
    opened = [trial.open(candidate) for candidate in candidates_for(package, settings, provider, lanes or 1)]
    refused = [entry for entry in opened if entry.backend is None]
    if len(refused) == len(opened):
        raise _nothing_serves(package, refused)
    best, *others = sorted(trial.race(opened), key=lambda entry: entry.milliseconds)
    if not settings.threads and provider == "cpu":
        best, *tried = trial.try_fewer_threads(best)
        others = tried + others
    alone, *divided = trial.divide(best.opened, opened[0].measured.threads) if lanes is None else [best.opened]
    lines = [
        replace(best, opened=alone).line(chosen=True),
        *(entry.measured for entry in divided if entry.measured.refused is None),
        *(entry.line(chosen=False) for entry in others),
        *(entry.measured for entry in [*refused, *divided] if entry.measured.refused is not None),
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
    later = _under_load(package, settings, bench, lines)
    return Choice(_require(package, alone), tuple(lines), alone.check, busy_share, later)


def reopen(
    package: Package, candidates: tuple[Measured, ...], settings: Settings, bench: Bench, busy_share: float
) -> Choice:
    """Open the chosen one of candidates measured earlier; raises StartError or InferenceFailed when it does not open
    or gives other masks. What runs under load is opened when it is asked for."""
    alone = next(line for line in candidates if line.chosen)
    opened = Trial(package, Opening.of(settings), bench).open(alone)
    later = _under_load(package, settings, bench, candidates)
    return Choice(_require(package, opened), candidates, opened.check, busy_share, later)


def _under_load(
    package: Package, settings: Settings, bench: Bench, candidates: Sequence[Measured]
) -> Callable[[], Backend] | None:
    line = next((line for line in candidates if line.chosen_under_load), None)
    return None if line is None else partial(_open, package, settings, bench, line)


def _open(package: Package, settings: Settings, bench: Bench, line: Measured) -> Backend:
    """Opened and held against the golden frames, which are read anew: nobody keeps them meanwhile."""
    return _require(package, Trial(package, Opening.of(settings), bench).open(line))


def _require(package: Package, opened: Opened) -> Backend:
    """Raise why a candidate may not serve."""
    if opened.backend is None:
        raise opened.error or PackageError(f"{package.label} on {opened.measured}: {opened.measured.refused}")
    return opened.backend


def _nothing_serves(package: Package, refused: list[Opened]) -> StartError:
    """The one candidate's own error, or one that names them all. A GPU that fails on the golden frames (its memory is
    full, say) can't be used either."""
    reasons = "; ".join(f"{entry.measured}: {entry.measured.refused}" for entry in refused)
    if len(refused) == 1 and isinstance(refused[0].error, StartError):
        return refused[0].error
    if all(_is_unavailable(entry) for entry in refused):
        return ProviderUnavailable(f"{package.label} runs on nothing here: {reasons}")
    return PackageError(f"{package.label} runs on nothing here: {reasons}")


def _is_unavailable(entry: Opened) -> bool:
    on_gpu = entry.measured.provider != "cpu"
    return isinstance(entry.error, ProviderUnavailable) or (on_gpu and isinstance(entry.error, InferenceFailed))
