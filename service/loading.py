"""A package on disk -> a model that is verified, reproduces its golden outputs, and is warm."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.backends import Backend
from service.backends.choice import Choice
from service.backends.golden import check_golden
from service.backends.onnxruntime import choose_provider
from service.backends.remembered import remembered_choice
from service.errors import PackageError, ProviderUnavailable
from service.manifest.agreement import Agreement
from service.manifest.package import Package
from service.manifest.schema import Manifest
from service.settings import Settings

log = logging.getLogger(__name__)

OpenBackend = Callable[[Package, Settings], Choice]


def open_best(package: Package, settings: Settings, *, find_provider: Callable[[str], str] = choose_provider) -> Choice:
    """The fastest backend that the settings allow and that gives the golden masks, measured or remembered.

    With `auto`, a GPU that ONNX Runtime can't use (no CUDA libraries, say) is left alone, with a warning that says why.
    What was asked for by name is never replaced: raises ProviderUnavailable, or PackageError when the masks differ.
    """
    asked: str = settings.provider
    provider = find_provider("cpu" if (settings.backend, asked) == ("openvino", "auto") else asked)
    try:
        return remembered_choice(package, settings, provider)
    except ProviderUnavailable as error:
        if settings.provider != "auto" or provider == "cpu":
            raise
        log.warning("%s runs on the CPU although a GPU is here: %s", package.label, error)
        return remembered_choice(package, settings, "cpu")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A verified and warm model. `golden` says how close it came to its golden outputs."""

    package: Package
    choice: Choice
    golden: Agreement

    @property
    def backend(self) -> Backend:
        return self.choice.backend

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
    check = check_golden(package, choice.backend)
    if check.refused is not None:
        backend = choice.backend
        raise PackageError(f"{package.label} on {backend.name} {backend.provider} {backend.precision}: {check.refused}")
    _warm_up(package, choice.backend)
    return LoadedModel(package, choice, check.agreement)


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
