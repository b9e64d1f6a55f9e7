"""A package on disk -> a model that is verified, reproduces its golden outputs, and is warm."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.backends import Backend
from service.backends.buckets import buckets_for
from service.backends.choice import Choice
from service.backends.golden import GoldenCheck, GoldenSet, check_golden
from service.backends.providers import choose_provider
from service.backends.remembered import remembered_choice
from service.errors import PackageError, ProviderUnavailable
from service.manifest.agreement import Agreement
from service.manifest.package import Package
from service.manifest.schema import Manifest
from service.settings import Settings

log = logging.getLogger(__name__)

_WARM_UP_RUNS = 3
"""A CUDA graph is captured after two."""

OpenBackend = Callable[[Package, Settings], Choice]


def open_best(
    package: Package,
    settings: Settings,
    *,
    lanes: int | None = None,
    find_provider: Callable[[str], str] = choose_provider,
) -> Choice:
    """The fastest backend that the settings allow and that gives the golden masks, measured or remembered.

    Without `lanes` it is the fastest one for a frame that is alone, and `Choice.open_under_load` opens what several
    frames run on. With it, as many runs go on beside each other on a CPU, each on `settings.threads` threads of its
    own: for who has many frames and as many threads to call `run` from, like a video. A frame's probabilities are the
    same either way.

    With `auto`, a GPU that ONNX Runtime can't use (no CUDA libraries, its memory full, say) is left alone, with a
    warning that says why.
    What was asked for by name is never replaced: raises ProviderUnavailable, or PackageError when the masks differ.
    """
    asked: str = settings.provider
    provider = find_provider("cpu" if (settings.backend, asked) == ("openvino", "auto") else asked)
    try:
        return remembered_choice(package, settings, provider, lanes=lanes)
    except ProviderUnavailable as error:
        if settings.provider != "auto" or provider == "cpu":
            raise
        log.warning("%s runs on the CPU although a GPU is here: %s", package.label, error)
        return remembered_choice(package, settings, "cpu", lanes=lanes)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A verified and warm model. `golden` says how close it came to its golden outputs."""

    package: Package
    choice: Choice
    golden: Agreement
    run_seconds: dict[int, float]
    """What a run took once warm, by its number of frames."""

    @property
    def backend(self) -> Backend:
        return self.choice.backend

    def open_under_load(self) -> Backend | None:
        """What frames that are not alone run on, opened and held against the golden masks now. None where one run at a
        time answers as many, and where it does not hold, which is logged: then all frames run on `backend`."""
        if self.choice.open_under_load is None:
            return None
        try:
            return self.choice.open_under_load()
        except Exception as error:  # noqa: BLE001 - whatever it is, frames are answered without lanes too
            log.warning("%s runs frames one by one, under load too: %s", self.label, error)
            return None

    @property
    def manifest(self) -> Manifest:
        return self.package.manifest

    @property
    def label(self) -> str:
        return self.package.label


def load_model(package: Package, settings: Settings, open_backend: OpenBackend = open_best) -> LoadedModel:
    """Verify checksums, open the backend, reproduce the golden outputs, warm up; raises StartError."""
    package.verify()
    choice = open_backend(package, settings)
    golden = package.golden()
    check = choice.golden or check_golden(package, choice.backend, golden)
    _require(package, choice.backend, check)
    run_seconds = _warm_up(package, choice.backend, golden)
    return LoadedModel(package, choice, check.agreement, run_seconds)


def _require(package: Package, backend: Backend, check: GoldenCheck, batch: int = 1) -> None:
    if check.refused is not None:
        how = f"{backend.name} {backend.provider} {backend.precision}{f' in batches of {batch}' * (batch > 1)}"
        raise PackageError(f"{package.label} on {how}: {check.refused}")


def _warm_up(package: Package, backend: Backend, golden: GoldenSet) -> dict[int, float]:
    """Seconds of a run by batch size, after every size ran on every GPU and gave the golden masks on one at least.

    Raises PackageError when a batch gives other masks: a graph captured for one size and replayed for another would.
    """
    seconds = {}
    for size in buckets_for(backend.max_batch):
        batch = np.resize(golden[0], (size, *golden[0].shape[1:]))
        for _ in range(_WARM_UP_RUNS * backend.lanes if size > 1 or backend.lanes > 1 else 1):
            started_at = time.perf_counter()
            backend.run(batch)
            seconds[size] = time.perf_counter() - started_at
        if size > 1:
            _require(package, backend, check_golden(package, backend, golden, size), size)
    return seconds


def packages_on_disk(models_dir: Path, name: str) -> dict[int, Path]:
    """Versions of one model and their folders, lowest first."""
    folder = models_dir / name
    found = {int(path.name): path for path in folder.glob("*") if path.name.isdecimal() and path.is_dir()}
    return dict(sorted(found.items()))


def names_on_disk(models_dir: Path) -> list[str]:
    """Models that have at least one version."""
    folders = models_dir.glob("[a-z0-9]*") if models_dir.is_dir() else ()
    return sorted(path.name for path in folders if packages_on_disk(models_dir, path.name))
