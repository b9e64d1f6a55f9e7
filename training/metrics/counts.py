"""Scores from counts of pixels.

For each frame and class: tp, fp, fn. `dice` and `iou` are means over the frames; a frame where neither truth nor
prediction holds the class scores 1, one where only one of them does scores 0. `dice_pooled`, `precision` and `recall`
are those of all frames' pixels together; without a predicted pixel precision is 1 if there was nothing to find, else 0,
and recall likewise.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scores:
    n: int
    dice: float
    dice_pooled: float
    iou: float
    precision: float
    recall: float


@dataclass
class Counter:
    """Gathers the counts of one class, frame by frame: update sums, compute divides."""

    class_id: int
    counts: list[tuple[int, int, int]] = field(default_factory=list)

    def update(self, predicted: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
        """Class ids uint8 [H, W] of one frame."""
        if predicted.shape != truth.shape:
            raise ValueError(f"prediction is {predicted.shape}, truth {truth.shape}; scores need equal sizes")
        p, t = predicted == self.class_id, truth == self.class_id
        tp = int(np.count_nonzero(p & t))
        self.add(tp, int(np.count_nonzero(p)) - tp, int(np.count_nonzero(t)) - tp)

    def add(self, tp: int, fp: int, fn: int) -> None:
        """Pixels of one more frame, where they have been counted already."""
        self.counts.append((tp, fp, fn))

    def frame_dice(self) -> NDArray[np.float64]:
        """Dice of each frame, [n]."""
        tp, fp, fn = self._columns()
        return _ratio(2 * tp, 2 * tp + fp + fn)

    def compute(self) -> Scores:
        tp, fp, fn = self._columns()
        if not len(tp):
            raise ValueError("no frame was scored")
        all_tp, all_fp, all_fn = (np.array([column.sum()]) for column in (tp, fp, fn))
        return Scores(
            n=len(tp),
            dice=float(self.frame_dice().mean()),
            dice_pooled=float(_ratio(2 * all_tp, 2 * all_tp + all_fp + all_fn)[0]),
            iou=float(_ratio(tp, tp + fp + fn).mean()),
            precision=_share(all_tp, all_fp, all_fn),
            recall=_share(all_tp, all_fn, all_fp),
        )

    def _columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        table = np.array(self.counts, dtype=np.int64).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2]


def _ratio(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.float64]:
    """Elementwise, with 1 where there was nothing to find and nothing was found."""
    return np.where(denominator == 0, 1.0, numerator / np.maximum(denominator, 1))


def _share(hits: NDArray[np.int64], misses: NDArray[np.int64], others: NDArray[np.int64]) -> float:
    """hits / (hits + misses); for 0 / 0: 1 if the other side is empty too, else 0."""
    if hits[0] + misses[0] == 0:
        return 1.0 if others[0] == 0 else 0.0
    return float(hits[0] / (hits[0] + misses[0]))
