"""Any trained model behind one face: a package as the service runs it, or a checkpoint run by PyTorch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.backends import Backend
from service.backends.cores import available_cores
from service.backends.onnxruntime import OnnxRuntimeBackend
from service.backends.providers import choose_provider
from service.imaging.geometry import U8, InputSpec, decide, prepare, restore
from service.manifest.entries import ClassEntry, PrecisionName
from service.manifest.package import Package
from training.config import Preset, load_preset
from training.fitting.checkpoints import load_trained, selected_checkpoint
from training.nets.running import Device, TorchBackend, choose_device


@dataclass(frozen=True)
class OpenModel:
    """A model ready to predict."""

    label: str
    """For tables and figures: `polyps/3 fp32`, or the run's folder."""
    classes: list[ClassEntry]
    spec: InputSpec
    threshold: float
    backend: Backend
    find_preset: Callable[[], Preset]

    @property
    def preset(self) -> Preset:
        """Names the model's data; predicting needs none. Raises PresetError where a package's own is not shipped."""
        return self.find_preset()

    def probabilities(self, image: U8) -> U8:
        """RGB uint8 [H, W, 3] -> uint8 [C, H, W] at the frame's size, as the service computes them."""
        return predict(self.backend, image, self.spec)

    def mask(self, image: U8) -> U8:
        """RGB uint8 [H, W, 3] -> class ids uint8 [H, W]."""
        return decide(self.probabilities(image), self.threshold)


def open_model(
    path: Path, precision: PrecisionName = "fp32", device: Device = "auto", preset: Preset | None = None
) -> OpenModel:
    """`path`: a package's folder (models/NAME/VERSION), a run's folder or a checkpoint.

    `preset` names the data in place of the model's own preset; a package of a preset that is not shipped needs one
    to be scored.

    Raises PackageError, ProviderUnavailable, TrainingError, PresetError.
    """
    if (path / "manifest.json").is_file():
        return _open_package(path, precision, device, preset)
    return _open_checkpoint(path, device, preset)


def open_package(folder: Path, precision: PrecisionName = "fp32", provider: str = "auto") -> tuple[Package, Backend]:
    """Reads, verifies and loads a package. Raises PackageError, ProviderUnavailable."""
    package = Package.read(folder)
    package.verify()
    backend = OnnxRuntimeBackend(
        package, provider=choose_provider(provider), precision=precision, threads=available_cores()
    )
    return package, backend


def predict(backend: Backend, image: U8, spec: InputSpec) -> U8:
    """RGB uint8 [H, W, 3] -> probabilities uint8 [C, H, W], as the service computes them."""
    probabilities = backend.run(prepare(image, spec)[np.newaxis])
    return restore(probabilities[0], spec, image.shape[0], image.shape[1])


def _open_package(path: Path, precision: PrecisionName, device: Device, preset: Preset | None) -> OpenModel:
    package, backend = open_package(path, precision, device)
    manifest = package.manifest
    return OpenModel(
        label=f"{manifest.name}/{manifest.version} {backend.precision}",
        classes=manifest.classes,
        spec=manifest.input.spec(),
        threshold=manifest.threshold,
        backend=backend,
        find_preset=lambda: preset or load_preset(manifest.training.preset),
    )


def _open_checkpoint(path: Path, device: Device, preset: Preset | None) -> OpenModel:
    trained = load_trained(selected_checkpoint(path))
    own = trained.preset
    return OpenModel(
        label=path.name if path.is_dir() else path.parent.name,
        classes=[ClassEntry(id=i, name=c.name, colour=c.colour) for i, c in enumerate(own.classes)],
        spec=own.input.spec(),
        threshold=own.threshold,
        backend=TorchBackend(trained.net, choose_device(device)),
        find_preset=lambda: preset or own,
    )
