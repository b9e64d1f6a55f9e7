"""The figures of one test set."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training.evaluate.drops import Drop
from training.evaluate.passes import TestSet
from training.evaluate.robustness import CORRUPTIONS, SEVERITIES
from training.evaluate.rows import FrameRow
from training.figures import Curve, Mark, Panel, write_bars, write_confusion, write_curves, write_panels
from training.metrics.confusion import I64
from training.metrics.thresholds import ThresholdCurve
from training.models import OpenModel

PER_RANK = 2
"""Frames shown as best, as median and as worst."""


@dataclass(frozen=True)
class Chosen:
    rank: str
    frame: str
    group: str
    dice: float


def choose_frames(rows: Sequence[FrameRow]) -> list[Chosen]:
    """Best, median and worst frames by their mean Dice over the classes that truth or prediction holds.

    Frames where neither holds any are left out, unless there are no others: nothing is to be seen on them.
    """
    scores: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.tp + row.fp + row.fn:
            scores.setdefault((row.frame, row.group), []).append(row.dice)
    if not scores:
        scores = {(row.frame, row.group): [row.dice] for row in rows}
    ordered = sorted(scores, key=lambda frame: (-float(np.mean(scores[frame])), frame))
    middle = max(0, (len(ordered) - PER_RANK) // 2)
    places = {
        "best": range(PER_RANK),
        "median": range(middle, middle + PER_RANK),
        "worst": range(len(ordered) - PER_RANK, len(ordered)),
    }
    chosen: dict[int, Chosen] = {}
    for rank, wanted in places.items():
        for place in wanted:
            if 0 <= place < len(ordered) and place not in chosen:
                frame, group = ordered[place]
                chosen[place] = Chosen(rank, frame, group, round(float(np.mean(scores[frame, group])), 4))
    return [chosen[place] for place in sorted(chosen)]


def draw_panels(model: OpenModel, test_set: TestSet, chosen: Sequence[Chosen], path: Path) -> Path:
    """Reads and predicts the chosen frames again: cheaper than to keep every frame until the median is known."""
    samples = {sample.id: sample for sample in test_set.samples}
    panels = []
    for entry in chosen:
        sample = samples[entry.frame]
        image = test_set.dataset.image(sample)
        caption = f"{entry.rank}: {entry.frame}, Dice {entry.dice:.3f}"
        if entry.group != entry.frame:
            caption = f"{entry.rank}: {entry.frame} of {entry.group}, Dice {entry.dice:.3f}"
        numbers: dict[str, float | str] = dict(asdict(entry))
        panels.append(Panel(image, model.mask(image), test_set.truth(sample), caption, numbers))
    palette = [entry.rgb for entry in model.classes]
    names = [entry.name for entry in model.classes]
    return write_panels(panels, palette, names, path, f"{model.label} on {test_set.label}")


def draw_confusion(model: OpenModel, test_set: TestSet, matrix: I64, path: Path) -> Path:
    return write_confusion(matrix, [c.name for c in model.classes], path, f"{model.label} on {test_set.label}")


def draw_thresholds(model: OpenModel, test_set: TestSet, curve: ThresholdCurve, path: Path) -> Path:
    """Dice, precision and recall over the threshold, with the model's own threshold and the best."""
    lines = {"Dice (mean)": curve.dice, "precision": curve.precision, "recall": curve.recall}
    return write_curves(
        [Curve(name, curve.percents, values) for name, values in lines.items()],
        path,
        xlabel="threshold (% probability)",
        ylabel="score",
        title=f"{model.label} on {test_set.label}",
        ylim=(min(0.5, *curve.dice, *curve.precision, *curve.recall) // 0.1 / 10, 1.005),
        marks=[
            Mark(100 * model.threshold, f"in use: {100 * model.threshold:g} %"),
            Mark(curve.best_percent, f"best Dice: {curve.best_percent} %"),
        ],
    )


def draw_drops(model: OpenModel, test_set: TestSet, drops: Sequence[Drop], path: Path) -> Path:
    """Drop of Dice of each corruption, a bar a severity, whiskers for the 95 % interval."""
    by_severity = {f"severity {s}": [d for d in drops if d.severity == s] for s in SEVERITIES}
    return write_bars(
        list(CORRUPTIONS),
        {name: [d.drop.value for d in entries] for name, entries in by_severity.items()},
        path,
        ylabel="drop of Dice",
        title=f"{model.label} on {test_set.label}",
        intervals={name: [(d.drop.low, d.drop.high) for d in entries] for name, entries in by_severity.items()},
    )
