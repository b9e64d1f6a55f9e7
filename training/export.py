"""From a checkpoint to a model package: graph, parity, golden outputs, scores, manifest, card."""

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.backends import Backend
from service.backends.cores import available_cores
from service.backends.onnxruntime import OnnxRuntimeBackend
from service.imaging.geometry import U8, InputSpec, prepare
from service.manifest import (
    Agreement,
    ClassEntry,
    CrossvalScore,
    FileEntry,
    InputEntry,
    Licence,
    Manifest,
    Package,
    Parity,
    Score,
    Training,
    agreement,
    sha256_of,
)
from training.card import write_card
from training.checkpoints import Trained
from training.datasets.synthetic import render_frame
from training.errors import ExportError
from training.evaluate import evaluate
from training.graph import TorchBackend, write_onnx
from training.quantise.backends import measurable_backends
from training.references import measure_references

MODEL_FILE, GOLDEN_FILE, MANIFEST_FILE = "model.onnx", "golden.npz", "manifest.json"
BATCH_SIZES = (1, 3)
GOLDEN_SEEDS = (11, 12)
PARITY_SEEDS = range(11, 20)

MAX_DIFFERENCE = 2
"""Largest uint8 step between PyTorch and the exported file: rounding may differ by one, sums by a little more."""
MAX_CHANGED_SHARE = 0.0005
"""Largest share of pixels that may change class."""


@dataclass(frozen=True)
class Tolerance:
    difference: int = MAX_DIFFERENCE
    changed_share: float = MAX_CHANGED_SHARE


def export(
    trained: Trained,
    datasets: Path,
    folder: Path,
    tolerance: Tolerance = Tolerance(),
    crossval: Sequence[CrossvalScore] = (),
) -> Package:
    """Writes the package into `folder` (models/<name>/<version>), which is removed again when something fails.

    Raises ExportError when the folder's name is not the preset's, or parity in ONNX Runtime is above the tolerance.
    """
    _check_folder(trained, folder)
    folder.mkdir(parents=True)
    try:
        return _write_package(trained, datasets, folder, tolerance, crossval)
    except BaseException:
        shutil.rmtree(folder)
        raise


def check_parity(torch_backend: Backend, backend: Backend, frames: U8, threshold: float, allowed: Tolerance) -> Parity:
    """Compares both on `frames` uint8 [N, h, w, 3] in batches of 1 and of 3. Raises ExportError above `allowed`."""
    parity = compare(torch_backend, backend, frames, threshold)
    if parity.largest_difference > allowed.difference or parity.changed_share > allowed.changed_share:
        raise ExportError(
            f"{backend.name} {backend.precision} differs from PyTorch by {parity.largest_difference} of 255 "
            f"(allowed {allowed.difference}) and changes the class of {parity.changed_share:.4%} of the pixels "
            f"(allowed {allowed.changed_share:.4%})"
        )
    return parity


def compare(torch_backend: Backend, backend: Backend, frames: U8, threshold: float) -> Parity:
    """Of the FP32 file: the worse of batches of 1 and of 3."""
    found: list[Agreement] = []
    for size in BATCH_SIZES:
        batches = [frames[i : i + size] for i in range(0, len(frames), size)]
        expected = np.concatenate([torch_backend.run(batch) for batch in batches])
        actual = np.concatenate([backend.run(batch) for batch in batches])
        found.append(agreement(expected, actual, threshold))
    return Parity(
        precision="fp32",
        backend=f"{backend.name}-{backend.provider}",
        batch_sizes=list(BATCH_SIZES),
        frames=len(frames),
        largest_difference=max(entry.largest_difference for entry in found),
        changed_share=max(entry.changed_share for entry in found),
    )


def own_frames(spec: InputSpec, seeds: range | tuple[int, ...]) -> U8:
    """Synthetic frames and one of noise, uint8 [N, h, w, 3]: no frame of a data set may travel inside a package."""
    frames = [prepare(render_frame(seed).image, spec) for seed in seeds]
    noise = np.random.default_rng(0).integers(0, 256, (spec.height, spec.width, 3), dtype=np.uint8)
    return np.stack([*frames, noise])


