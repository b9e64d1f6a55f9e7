"""SAR-RARP50: archives with a real video of a few frames, made as the release has them."""

import shutil
import zipfile
from pathlib import Path

import numpy as np

from tests.support.published.pictures import write_picture, write_video

GREYS = [20 * number for number in range(8)]
MASKED = (0, 3, 6)


def square_mask(value: int) -> np.ndarray:
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 10:20] = value
    return mask


def write_recording(folder: Path, values: dict[int, int] | None = None) -> Path:
    """A folder as an archive unpacks to: the frame's grey is 20 times its number."""
    write_video(folder / "video_left.avi", GREYS)
    for number, value in (values or dict.fromkeys(MASKED, 9)).items():
        write_picture(folder / "segmentation" / f"{number:09d}.png", square_mask(value))
    (folder / "action_discrete.txt").write_text("0 1\n")
    return folder


def pack(folder: Path, inner: str = "") -> Path:
    """`folder` -> folder.zip beside it; `inner` is a folder inside of the archive."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{inner}{file.relative_to(folder)}")
    shutil.rmtree(folder)
    return path
