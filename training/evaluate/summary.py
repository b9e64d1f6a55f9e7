"""From rows of frames to scores with intervals: one summary a group and class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluate.rows import FrameRow
from training.metrics.bootstrap import F64, Interval, Resampling, interval

MEANS = ("dice", "iou", "nsd", "hd95_percent", "hd95_px")
COUNTS = ("tp", "fp", "fn", "tn")
METRICS = (
    "dice",
    "dice_pooled",
    "iou",
    "iou_pooled",
    "precision",
    "recall",
    "specificity",
    "accuracy",
    "nsd",
    "hd95_percent",
    "hd95_px",
)
MEAN_CLASS = "mean of classes"


@dataclass(frozen=True)
class Summary:
    """Scores of one class (or the mean of all foreground classes) on one group of a test set."""

    dataset: str
    group: str
    class_name: str
    n: int
    n_with_class: int
    """Frames whose truth holds the class; of the mean: any class."""
    resampled: str
    """What the intervals draw: `group` or `frame`."""
    scores: dict[str, Interval]


def summarise(
    rows: Sequence[FrameRow], group: str, resamples: int, seed: int, class_names: Sequence[str]
) -> list[Summary]:
    """`rows` of one test set or of one group of it, which is called `group`; with several classes also their mean."""
    summaries, resampled = [], []
    for class_name in class_names:
        own = [row for row in rows if row.class_name == class_name]
        drawn = Resampling.draw([row.group for row in own], resamples, seed)
        values = _scores(own, drawn)
        resampled.append(values)
        present = sum(row.tp + row.fn > 0 for row in own)
        summaries.append(_summary(own, group, class_name, present, drawn, values))
    if len(class_names) > 1:
        means = {name: np.mean([values[name] for values in resampled], axis=0) for name in METRICS}
        present = len({row.frame for row in rows if row.tp + row.fn > 0})
        summaries.append(_summary(own, group, MEAN_CLASS, present, drawn, means))
    return summaries


def by_group(rows: Sequence[FrameRow], whole: str) -> list[tuple[str, list[FrameRow]]]:
    """The rows of each group, then all of them as `whole`; only that where there is one group, or one a frame."""
    groups = list(dict.fromkeys(row.group for row in rows))
    parts: list[tuple[str, list[FrameRow]]] = []
    if 1 < len(groups) < len({row.frame for row in rows}):
        parts = [(group, [row for row in rows if row.group == group]) for group in groups]
    name = groups[0] if len(groups) == 1 else whole
    return [*parts, (name, list(rows))]


def _summary(
    rows: Sequence[FrameRow], group: str, class_name: str, present: int, drawn: Resampling, values: dict[str, F64]
) -> Summary:
    scores = {name: interval(values[name]) for name in METRICS}
    return Summary(rows[0].dataset, group, class_name, len(rows), present, drawn.unit, scores)


def _scores(rows: Sequence[FrameRow], drawn: Resampling) -> dict[str, F64]:
    """Every metric in the data and in each resample, [1 + resamples]: means over frames, or ratios of pooled pixels."""
    frames = drawn.sums(np.ones(len(rows)))
    scores = {name: drawn.sums(np.array([getattr(row, name) for row in rows])) / frames for name in MEANS}
    tp, fp, fn, tn = (drawn.sums(np.array([getattr(row, name) for row in rows])) for name in COUNTS)
    scores["dice_pooled"] = _share(2 * tp, 2 * tp + fp + fn, np.ones_like(tp))
    scores["iou_pooled"] = _share(tp, tp + fp + fn, np.ones_like(tp))
    scores["precision"] = _share(tp, tp + fp, (fn == 0).astype(np.float64))
    scores["recall"] = _share(tp, tp + fn, (fp == 0).astype(np.float64))
    scores["specificity"] = _share(tn, tn + fp, np.ones_like(tp))
    scores["accuracy"] = (tp + tn) / (tp + fp + fn + tn)
    return scores


def _share(hits: F64, total: F64, otherwise: F64) -> F64:
    return np.asarray(np.where(total == 0, otherwise, hits / np.maximum(total, 1)), np.float64)
