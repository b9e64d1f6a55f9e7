"""Mask files of published sets -> class ids."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError

THRESHOLD = 127
"""Between 0 and 255: masks that were saved as JPEG, or scaled, ring around both."""


def decode_grey(data: bytes, origin: str) -> NDArray[np.uint8]:
    """An 8-bit picture file -> its one channel, uint8 [H, W]. Colour is refused: a class id has no hue."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if pixels is None:
        raise DatasetError(f"{origin} is no readable picture")
    if pixels.dtype != np.uint8:
        raise DatasetError(f"{origin} holds {pixels.dtype} pixels; masks have 8 bits")
    if pixels.ndim == 3:
        colours = pixels[..., :3]
        if (colours != colours[..., :1]).any():
            raise DatasetError(f"{origin} is a colour picture; a mask has the same value in every channel")
        pixels = pixels[..., 0]
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def binarise(grey: NDArray[np.uint8], origin: str) -> NDArray[np.uint8]:
    """Greys around 0 and 255 -> 0 and 1, uint8 [H, W].

    A mask of 0 and 1 (or 0 and 100) would come out empty without a word, so it is refused.
    """
    brightest = int(grey.max(initial=0))
    if 0 < brightest <= THRESHOLD:
        raise DatasetError(f"{origin} holds greys up to {brightest} only; expected 0 (background) and 255")
    return np.asarray(grey > THRESHOLD, dtype=np.uint8)


def to_ids(values: NDArray[np.uint8], ids: Mapping[int, int], origin: str) -> NDArray[np.uint8]:
    """Values of a mask -> class ids by `ids`; raises DatasetError with the file and the values it does not name."""
    seen = set(np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist())
    unknown = sorted(seen - set(ids))
    if unknown:
        raise DatasetError(f"{origin} holds the values {unknown[:5]}; expected {sorted(ids)}")
    table = np.zeros(256, np.uint8)
    table[list(ids)] = list(ids.values())
    return np.asarray(table[values], dtype=np.uint8)


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
