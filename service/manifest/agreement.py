"""How far two sets of outputs lie apart."""

from dataclasses import dataclass

import numpy as np

from service.imaging.geometry import U8, decide


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one set of outputs differs from another: largest uint8 step, and share of pixels whose class changed."""

    largest_difference: int
    changed_share: float


def agreement(expected: U8, actual: U8, threshold: float) -> Agreement:
    """Compare probabilities uint8 [N, C, H, W] by value and by the class that each pixel would be given."""
    difference = int(np.abs(expected.astype(np.int16) - actual.astype(np.int16)).max(initial=0))
    changed = [np.mean(decide(a, threshold) != decide(b, threshold)) for a, b in zip(expected, actual, strict=True)]
    return Agreement(difference, float(np.mean(changed)))
