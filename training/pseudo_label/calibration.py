"""Does doubt know where the model errs? Measured on frames whose truth is known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from service.imaging.geometry import U8, decide
from training.datasets.index import Sample
from training.datasets.reading import Dataset
from training.datasets.selection import merge_table
from training.models import OpenModel
from training.pseudo_label.criteria import Limits, judge, without_specks
from training.pseudo_label.views import look


@dataclass(frozen=True)
class Checked:
    """One labelled frame."""

    id: str
    doubt: float
    dice: float
    found: bool


def check(model: OpenModel, dataset: Dataset, samples: Iterable[Sample], limits: Limits) -> list[Checked]:
    """Labels frames as `pseudo-label` would, and scores the masks against the truth."""
    table = merge_table(dataset, model.preset)
    checked = []
    for sample in samples:
        views = look(model, dataset.image(sample))
        labels = without_specks(decide(views.mean, model.threshold))
        doubt = judge(views, labels, model.threshold).doubt(limits)
        checked.append(
            Checked(sample.id, doubt, foreground_dice(labels, table[dataset.mask(sample)]), bool(labels.any()))
        )
    return checked


def foreground_dice(labels: U8, truth: U8) -> float:
    """2 |hits| / (|labels| + |truth|) of pixels of any class, hits being of the right one; 1 when both are empty."""
    hits = int(np.count_nonzero((labels == truth) & (truth > 0)))
    total = int(np.count_nonzero(labels)) + int(np.count_nonzero(truth))
    return 2 * hits / total if total else 1.0


def summarise(checked: Sequence[Checked]) -> dict[str, dict[str, float | int | None]]:
    """Frames, mean and lowest Dice of all, of those within the limits with something found, and of the others."""
    parts = {
        "all": list(checked),
        "accepted": [entry for entry in checked if entry.doubt <= 1 and entry.found],
        "rejected": [entry for entry in checked if entry.doubt > 1 or not entry.found],
    }
    return {name: _summary([entry.dice for entry in entries]) for name, entries in parts.items()}


def _summary(dice: Sequence[float]) -> dict[str, float | int | None]:
    if not dice:
        return {"frames": 0, "mean_dice": None, "lowest_dice": None}
    return {"frames": len(dice), "mean_dice": round(float(np.mean(dice)), 4), "lowest_dice": round(min(dice), 4)}
