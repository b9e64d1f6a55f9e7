"""CholecSeg8k, in the layout of the release: four PNG files a frame, clips of 80 frames in a folder each."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.published.pictures import channels, flat, write_picture

VIDEOS = (1, 9, 12, 17, 18, 20, 24, 25, 26, 27, 28, 35, 37, 43, 48, 52, 55)
VALUES = (50, 11, 21, 13, 12, 31, 23, 24, 25, 32, 22, 33, 5)


def watershed() -> NDArray[np.uint8]:
    """[16, 32]: a white border one pixel wide, a column for each class from left to right, and 0 in the rest."""
    mask = np.zeros((16, 32), np.uint8)
    for column, value in enumerate(VALUES, start=1):
        mask[:, column] = value
    mask[0] = mask[-1] = mask[:, 0] = mask[:, -1] = 255
    return mask


def write_frame(root: Path, video: int, number: int, mask: NDArray[np.uint8] | None = None) -> Path:
    """Clips begin at frames divisible by 80."""
    clip = root / f"video{video:02d}" / f"video{video:02d}_{number // 80 * 80:05d}"
    stem = f"frame_{number}_endo"
    write_picture(clip / f"{stem}.png", flat(80))
    for kind in ("mask", "color_mask"):
        write_picture(clip / f"{stem}_{kind}.png", flat(1))
    return write_picture(clip / f"{stem}_watershed_mask.png", channels(watershed() if mask is None else mask))
