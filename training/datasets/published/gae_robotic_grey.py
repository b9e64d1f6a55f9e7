"""Grey robotic frames of 470x320 with tool masks: `<group>/images/Grayscale Image N.jpg`, `<group>/masks/Mask N.png`.

Four folders of few scenes, neighbours alike: each folder is one group, and none is more than a hint of new scenes.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets.index import ClassInfo
from training.datasets.picture_files import read_grey
from training.datasets.published.masks import binarise
from training.datasets.source import SourceDataset, SourceFrame
from training.errors import DatasetError

GROUPS = ["Alpha_training", "Beta_training", "Beta_validation", "Testing"]
CLASSES = [
    ClassInfo(id=0, name="background", colour=(0, 0, 0)),
    ClassInfo(id=1, name="instrument", colour=(64, 160, 255)),
]


def read(source: Path) -> SourceDataset:
    """All frames; no split of its own."""
    return SourceDataset(
        name="gae-robotic-grey",
        source="grey robotic frames, every fourth pair",
        licence="research use; cite the authors",
        split_unit="folder",
        classes=CLASSES,
        splits={},
        frames=_frames(source),
    )


def _frames(source: Path) -> Iterator[SourceFrame]:
    for group in GROUPS:
        images = sorted((source / group / "images").glob("Grayscale Image *.jpg"), key=_number)
        if not images:
            raise DatasetError(f"{source / group / 'images'} holds no 'Grayscale Image N.jpg'")
        for image in images:
            mask = source / group / "masks" / f"Mask {_number(image)}.png"
            yield SourceFrame(f"{group}_{_number(image):04d}", group, image, partial(_mask, mask))


def _mask(path: Path) -> NDArray[np.uint8]:
    return binarise(read_grey(path), str(path))


def _number(path: Path) -> int:
    return int(path.stem.rsplit(" ", 1)[1])
