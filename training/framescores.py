"""Scores of many frames with bootstrap intervals, all candidates resampled alike.

Dice and IoU are means over the frames (1 for a class that neither truth nor prediction holds), precision and recall
are of all frames' pixels together, as in `training.metrics`; accuracy is the share of pixels, the mean over the frames.
A bootstrap resample is a row of weights: how often each frame was drawn (Efron and Tibshirani, 1993, chapter 13:
percentile intervals). Frames of one video are alike, so intervals over frames are narrower than those over videos.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.framecounts import I64

F64 = NDArray[np.float64]

METRICS = ("iou", "dice", "accuracy", "precision", "recall")
RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A score with its 95 % interval."""

    value: float
    low: float
    high: float


def resamples(frames: int, count: int = RESAMPLES, seed: int = 1) -> F64:
    """Weights [1 + count, frames]: the first row is the data as they are."""
    drawn = np.random.default_rng(seed).multinomial(frames, np.full(frames, 1 / frames), size=count)
    return np.vstack([np.ones((1, frames)), drawn])


def class_scores(confusion: I64, weights: F64) -> dict[str, F64]:
    """Counts [n, C, C] and weights [b, n] -> IoU, Dice, precision and recall of the foreground classes, [b, C - 1]."""
    tp, fp, fn = outcomes(confusion)
    share = weights / weights.sum(axis=1, keepdims=True)
    hits, wrong, missed = (weights @ part for part in (tp, fp, fn))
    return {
        "iou": share @ ratio(tp, tp + fp + fn),
        "dice": share @ ratio(2 * tp, 2 * tp + fp + fn),
        "precision": _found(hits, wrong, missed),
        "recall": _found(hits, missed, wrong),
    }


def mean_scores(confusion: I64, weights: F64) -> dict[str, F64]:
    """Each of METRICS as the mean over the foreground classes (accuracy: over all pixels), [b]."""
    means = {name: values.mean(axis=1) for name, values in class_scores(confusion, weights).items()}
    correct = np.trace(confusion, axis1=1, axis2=2) / confusion.sum(axis=(1, 2))
    means["accuracy"] = weights @ correct / weights.sum(axis=1)
    return {name: means[name] for name in METRICS}


def frame_scores(confusion: I64, metric: str) -> F64:
    """`dice` or `iou` of every frame and foreground class, [n, C - 1]."""
    tp, fp, fn = outcomes(confusion)
    return ratio(2 * tp, 2 * tp + fp + fn) if metric == "dice" else ratio(tp, tp + fp + fn)


def estimate(values: F64) -> Estimate:
    """Of the rows that `resamples` gives: value from the first, 2.5th and 97.5th percentile of the others."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return Estimate(round(float(values[0]), 4), round(float(low), 4), round(float(high), 4))


def outcomes(confusion: I64) -> tuple[F64, F64, F64]:
    """True positives, false positives and false negatives of the foreground classes, [n, C - 1] each."""
    tp = np.diagonal(confusion, axis1=1, axis2=2)[:, 1:].astype(np.float64)
    return tp, confusion.sum(axis=1)[:, 1:] - tp, confusion.sum(axis=2)[:, 1:] - tp


def ratio(numerator: F64, denominator: F64) -> F64:
    """Elementwise, with 1 where there was nothing to find and nothing was found."""
    return np.where(denominator == 0, 1.0, numerator / np.maximum(denominator, 1))


def _found(hits: F64, misses: F64, others: F64) -> F64:
    """hits / (hits + misses); for 0 / 0: 1 if the other side is empty too, else 0."""
    total = hits + misses
    return np.where(total == 0, (others == 0).astype(np.float64), hits / np.maximum(total, 1))
