"""Counts of pixels of each frame, from which every score, its interval and the confusion matrix follow."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from training.config import DataUse, Preset
from training.datasets.base import Dataset
from training.frames import merge_table, select
from training.models import OpenModel

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class FrameCounts:
    """Of n frames and C classes."""

    ids: list[str]
    """`data set/frame`."""
    groups: list[str]
    confusion: I64
    """[n, C, C] in pixels at the frames' own size: rows are the truth, columns the prediction."""

    def of_groups(self, groups: set[str]) -> "FrameCounts":
        kept = [i for i, group in enumerate(self.groups) if group in groups]
        return FrameCounts([self.ids[i] for i in kept], [self.groups[i] for i in kept], self.confusion[kept])


def confusion_matrix(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int) -> I64:
    """Class ids uint8 [H, W] twice -> pixels [C, C], rows the truth."""
    if truth.shape != predicted.shape:
        raise ValueError(f"prediction is {predicted.shape}, truth {truth.shape}; scores need equal sizes")
    cells = truth.ravel().astype(np.intp) * classes + predicted.ravel()
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def count_frames(
    model: OpenModel, preset: Preset, uses: list[DataUse], datasets: Path, cache: Path | None = None
) -> FrameCounts:
    """Runs `model` over the frames of `uses`, with the classes and merges of `preset`.

    `cache`: file that keeps the counts; taken in place of a second run when weights and frames are the same.
    """
    key = _cache_key(model, preset, uses)
    if cache is not None and (kept := _read(cache, key)) is not None:
        return kept
    ids, groups, matrices = [], [], []
    for use in uses:
        dataset = Dataset(datasets / use.data)
        table = merge_table(dataset, preset)
        for sample in track(select(dataset, use), f"{model.label}: {use.data}", transient=True):
            truth: NDArray[np.uint8] = table[dataset.mask(sample)]
            predicted = model.mask(dataset.image(sample))
            ids.append(f"{use.data}/{sample.id}")
            groups.append(sample.group)
            matrices.append(confusion_matrix(truth, predicted, len(preset.classes)))
    counts = FrameCounts(ids, groups, np.stack(matrices))
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(cache, key=key, ids=ids, groups=groups, confusion=counts.confusion)
    return counts


def _cache_key(model: OpenModel, preset: Preset, uses: list[DataUse]) -> str:
    """Changes with the weights (seen by the output for a fixed noise picture), the threshold, the frames and merges."""
    noise = np.random.default_rng(0).integers(0, 256, (1, model.spec.height, model.spec.width, 3), dtype=np.uint8)
    digest = hashlib.sha256(model.backend.run(noise).tobytes())
    asked = [use.model_dump_json() for use in uses]
    digest.update(repr((model.threshold, model.spec, asked, preset.merge, [c.name for c in preset.classes])).encode())
    return digest.hexdigest()


def _read(path: Path, key: str) -> FrameCounts | None:
    if not path.is_file():
        return None
    with np.load(path) as stored:
        if str(stored["key"]) != key:
            return None
        return FrameCounts(stored["ids"].tolist(), stored["groups"].tolist(), stored["confusion"])
