"""A package on disk -> a model that is verified, reproduces its golden outputs, and is warm."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.backends import Backend
from service.backends.cores import available_cores
from service.backends.onnxruntime import OnnxRuntimeBackend, choose_precision, choose_provider
from service.errors import PackageError, ProviderUnavailable
from service.manifest import GOLDEN_CHANGED_SHARE_LIMIT, Agreement, Manifest, Package, agreement
from service.settings import Settings

log = logging.getLogger(__name__)

OpenBackend = Callable[[Package, Settings], Backend]


def open_onnxruntime(
    package: Package, settings: Settings, *, choose: Callable[[str], str] = choose_provider
) -> Backend:
    """The package's file on the provider and in the precision that the settings ask for.

    With `auto`, a GPU that ONNX Runtime can't use (no CUDA libraries, say) is left alone, with a warning that says why.
    A provider asked for by name is never replaced: raises ProviderUnavailable.
    """
    provider = choose(settings.provider)
    try:
        return _open(package, settings, provider)
    except ProviderUnavailable as error:
        if settings.provider != "auto" or provider == "cpu":
            raise
        log.warning("%s runs on the CPU although a GPU is here: %s", package.label, error)
        return _open(package, settings, "cpu")


def _open(package: Package, settings: Settings, provider: str) -> Backend:
    return OnnxRuntimeBackend(
        package,
        provider=provider,
        precision=choose_precision(package, provider, settings.precision),
        threads=settings.threads or available_cores(),
        max_batch=settings.max_batch_frames,
    )


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A verified and warm model. `golden` says how close it came to its golden outputs."""

    package: Package
    backend: Backend
    golden: Agreement

    @property
    def manifest(self) -> Manifest:
        return self.package.manifest

    @property
    def label(self) -> str:
        return self.package.label


def load_model(package: Package, settings: Settings, open_backend: OpenBackend = open_onnxruntime) -> LoadedModel:
    """Verify checksums, open the backend, reproduce the golden outputs, warm up; raises StartError."""
    package.verify()
    backend = open_backend(package, settings)
    golden = _reproduce_golden(package, backend)
    _warm_up(package, backend)
    return LoadedModel(package, backend, golden)


def _reproduce_golden(package: Package, backend: Backend) -> Agreement:
    frames, expected = package.golden()
    actual = np.concatenate([backend.run(frame[None]) for frame in frames])
    if actual.shape != expected.shape:
        raise PackageError(
            f"{package.label}: golden outputs have shape {expected.shape}, the model gave {actual.shape}"
        )
    found = agreement(expected, actual, package.manifest.threshold)
    if found.changed_share > GOLDEN_CHANGED_SHARE_LIMIT:
        raise PackageError(
            f"{package.label}: {found.changed_share:.2%} of the golden pixels change class on {backend.name} "
            f"{backend.provider} {backend.precision}; the limit is {GOLDEN_CHANGED_SHARE_LIMIT:.2%}"
        )
    return found


def _warm_up(package: Package, backend: Backend) -> None:
    """The golden frames warmed up batches of one; the largest batch allocates what all others need."""
    if backend.max_batch > 1:
        entry = package.manifest.input
        backend.run(np.zeros((backend.max_batch, entry.height, entry.width, 3), np.uint8))


def packages_on_disk(models_dir: Path, name: str) -> dict[int, Path]:
    """Versions of one model and their folders, lowest first."""
    folder = models_dir / name
    found = {int(path.name): path for path in folder.glob("*") if path.name.isdecimal() and path.is_dir()}
    return dict(sorted(found.items()))


def names_on_disk(models_dir: Path) -> list[str]:
    """Models that have at least one version."""
    folders = models_dir.glob("[a-z0-9]*") if models_dir.is_dir() else ()
    return sorted(path.name for path in folders if packages_on_disk(models_dir, path.name))
