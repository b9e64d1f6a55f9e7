"""Where instrument and tissue meet: shadows beneath, folds of tissue over the tips, blood on the metal."""

import cv2
import numpy as np

from training.datasets.synthetic.instruments import Layer
from training.datasets.synthetic.noise import Bytes, Floats, fractal_field, smooth_field
from training.datasets.synthetic.pixels import as_bytes, blurred, enlarged, shaded


class Shadow:
    """The soft dark band that an instrument throws on what lies beneath it."""

    def __init__(self, rng: np.random.Generator, height: int) -> None:
        self._offset = rng.uniform(-0.05, 0.05, 2) * height
        self._soft_px = rng.uniform(0.008, 0.035) * height
        self._depth = rng.uniform(0.1, 0.65)

    def cast(self, picture: Bytes, alpha: Bytes) -> Bytes:
        """`picture` RGB [H, W, 3] under an instrument of coverage `alpha` [H, W]."""
        height, width = alpha.shape
        size = (max(width // 4, 1), max(height // 4, 1))
        small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
        shift = np.array([[1, 0, self._offset[0] / 4], [0, 1, self._offset[1] / 4]])
        small = cv2.warpAffine(small, shift, size, borderMode=cv2.BORDER_REPLICATE)
        small = cv2.bitwise_not(blurred(as_bytes(small), max(self._soft_px / 4, 0.5)))
        light = cv2.convertScaleAbs(small, alpha=self._depth, beta=255 * (1 - self._depth))
        return shaded(picture, as_bytes(cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)))


class Fold:
    """Tissue over a part of the tip, that goes with it; in two frames of three there is none."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self._kept: Bytes | None = None
        if rng.random() < 0.3:
            small_height, small_width = max(height // 2, 8), max(width // 2, 8)
            blob = fractal_field(rng, small_height, small_width, rng.uniform(5, 14), 2) - np.float32(rng.uniform(0, 1))
            rows = np.linspace(-1, 1, small_height, dtype=np.float32)[:, None] * np.float32(height / width)
            columns = np.linspace(-1, 1, small_width, dtype=np.float32)
            blob -= np.float32(4.0) * np.hypot(columns, rows)  # only near the tip, which is in the middle
            self._kept = enlarged(as_bytes((0.5 - blob * 6.0) * 255), 2 * height, 2 * width)

    def cover(self, layer: Layer, tip: Floats) -> Layer:
        """What can still be seen of an instrument whose tip's middle is at `tip` (x, y)."""
        if self._kept is None:
            return layer
        height, width = layer.tip_alpha.shape
        shift = np.array([[1, 0, tip[0] - width], [0, 1, tip[1] - height]], np.float64)
        kept = as_bytes(cv2.warpAffine(self._kept, shift, (width, height), borderValue=(255.0,)))
        return Layer(shaded(layer.pixels, kept), shaded(layer.tip_alpha, kept))


class Stains:
    """Blood on the instruments, in three frames of ten."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self._kept: Bytes | None = None
        if rng.random() < 0.3:
            blob = smooth_field(rng, height // 4 + 1, width // 4 + 1, rng.uniform(6, 16)) - np.float32(
                rng.uniform(0.8, 1.6)
            )
            amount = enlarged(as_bytes(blob * 765), height, width)
            parts = [cv2.convertScaleAbs(amount, alpha=share) for share in (0.3, 0.85, 0.8, 0.0)]
            self._kept = as_bytes(cv2.bitwise_not(cv2.merge(parts)))

    def on(self, sprite: Bytes) -> Bytes:
        """The stained sprite; its coverage stays."""
        return sprite if self._kept is None else as_bytes(cv2.multiply(sprite, self._kept, scale=1 / 255))
