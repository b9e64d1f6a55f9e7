"""Class weights, given or computed from the training frames.

`inverse_frequency`: w_c = N / (C n_c), n_c of the N pixels being of class c, for C classes (King and Zeng, Political
Analysis 2001; scikit-learn's `balanced`).
`median_frequency`, which `auto` stands for: w_c = median(f) / f_c, f_c being the share of class c among the pixels of
the frames that hold it (Eigen and Fergus, ICCV 2015, 6.3.2).

A class that no training frame holds gets the weight 1: there is nothing to balance, and its false positives still
count.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from training.config import Preset


def class_weights(preset: Preset, masks: Iterable[NDArray[np.uint8]]) -> list[float] | None:
    """One weight a class, background first; `masks` are the training frames' class ids, uint8 [h, w]."""
    wanted = preset.class_weights
    if wanted is None:
        return None
    if isinstance(wanted, dict):
        return [wanted.get(entry.name, 1.0) for entry in preset.classes]
    counts = np.stack([np.bincount(mask.ravel(), minlength=len(preset.classes)) for mask in masks])
    rule = inverse_frequency if wanted == "inverse_frequency" else median_frequency
    return [float(weight) for weight in rule(counts)]


def inverse_frequency(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pixels of each frame and class [frames, classes] -> weights [classes]."""
    by_class = counts.sum(axis=0)
    return _where_seen(by_class, by_class.sum() / (len(by_class) * np.maximum(by_class, 1)))


def median_frequency(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pixels of each frame and class [frames, classes] -> weights [classes]."""
    by_class = counts.sum(axis=0)
    available = ((counts > 0) * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    shares = by_class / np.maximum(available, 1)
    return _where_seen(by_class, np.median(shares[by_class > 0]) / np.maximum(shares, np.finfo(float).tiny))


def _where_seen(by_class: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(by_class > 0, weights, 1.0)
