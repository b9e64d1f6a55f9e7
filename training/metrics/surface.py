"""How far outlines are apart: normalised surface distance (NSD) and the 95th percentile Hausdorff distance (HD95).

The outline of a mask is its pixels with a neighbour (above, below, left, right) outside the mask; the frame's border
counts as outside. Distances are Euclidean, from pixel centre to the nearest outline pixel of the other mask.

NSD (Nikolov et al., 2021, "surface Dice"): share of both outlines' pixels that lie within the tolerance of the other.
HD95: the larger of the two directed 95th percentiles (linear interpolation), as in MONAI.

Empty masks: neither mask holds the class: NSD 1, HD95 0. Only one holds it: NSD 0, HD95 the frame's diagonal, the
largest distance there can be; a frame that misses everything must not vanish from the mean.
"""

from dataclasses import dataclass
from math import hypot

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
F32 = NDArray[np.float32]

TOLERANCE_SHARE = 0.01
"""Of the frame's diagonal: 8 pixels at 640x480, 9 at 720x576, 22 at 1920x1080."""

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_SLACK = 1e-3
"""float32 distances of an exact tolerance must count as within."""


@dataclass(frozen=True)
class SurfaceScores:
    nsd: float
    hd95_px: float


def tolerance_px(height: int, width: int, share: float = TOLERANCE_SHARE) -> float:
    """In pixels of a frame, at least one."""
    return max(1.0, share * hypot(height, width))


def surface_scores(predicted: Mask, truth: Mask, tolerance: float) -> SurfaceScores:
    """0/1 masks uint8 [H, W] of one class, `tolerance` in pixels. Raises ValueError for masks of different size."""
    if predicted.shape != truth.shape:
        raise ValueError(f"prediction is {predicted.shape}, truth {truth.shape}; distances need equal sizes")
    left, top, width, height = cv2.boundingRect(predicted | truth)
    if not width:
        return SurfaceScores(1.0, 0.0)
    box = slice(top, top + height), slice(left, left + width)
    outlines = outline(predicted[box]), outline(truth[box])
    if not all(edge.any() for edge in outlines):
        return SurfaceScores(0.0, hypot(*truth.shape))
    there, back = _distances(*outlines), _distances(outlines[1], outlines[0])
    within = np.count_nonzero(there <= tolerance + _SLACK) + np.count_nonzero(back <= tolerance + _SLACK)
    furthest = max(float(np.percentile(there, 95)), float(np.percentile(back, 95)))
    return SurfaceScores(float(within / (there.size + back.size)), furthest)


def outline(mask: Mask) -> Mask:
    """0/1 mask uint8 [H, W] -> its outline, 0/1 uint8 [H, W]."""
    inner = cv2.erode(np.ascontiguousarray(mask), _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(mask - inner, np.uint8)


def _distances(outline_from: Mask, outline_to: Mask) -> F32:
    """From every pixel of one outline to the nearest of the other, float32 [n]."""
    field = cv2.distanceTransform(1 - outline_to, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(field[outline_from > 0], np.float32)
