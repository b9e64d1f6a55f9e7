"""How sure a mean is: bootstrap intervals (Efron and Tibshirani, 1993, chapter 13: percentile intervals).

Frames of one operation or clip are alike, so where a set has several groups whole groups are drawn, with replacement
(Field and Welsh, 2007, "Bootstrapping clustered data"); else frames are. A resample is a row of weights: how often each
unit was drawn. Every score is a ratio of sums, so all resamples are one matrix product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

RESAMPLES = 2000
SEED = 1


@dataclass(frozen=True)
class Interval:
    """A score and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Resampling:
    """Units that are drawn together, and how often each resample drew each of them."""

    unit: str
    """`group` or `frame`."""
    of_frame: NDArray[np.intp]
    """[n]: the unit of each frame."""
    weights: F64
    """[1 + resamples, units]; the first row is the data as they are."""

    @classmethod
    def draw(cls, groups: Sequence[str], resamples: int = RESAMPLES, seed: int = SEED) -> "Resampling":
        """`groups`: the group of each frame. Raises ValueError without a frame."""
        if not groups:
            raise ValueError("no frame to resample")
        names, of_frame = np.unique(np.asarray(groups), return_inverse=True)
        by_group = 1 < len(names) < len(groups)
        if not by_group:
            of_frame = np.arange(len(groups))
        units = int(of_frame.max()) + 1
        drawn = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=resamples)
        weights = np.vstack([np.ones((1, units)), drawn])
        return cls("group" if by_group else "frame", of_frame, weights)

    def sums(self, values: NDArray[np.int64] | F64) -> F64:
        """Sum of a value of each frame, [n], in the data and in each resample, [1 + resamples]."""
        per_unit = np.bincount(self.of_frame, weights=values, minlength=self.weights.shape[1])
        return np.asarray(self.weights @ per_unit, np.float64)


def interval(values: F64) -> Interval:
    """[1 + resamples], the first of the data as they are -> that one, and percentiles 2.5 and 97.5 of the others."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return Interval(round(float(values[0]), 4), round(float(low), 4), round(float(high), 4))
