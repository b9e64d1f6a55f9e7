"""Small files in the layouts of published data sets: pictures, masks and videos of a few pixels."""

from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (16, 32)
"""Height, width of every picture here, unless a test says otherwise."""


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """Pixels as OpenCV has them (grey, BGR or BGRA), in the format of the name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def flat(grey: int) -> NDArray[np.uint8]:
    """[16, 32, 3]."""
    return np.full((*SIZE, 3), grey, np.uint8)


def halves(left: int, right: int) -> NDArray[np.uint8]:
    """[16, 32]: a left and a right half."""
    return np.repeat(np.array([[left] * 16 + [right] * 16], np.uint8), 16, axis=0)


def channels(grey: NDArray[np.uint8], count: int = 3) -> NDArray[np.uint8]:
    """[H, W] -> [H, W, 3], or with an alpha of 255 [H, W, 4]."""
    return np.dstack([grey, grey, grey, np.full_like(grey, 255)][:count])


def write_video(path: Path, greys: list[int], rate: int = 60) -> Path:
    """An AVI of MPEG-4 with B-frames, each picture of one grey, so that a frame tells its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate, options={"bf": "2"})
        stream.width, stream.height = 64, 48
        stream.pix_fmt, stream.bit_rate = "yuv420p", 8_000_000
        for grey in greys:
            picture = np.full((48, 64, 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
