"""Mask files of users: binary, indexed or colour-coded, in whatever mode a picture editor saved them."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from training.errors import DatasetError

U8 = NDArray[np.uint8]
THRESHOLD = 127
"""Between 0 and 255: JPEG and smooth edges ring around both."""

_CODES = np.array([65536, 256, 1])


def read_binary(path: Path) -> U8:
    """0/255 (or 0/1) -> 0/1 uint8 [H, W]. Values that mean something else are refused rather than lost."""
    values = _values(path)
    brightest = int(values.max(initial=0))
    if brightest <= 1:
        return values
    if brightest <= THRESHOLD:
        seen = np.unique(values)[:6].tolist()
        raise DatasetError(
            f"{path} holds the values {seen}: no binary mask; for class ids give --option classes=NAME,..."
        )
    return np.asarray(values > THRESHOLD, np.uint8)


def read_index(path: Path, known: Collection[int]) -> U8:
    """Class ids as pixel values (of a palette: its indices) -> uint8 [H, W]; raises for values not `known`."""
    values = _values(path)
    unknown = [int(v) for v in np.flatnonzero(np.bincount(values.ravel(), minlength=256)) if int(v) not in known]
    if unknown:
        raise DatasetError(f"{path} holds the values {unknown[:5]}; the classes have {sorted(known)}")
    return values


def read_colours(path: Path, table: Mapping[tuple[int, int, int], int]) -> U8:
    """Colours -> class ids uint8 [H, W]; raises for a colour that the table does not name."""
    rgb = np.asarray(_open(path).convert("RGB"), np.int64) @ _CODES
    codes = np.array(sorted((np.array(colour) @ _CODES, class_id) for colour, class_id in table.items()))
    place = np.minimum(np.searchsorted(codes[:, 0], rgb), len(codes) - 1)
    wrong = codes[place, 0] != rgb
    if wrong.any():
        seen = [(int(c) >> 16, int(c) >> 8 & 255, int(c) & 255) for c in np.unique(rgb[wrong])[:5]]
        raise DatasetError(f"{path} holds the colours {seen}, which the colour table does not name")
    return np.asarray(codes[place, 1], np.uint8)


def _values(path: Path) -> U8:
    """uint8 [H, W]: indices of a palette, else the one grey channel."""
    picture = _open(path)
    if picture.mode in ("P", "L"):
        return np.asarray(picture, np.uint8)
    if picture.mode == "1":
        return np.asarray(picture, np.uint8) * np.uint8(255)
    if picture.mode in ("LA", "RGB", "RGBA", "PA"):
        channels = np.asarray(picture.convert("RGB"), np.uint8)
        if (channels != channels[..., :1]).any():
            raise DatasetError(f"{path} is a colour picture; give its colour table with --option colours=FILE")
        return np.ascontiguousarray(channels[..., 0])
    values = np.asarray(picture)
    if values.ndim != 2 or values.min(initial=0) < 0 or values.max(initial=0) > 255:
        raise DatasetError(f"{path} holds {picture.mode} pixels; masks have values of 0 to 255")
    return values.astype(np.uint8)


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path} is missing or no readable picture: {error}") from error
