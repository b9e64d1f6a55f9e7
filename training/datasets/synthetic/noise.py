"""Smooth random fields, the raw material of tissue, smoke and wear. Deterministic in the generator that is passed in."""

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


def smooth_field(rng: np.random.Generator, height: int, width: int, cells: float) -> Floats:
    """Smooth noise float32 [height, width], about unit variance, with `cells` bumps across the longer side."""
    per_pixel = cells / max(height, width)
    grid = rng.standard_normal((int(height * per_pixel) + 4, int(width * per_pixel) + 4), dtype=np.float32)
    offset = rng.random(2, dtype=np.float32) + 1.0
    # The grid's own lines must not coincide with the frame's, or bumps line up along its borders.
    to_grid = np.array([[per_pixel, 0, offset[0]], [0, per_pixel, offset[1]]], dtype=np.float64)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    field: Floats = cv2.warpAffine(grid, to_grid, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return field


def fractal_field(
    rng: np.random.Generator, height: int, width: int, cells: float, octaves: int, gain: float = 0.5
) -> Floats:
    """Sum of `octaves` smooth fields, each with twice the cells and `gain` times the amplitude of the one before."""
    total = smooth_field(rng, height, width, cells)
    for octave in range(1, octaves):
        total += np.float32(gain**octave) * smooth_field(rng, height, width, cells * 2**octave)
    return total


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
    bent: Floats = cv2.remap(field, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return bent
