"""Scores of a model package: the exported file, run by the service's own code at each frame's own size."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.backends import Backend
from service.imaging.geometry import U8, decide
from service.manifest.record import Score
from service.manifest.schema import Manifest
from training.config import DataUse, Preset
from training.datasets.reading import Dataset
from training.datasets.selection import merge_table, select
from training.metrics import Counter
from training.models import predict


@dataclass(frozen=True)
class ScoredFrame:
    """One frame at its own size: RGB uint8 [H, W, 3], probabilities uint8 [C, H, W], class ids uint8 [H, W]."""

    id: str
    group: str
    image: U8
    probabilities: U8
    predicted: U8
    truth: U8


def predict_use(
    backend: Backend, manifest: Manifest, preset: Preset, dataset: Dataset, use: DataUse
) -> Iterator[ScoredFrame]:
    """Every frame of one part of a data set, predicted."""
    table = merge_table(dataset, preset)
    spec = manifest.input.spec()
    for sample in select(dataset, use):
        image = dataset.image(sample)
        probabilities = predict(backend, image, spec)
        truth: NDArray[np.uint8] = table[dataset.mask(sample)]
        predicted = decide(probabilities, manifest.threshold)
        yield ScoredFrame(sample.id, sample.group, image, probabilities, predicted, truth)


def evaluate(backend: Backend, manifest: Manifest, preset: Preset, datasets: Path) -> list[Score]:
    """One score for each test set, group (all groups together where the unit is a frame) and foreground class."""
    scores: list[Score] = []
    for use in preset.test:
        dataset = Dataset(datasets / use.data)
        counters: dict[tuple[str, int], Counter] = {}
        single = len({s.group for s in select(dataset, use)}) == len(select(dataset, use))
        for frame in predict_use(backend, manifest, preset, dataset, use):
            group = use.split if single else frame.group
            for entry in manifest.classes[1:]:
                counter = counters.setdefault((group, entry.id), Counter(entry.id))
                counter.update(frame.predicted, frame.truth)
        for (group, class_id), counter in counters.items():
            scores.append(score_of(use.data, group, manifest.classes[class_id].name, counter))
    return scores


def score_of(dataset: str, group: str, class_name: str, counter: Counter) -> Score:
    """As a manifest holds it, to four decimals."""
    result = counter.compute()
    return Score(
        dataset=dataset,
        group=group,
        class_name=class_name,
        n=result.n,
        dice=round(result.dice, 4),
        dice_pooled=round(result.dice_pooled, 4),
        iou=round(result.iou, 4),
        precision=round(result.precision, 4),
        recall=round(result.recall, 4),
    )
