"""Kvasir-SEG (Jha et al., MMM 2020): 1000 polyp frames, `images/*.jpg`, `masks/*.jpg`, split lists of the authors."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from training.datasets.base import ClassInfo, SourceDataset, SourceFrame, find_one, read_grey
from training.errors import DatasetError

MASK_THRESHOLD = 127
"""Masks are JPEG files: their edges ring around 0 and 255."""

CLASSES = [
    ClassInfo(id=0, name="background", colour=(0, 0, 0)),
    ClassInfo(id=1, name="polyp", colour=(64, 224, 96)),
]


def read(source: Path) -> SourceDataset:
    """Frames of `source` in the authors' split (train 880, val 120). Every frame is a group of its own."""
    splits = {name: _read_names(source, name) for name in ("train", "val")}
    shared = set(splits["train"]) & set(splits["val"])
    if shared:
        raise DatasetError(f"{source / 'splits'} lists {sorted(shared)[0]} in train and in val")
    return SourceDataset(
        name="kvasir-seg",
        source="Kvasir-SEG, https://datasets.simula.no/kvasir-seg/",
        licence="research and education use; cite Jha et al., Kvasir-SEG, MMM 2020",
        split_unit="frame (the authors' lists)",
        classes=CLASSES,
        splits=splits,
        frames=_frames(source, splits["train"] + splits["val"]),
    )


def _read_names(source: Path, split: str) -> list[str]:
    path = find_one([source / "splits" / f"{split}.txt", source / f"{split}.txt"])
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def _frames(source: Path, names: list[str]) -> Iterator[SourceFrame]:
    for name in names:
        image = find_one([source / "images" / f"{name}.jpg"])
        grey = read_grey(find_one([source / "masks" / f"{name}.jpg"]))
        mask = cv2.threshold(grey, MASK_THRESHOLD, 1, cv2.THRESH_BINARY)[1]
        yield SourceFrame(id=name, group=name, image=image, mask=np.asarray(mask, dtype=np.uint8))
