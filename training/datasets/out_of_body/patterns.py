"""Plain geometry: what a net might take for a shaft because it is straight, round, grey or shiny."""

import cv2
import numpy as np

from training.datasets.synthetic.noise import Bytes
from training.datasets.synthetic.pixels import as_bytes, blurred


def gradient(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """From one colour to another, along a line or outwards."""
    y, x = np.mgrid[:height, :width] / max(height, width) - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    along = np.hypot(x, y) * 1.4 if rng.random() < 0.4 else x * np.cos(angle) + y * np.sin(angle) + 0.5
    first, second = rng.uniform(0, 256, (2, 3))
    return as_bytes(first + np.clip(along, 0, 1)[..., None] * (second - first))


def shapes(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Ellipses, rectangles and triangles of flat colours over one another."""
    picture = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(rng.integers(3, 18)):
        colour = rng.integers(0, 256, 3).tolist()
        place = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.uniform(0.02, 0.3) * width), int(rng.uniform(0.02, 0.3) * width))
        kind = rng.integers(3)
        if kind == 0:
            cv2.ellipse(picture, place, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
            continue
        corners = np.array(place) + rng.uniform(-1, 1, (3 if kind == 1 else 5, 2)) * axes[0]
        cv2.fillPoly(picture, [cv2.convexHull(corners.astype(np.int32))], colour, cv2.LINE_AA)
    return blurred(picture, float(rng.uniform(0.5, 5)))


def stripes(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Blinds, grilles, radiators: bars of two colours, hard or soft."""
    angle, period = rng.uniform(0, np.pi), rng.uniform(0.02, 0.2) * width
    y, x = np.mgrid[:height, :width]
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    share = 0.5 + 0.5 * np.tanh(wave * rng.choice((0.7, 3.0, 20.0)))
    first, second = rng.uniform(0, 256, (2, 3))
    return as_bytes(first + share[..., None] * (second - first))
