"""What masks and rows say over time. Pure functions: arrays in, numbers out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from service.imaging.geometry import U8

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_PERCENTILES = (5, 25, 50, 75, 95)
_ROUNDING_S = 1e-6
"""Times are rounded to this; a gap that is as long as allowed must not fail by it."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A feature over frames; all None when there is no frame."""

    mean: float | None
    minimum: float | None
    p05: float | None
    p25: float | None
    median: float | None
    p75: float | None
    p95: float | None
    maximum: float | None


@dataclass(frozen=True, slots=True)
class Interval:
    """From the first frame's time to the end of the last frame's, in seconds."""

    start_s: float
    end_s: float


def temporal_iou(previous: U8, current: U8) -> float | None:
    """Overlap of two masks of class ids uint8 [H, W]: pixels of the same class that is not background in both, over
    pixels that are not background in either. None when neither shows anything."""
    union = cv2.countNonZero(cv2.bitwise_or(previous, current))
    if union == 0:
        return None
    return (union - cv2.countNonZero(cv2.bitwise_xor(previous, current))) / union


def frame_durations(times_s: Floats, end_s: float) -> Floats:
    """How long each row stands: until the next row, the last until `end_s`."""
    durations: Floats = np.diff(np.append(times_s, max(end_s, times_s[-1]))) if len(times_s) else np.zeros(0)
    return durations


def intervals(times_s: Floats, durations_s: Floats, seen: Flags) -> list[Interval]:
    """Runs of neighbouring rows in which something is seen."""
    changes = np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(np.int8), [0]])))
    return [
        Interval(round(float(times_s[first]), 3), round(float(times_s[after - 1] + durations_s[after - 1]), 3))
        for first, after in zip(changes[::2], changes[1::2], strict=True)
    ]


def bridge_gaps(durations_s: Floats, seen: Flags, longest_s: float) -> Flags:
    """Rows in which something is seen, and those of gaps of at most `longest_s` between two such runs."""
    changes = np.flatnonzero(np.diff(seen.astype(np.int8)))
    bridged = seen.copy()
    for last, before_next in pairwise(changes):
        gap = slice(last + 1, before_next + 1)
        if not seen[before_next] and durations_s[gap].sum() <= longest_s + _ROUNDING_S:
            bridged[gap] = True
    return bridged


def time_in_view(durations_s: Floats, seen: Flags) -> float:
    """Seconds in which something is seen."""
    return float(durations_s[seen].sum())


def distribution(values: Sequence[float] | Floats) -> Distribution:
    """Mean, extremes and percentiles (linear between neighbours, as NumPy's default)."""
    array = np.asarray(values, np.float64)
    if not array.size:
        return Distribution(*[None] * 8)
    p05, p25, median, p75, p95 = (round(float(value), 6) for value in np.percentile(array, _PERCENTILES))
    mean, low, high = (round(float(value), 6) for value in (array.mean(), array.min(), array.max()))
    return Distribution(mean, low, p05, p25, median, p75, p95, high)


def appearances(seen: Flags) -> int:
    """How often something comes into view, a start in view included."""
    return int(np.count_nonzero(np.diff(np.concatenate([[0], seen.astype(np.int8)])) == 1))
