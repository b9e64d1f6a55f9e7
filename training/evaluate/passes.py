"""One pass over a test set: rows, confusion and threshold sums; no frame is kept."""

import time
from dataclasses import dataclass, field

import numpy as np
from rich.progress import Progress

from service.imaging.geometry import U8, decide
from training.config import DataUse, Preset
from training.datasets.index import Sample
from training.datasets.reading import Dataset
from training.datasets.selection import merge_table, select
from training.evaluate.drops import Drops
from training.evaluate.rows import FrameRow, frame_rows
from training.metrics.confusion import I64, confusion_matrix
from training.metrics.thresholds import ThresholdSums
from training.models import OpenModel


@dataclass(frozen=True)
class TestSet:
    """Frames to score, with the classes of the model's preset."""

    __test__ = False  # pytest: no test

    use: DataUse
    dataset: Dataset
    samples: list[Sample]
    table: U8
    """uint8 [256]: class ids of the data -> those of the model."""

    @classmethod
    def open(cls, use: DataUse, preset: Preset, dataset: Dataset, max_frames: int | None = None) -> "TestSet":
        """At most `max_frames`, evenly spread. Raises DatasetError, PresetError."""
        samples = select(dataset, use)
        if max_frames is not None and max_frames < len(samples):
            kept = np.linspace(0, len(samples) - 1, max_frames).round().astype(int)
            samples = [samples[i] for i in kept]
        return cls(use, dataset, samples, merge_table(dataset, preset))

    @property
    def label(self) -> str:
        return self.use.data if self.use.split == "all" else f"{self.use.data}, {self.use.split}"

    def truth(self, sample: Sample) -> U8:
        """Class ids of the model, uint8 [H, W]."""
        return np.asarray(self.table[self.dataset.mask(sample)], np.uint8)


@dataclass
class Measured:
    """What one pass gathered. `confusion` in pixels, rows the truth; `seconds` of each frame's inference."""

    confusion: I64
    rows: list[FrameRow] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    thresholds: ThresholdSums | None = None
    drops: Drops | None = None


def measure(model: OpenModel, test_set: TestSet, progress: Progress, tolerance: float, drops: Drops | None) -> Measured:
    """Every frame once (and once more for each corruption where `drops` are asked for)."""
    classes = len(model.classes)
    binary = classes == 2
    found = Measured(
        np.zeros((classes, classes), np.int64), thresholds=ThresholdSums() if binary else None, drops=drops
    )
    model.mask(test_set.dataset.image(test_set.samples[0]))  # the first run of a graph is slow
    for sample in progress.track(test_set.samples, description=test_set.label):
        image, truth = test_set.dataset.image(sample), test_set.truth(sample)
        started = time.perf_counter()
        probabilities = model.probabilities(image)
        predicted = decide(probabilities, model.threshold)
        found.seconds.append(time.perf_counter() - started)
        matrix = confusion_matrix(truth, predicted, classes)
        found.confusion += matrix
        name = (test_set.use.data, sample.id, sample.group)
        found.rows += frame_rows(name, predicted, truth, matrix, model.classes, tolerance)
        if found.thresholds is not None:
            found.thresholds.update(probabilities[0], truth)
        if drops is not None:
            drops.update(model, image, truth, matrix, sample)
    return found
