"""From a checkpoint to a model package: graph, parity, golden outputs, scores, manifest, card."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from service.backends.cores import available_cores
from service.backends.onnxruntime import OnnxRuntimeBackend
from service.manifest.entries import FileEntry
from service.manifest.package import Package, sha256_of
from service.manifest.record import CrossvalScore
from service.manifest.schema import Manifest
from training.errors import ExportError
from training.evaluate.scoring import evaluate
from training.export.backends import measurable_backends
from training.export.card import write_card
from training.export.draft import draft_manifest
from training.export.golden import PARITY_SEEDS, golden_frames, own_frames
from training.export.measure import measure_bf16
from training.export.onnx_file import write_onnx
from training.export.parity import TOLERANCE, Tolerance, check_parity, compare, largest_gap
from training.export.references import measure_references
from training.fitting.checkpoints import Trained
from training.nets.running import TorchBackend

MODEL_FILE, GOLDEN_FILE, MANIFEST_FILE = "model.onnx", "golden.npz", "manifest.json"


def export(
    trained: Trained,
    datasets: Path,
    folder: Path,
    tolerance: Tolerance = TOLERANCE,
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


def _write_package(
    trained: Trained, datasets: Path, folder: Path, tolerance: Tolerance, crossval: Sequence[CrossvalScore]
) -> Package:
    draft = draft_manifest(trained, folder).model_copy(update={"crossval": list(crossval)})
    write_onnx(trained.net, draft, folder / MODEL_FILE)
    spec, torch_backend = draft.input.spec(), TorchBackend(trained.net)
    golden = golden_frames(torch_backend, spec, draft.threshold)
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
                parity.model_copy(update={"dice_difference": largest_gap(scores, by_torch)}),
                *(
                    compare(torch_backend, opener(Package(folder, draft), "fp32"), frames, draft.threshold)
                    for opener in others
                ),
            ],
            "metrics": scores,
            "references": measure_references(backend, draft, trained.preset, datasets),
        }
    )
    in_bf16 = measure_bf16(Package(folder, manifest), trained.preset, datasets)
    manifest = manifest.model_copy(update={"parity": [*manifest.parity, *in_bf16]})
    manifest = Manifest.model_validate(manifest.model_dump())
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n")
    write_card(manifest, folder)
    package = Package.read(folder)
    package.verify()
    return package


def _check_folder(trained: Trained, folder: Path) -> None:
    if folder.exists():
        raise ExportError(f"{folder} exists; a package is never overwritten: remove it or take the next version")
    if folder.parent.name != trained.preset.name or not folder.name.isdigit() or int(folder.name) < 1:
        raise ExportError(f"{folder} must end in {trained.preset.name}/<version>, the version being 1, 2, 3 ...")


def _entry(folder: Path, name: str) -> FileEntry:
    return FileEntry(file=name, sha256=sha256_of(folder / name))
