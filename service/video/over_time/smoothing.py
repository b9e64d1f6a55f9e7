"""Smoothing over time: the mean of a frame's probabilities and those of the frames before it."""

from collections import deque

import numpy as np
import numpy.typing as npt

from service.imaging.geometry import U8

_LONGEST_WINDOW = 256
"""One frame more, before the oldest leaves, adds up to 65535."""


class Smoother:
    """Causal moving mean over `window` segmented frames that lie `step` frames apart.

    p'(t) = (p(t) + p(t - step) + ... + p(t - (window - 1) step)) / n, rounded half up, over the n of them that could
    be decoded; `window` is 256 at most, for the sums are of 16 bits. It looks back no further, so that a segment that
    begins `warm_up_frames` earlier gives what a run over the whole video gives, bit for bit.
    """

    def __init__(self, window: int, step: int) -> None:
        if not 1 <= window <= _LONGEST_WINDOW:
            raise ValueError(f"a window of {window} frames; 1 to {_LONGEST_WINDOW} can be summed")
        self._reach = (window - 1) * step
        self._kept: deque[tuple[int, U8]] = deque()
        self._sum: npt.NDArray[np.uint16] | None = None

    def add(self, number: int, probabilities: U8) -> U8:
        """Probabilities uint8 [C, h, w] of frame `number` -> the smoothed ones; frames come in their order."""
        if self._reach == 0:
            return probabilities
        total = probabilities.astype(np.uint16) if self._sum is None else self._sum + probabilities
        self._kept.append((number, probabilities))
        while self._kept[0][0] < number - self._reach:
            total -= self._kept.popleft()[1]
        self._sum = total
        count = len(self._kept)
        return ((total + count // 2) // count).astype(np.uint8)


def warm_up_frames(window: int, step: int) -> int:
    """Frames before a segment that its first frame's mean takes in."""
    return (window - 1) * step
