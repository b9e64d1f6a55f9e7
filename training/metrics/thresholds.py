"""Scores of a two-class model over its threshold, from one histogram a frame."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from service.imaging.geometry import U8, threshold_level

PERCENTS = tuple(range(5, 100, 5))


@dataclass(frozen=True)
class ThresholdCurve:
    """One value a threshold: Dice is the mean over frames, precision and recall are of all pixels together."""

    percents: tuple[int, ...]
    dice: list[float]
    precision: list[float]
    recall: list[float]
    best_percent: int
    """Of the highest Dice. Chosen on the data that it was scored on: a hint, never applied by itself."""
    best_dice: float


@dataclass
class ThresholdSums:
    """Gathers tp, fp and fn of each frame at each threshold: update counts, compute divides."""

    counts: list[NDArray[np.int64]] = field(default_factory=list)

    def update(self, probabilities: U8, truth: U8) -> None:
        """Foreground's probability uint8 [H, W], truth 0/1 uint8 [H, W]."""
        inside = _at_least(probabilities, truth)
        outside = _at_least(probabilities, 1 - truth)
        levels = [threshold_level(percent / 100) for percent in PERCENTS]
        tp, fp = inside[levels], outside[levels]
        self.counts.append(np.stack([tp, fp, inside[0] - tp]))

    def compute(self) -> ThresholdCurve:
        tp, fp, fn = np.moveaxis(np.stack(self.counts), 1, 0)
        dice = np.where(2 * tp + fp + fn == 0, 1.0, 2 * tp / np.maximum(2 * tp + fp + fn, 1)).mean(axis=0)
        tp, fp, fn = tp.sum(axis=0), fp.sum(axis=0), fn.sum(axis=0)
        best = int(dice.argmax())
        return ThresholdCurve(
            percents=PERCENTS,
            dice=_rounded(dice),
            precision=_rounded(_share(tp, fp, fn)),
            recall=_rounded(_share(tp, fn, fp)),
            best_percent=PERCENTS[best],
            best_dice=round(float(dice[best]), 4),
        )


def _at_least(probabilities: U8, mask: U8) -> NDArray[np.int64]:
    """Pixels of `mask` whose probability is at least 0, 1 .. 255, int64 [256]."""
    histogram = cv2.calcHist([probabilities], [0], np.ascontiguousarray(mask), [256], [0, 256]).ravel()
    return histogram[::-1].astype(np.int64).cumsum()[::-1]


def _share(hits: NDArray[np.int64], misses: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
    """hits / (hits + misses); for 0 / 0: 1 if the other side is empty too, else 0."""
    total = hits + misses
    return np.asarray(np.where(total == 0, others == 0, hits / np.maximum(total, 1)), np.float64)


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]
