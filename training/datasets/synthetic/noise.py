"""Smooth random fields, the raw material of tissue, smoke and wear; all randomness comes from the generator given."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Matrix = npt.NDArray[Any]  # any numbers; what OpenCV gives back


def fractal_field(
    rng: np.random.Generator, height: int, width: int, cells: float, octaves: int, gain: float = 0.5
) -> Floats:
    """Noise float32 [height, width] with about `cells` bumps across the longer side.

    The coarsest octave has unit variance; every further one has twice the cells and `gain` times the amplitude. Grown
    coarse to fine, so that the cost is that of one enlargement and not of one for each octave.
    """
    per_pixel = cells / max(height, width)
    grid = rng.standard_normal((int(height * per_pixel) + 2, int(width * per_pixel) + 2), dtype=np.float32)
    for octave in range(1, octaves):
        rows, columns = (2 * side for side in grid.shape)
        detail = np.float32(gain**octave) * rng.standard_normal((rows, columns), dtype=np.float32)
        grid = np.asarray(cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float32) + detail
    # Cut out of a larger field at a random place: the grid's own lines must not coincide with the frame's borders.
    size = (int(width * 1.15), int(height * 1.15))
    top, left = rng.integers(0, size[1] - height + 1), rng.integers(0, size[0] - width + 1)
    field = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)[top : top + height, left : left + width]
    return np.ascontiguousarray(field, dtype=np.float32)


def smooth_field(rng: np.random.Generator, height: int, width: int, cells: float) -> Floats:
    """Noise of one octave, float32 [height, width], about unit variance, `cells` bumps across the longer side."""
    return fractal_field(rng, height, width, cells, octaves=1)


def lobule_field(rng: np.random.Generator, height: int, width: int, cells: float) -> Floats:
    """Rounded bumps that touch in creases, float32 [height, width] from 0 (crease) to 1 (top): fat, bowel loops."""
    spacing = max(height, width) / cells
    count = max(3, int(height * width / spacing**2))
    seeds = np.full((height, width), 255, np.uint8)
    seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    distance = cv2.distanceTransform(seeds, cv2.DIST_L2, 5) / np.float32(0.75 * spacing)
    return np.asarray(np.clip(1.0 - distance * distance, 0.0, 1.0), dtype=np.float32)


def bend(rng: np.random.Generator, field: Floats, cells: float, shift_px: float) -> Floats:
    """Domain warping: the field sampled at randomly displaced places, so that straight structures become organic."""
    height, width = field.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    columns += np.float32(shift_px) * smooth_field(rng, height, width, cells)
    rows += np.float32(shift_px) * smooth_field(rng, height, width, cells)
    return np.asarray(cv2.remap(field, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32)
