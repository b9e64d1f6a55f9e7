"""Counts of pixels of each frame, from which every score, its interval and the confusion matrix follow."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from service.manifest.package import Package
from training.config import Preset
from training.datasets.reading import Dataset
from training.datasets.selection import merge_table, select
from training.fitting.checkpoints import selected_checkpoint
from training.metrics.confusion import I64, confusion_matrix
from training.models import OpenModel


@dataclass(frozen=True)
class FrameCounts:
    """Of n frames and C classes."""

    ids: list[str]
    """`data set/frame`."""
    groups: list[str]
    confusion: I64
    """[n, C, C] in pixels at the frames' own size: rows are the truth, columns the prediction."""


def joined(parts: Sequence[FrameCounts]) -> FrameCounts:
    """The frames of all parts, in their order."""
    ids = [frame for part in parts for frame in part.ids]
    groups = [group for part in parts for group in part.groups]
    return FrameCounts(ids, groups, np.concatenate([part.confusion for part in parts]))


def count_frames(model: OpenModel, weights: Path, preset: Preset, datasets: Path, cache: Path) -> FrameCounts:
    """Runs `model` over the test frames of `preset`, with its classes and merges.

    `weights` is the file that the model was opened from. `cache` keeps the counts, and is taken in place of a second
    run where weights, threshold and frames are the same.
    """
    key = _cache_key(model, weights, preset)
    if (kept := _read(cache, key)) is not None:
        return kept
    ids, groups, matrices = [], [], []
    for use in preset.test:
        dataset = Dataset(datasets / use.data)
        table = merge_table(dataset, preset)
        for sample in track(select(dataset, use), f"{model.label}: {use.data}", transient=True):
            truth: NDArray[np.uint8] = table[dataset.mask(sample)]
            predicted = model.mask(dataset.image(sample))
            ids.append(f"{use.data}/{sample.id}")
            groups.append(sample.group)
            matrices.append(confusion_matrix(truth, predicted, len(preset.classes)))
    counts = FrameCounts(ids, groups, np.stack(matrices))
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(cache, key=key, ids=ids, groups=groups, confusion=counts.confusion)
    return counts


def weights_file(path: Path) -> Path:
    """What is read when `path` (a package's folder, a run's folder or a checkpoint) is opened in FP32."""
    if (path / "manifest.json").is_file():
        return path / Package.read(path).manifest.files["fp32"].file
    return selected_checkpoint(path)


def _cache_key(model: OpenModel, weights: Path, preset: Preset) -> str:
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    asked = preset.model_dump_json(include={"classes", "merge", "test"})
    digest.update(repr((model.threshold, model.spec, model.backend.name, model.backend.precision, asked)).encode())
    return digest.hexdigest()


def _read(path: Path, key: str) -> FrameCounts | None:
    if not path.is_file():
        return None
    with np.load(path) as stored:
        if str(stored["key"]) != key:
            return None
        return FrameCounts(stored["ids"].tolist(), stored["groups"].tolist(), stored["confusion"])
