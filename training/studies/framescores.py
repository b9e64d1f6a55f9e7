"""Scores of one or several models from the confusion matrices of their frames, with intervals.

Dice and IoU are means over the frames (1 for a class that neither truth nor prediction holds); precision, recall and
accuracy are of all frames' pixels together, as in `training.metrics`. Models that are compared get the same resamples.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from training.metrics.bootstrap import F64, Resampling, interval
from training.metrics.confusion import I64
from training.studies.framecounts import FrameCounts

METRICS = ("iou", "dice", "accuracy", "precision", "recall")
CLASS_METRICS = ("dice", "iou", "precision", "recall")


def frame_weights(drawn: Resampling) -> F64:
    """How often each frame was drawn, [1 + resamples, frames]; the first row is the data as they are."""
    return drawn.weights[:, drawn.of_frame]


def class_scores(confusion: I64, weights: F64) -> dict[str, F64]:
    """Counts [n, C, C] and weights [b, n] -> each of CLASS_METRICS of the foreground classes, [b, C - 1]."""
    tp, fp, fn = _outcomes(confusion)
    share = weights / weights.sum(axis=1, keepdims=True)
    hits, wrong, missed = (weights @ part for part in (tp, fp, fn))
    return {
        "dice": share @ _ratio(2 * tp, 2 * tp + fp + fn),
        "iou": share @ _ratio(tp, tp + fp + fn),
        "precision": _found(hits, wrong, missed),
        "recall": _found(hits, missed, wrong),
    }


def mean_scores(confusion: I64, weights: F64) -> dict[str, F64]:
    """Each of METRICS as the mean over the foreground classes (accuracy: over all pixels), [b]."""
    means = {name: values.mean(axis=1) for name, values in class_scores(confusion, weights).items()}
    pixels = weights @ confusion.sum(axis=(1, 2))
    means["accuracy"] = weights @ np.trace(confusion, axis1=1, axis2=2) / pixels
    return {name: means[name] for name in METRICS}


def frame_dice(confusion: I64) -> F64:
    """Of every frame and foreground class, [n, C - 1]."""
    tp, fp, fn = _outcomes(confusion)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def listed_scores(counts: FrameCounts, classes: list[str], drawn: Resampling) -> dict[str, Any]:
    """For JSON: every metric with its interval, by class and as the mean over the classes."""
    weights = frame_weights(drawn)
    by_class = class_scores(counts.confusion, weights)
    return {
        "n": len(counts.ids),
        "resampled": drawn.unit,
        "mean": {name: asdict(interval(values)) for name, values in mean_scores(counts.confusion, weights).items()},
        "classes": {
            name: {metric: asdict(interval(by_class[metric][:, i])) for metric in CLASS_METRICS}
            for i, name in enumerate(classes)
        },
    }


def _outcomes(confusion: I64) -> tuple[F64, F64, F64]:
    """True positives, false positives and false negatives of the foreground classes, [n, C - 1] each."""
    tp = np.diagonal(confusion, axis1=1, axis2=2)[:, 1:].astype(np.float64)
    return tp, confusion.sum(axis=1)[:, 1:] - tp, confusion.sum(axis=2)[:, 1:] - tp


def _ratio(numerator: F64, denominator: F64) -> F64:
    """Elementwise, with 1 where there was nothing to find and nothing was found."""
    return np.asarray(np.where(denominator == 0, 1.0, numerator / np.maximum(denominator, 1)), np.float64)


def _found(hits: F64, misses: F64, others: F64) -> F64:
    """hits / (hits + misses); for 0 / 0: 1 if the other side is empty too, else 0."""
    total = hits + misses
    return np.asarray(np.where(total == 0, others == 0, hits / np.maximum(total, 1)), np.float64)