def _write_package(
    trained: Trained, datasets: Path, folder: Path, tolerance: Tolerance, crossval: Sequence[CrossvalScore]
) -> Package:
    draft = _draft(trained, folder).model_copy(update={"crossval": list(crossval)})
    write_onnx(trained.net, draft, folder / MODEL_FILE)
    spec, torch_backend = draft.input.spec(), TorchBackend(trained.net)
    golden = own_frames(spec, GOLDEN_SEEDS)
    np.savez_compressed(folder / GOLDEN_FILE, frames=golden, probabilities=torch_backend.run(golden))
    draft = draft.model_copy(
        update={"files": {"fp32": _entry(folder, MODEL_FILE)}, "golden": _entry(folder, GOLDEN_FILE)}
    )
    backend = OnnxRuntimeBackend(Package(folder, draft), provider="cpu", precision="fp32", threads=available_cores())
    frames = own_frames(spec, PARITY_SEEDS)
    parity = check_parity(torch_backend, backend, frames, draft.threshold, tolerance)
    others = [opener for name, opener in measurable_backends().items() if name != parity.backend]
    scores = evaluate(backend, draft, trained.preset, datasets)
    by_torch = evaluate(torch_backend, draft, trained.preset, datasets)
    manifest = draft.model_copy(
        update={
            "parity": [
                parity.model_copy(update={"dice_difference": _largest_gap(scores, by_torch)}),
                *(
                    compare(torch_backend, opener(Package(folder, draft), "fp32"), frames, draft.threshold)
                    for opener in others
                ),
            ],
            "metrics": scores,
            "references": measure_references(backend, draft, trained.preset, datasets),
        }
    )
    manifest = Manifest.model_validate(manifest.model_dump())
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n")
    write_card(manifest, folder)
    package = Package.read(folder)
    package.verify()
    return package


def _draft(trained: Trained, folder: Path) -> Manifest:
    """The manifest before anything was measured."""
    preset = trained.preset
    nothing = FileEntry(file="none", sha256="0" * 64)
    return Manifest(
        name=preset.name,
        version=int(folder.name),
        task="segmentation",
        classes=[ClassEntry(id=i, name=c.name, colour=c.colour) for i, c in enumerate(preset.classes)],
        input=InputEntry(**dataclasses.asdict(preset.input.spec())),
        threshold=preset.threshold,
        files={"fp32": nothing},
        golden=nothing,
        parity=[],
        training=Training(
            datasets=[use.data for use in preset.train],
            split=", ".join(f"{use.data}: {use.split}" for use in preset.train),
            split_unit=preset.split_unit,
            preset=preset.name,
            seed=preset.seed,
            epochs=trained.epochs,
            code_version=trained.code_version,
            started_from=trained.started_from,
        ),
        metrics=[],
        licence=Licence(weights=preset.card.weights_licence, data=preset.card.data_licence),
        intended_use=preset.card.intended_use,
        limits=preset.card.limits,
        what_helped=preset.card.what_helped,
    )


def _check_folder(trained: Trained, folder: Path) -> None:
    if folder.exists():
        raise ExportError(f"{folder} exists; a package is never overwritten: remove it or take the next version")
    if folder.parent.name != trained.preset.name or not folder.name.isdigit() or int(folder.name) < 1:
        raise ExportError(f"{folder} must end in {trained.preset.name}/<version>, the version being 1, 2, 3 ...")


def _entry(folder: Path, name: str) -> FileEntry:
    return FileEntry(file=name, sha256=sha256_of(folder / name))


def _largest_gap(scores: list[Score], by_torch: list[Score]) -> float:
    """Dice of the file minus Dice of PyTorch, on the test set where they differ most."""
    gaps = [a.dice - b.dice for a, b in zip(scores, by_torch, strict=True)]
    return round(max(gaps) if max(gaps) >= -min(gaps) else min(gaps), 6)
