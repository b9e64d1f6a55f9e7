"""Kvasir-SEG (Jha et al., MMM 2020, https://datasets.simula.no/kvasir-seg/): 1000 polyp frames.

    images/*.jpg   masks/*.jpg (JPEG: 0 and 255 with ringing)   kavsir_bboxes.json (spelt so in the archive)
    splits/train.txt, splits/val.txt, or beside the folders: the authors' 880 and 120, published apart from the archive

No frame tells its patient, so each is a group of its own.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.datasets.index import Box, ClassInfo
from training.datasets.options import Count, Seed
from training.datasets.picture_files import find_one, read_grey
from training.datasets.published.boxes import note_boxes, read_boxes
from training.datasets.published.carve import carve
from training.datasets.published.masks import binarise
from training.datasets.source import SourceDataset, SourceFrame
from training.errors import DatasetError

CLASSES = [
    ClassInfo(id=0, name="background", colour=(0, 0, 0)),
    ClassInfo(id=1, name="polyp", colour=(64, 224, 96)),
]
BOX_FILES = ("kavsir_bboxes.json", "kvasir_bboxes.json")
VALIDATION_SHARE = 0.12
"""That of the authors' lists."""


def read(
    source: Path, split: Literal["lists", "drawn"] = "lists", seed: Seed = 0, box_tolerance_px: Count = 2
) -> SourceDataset:
    """Frames of `source` in the authors' split (train 880, val 120), or in one drawn with `seed`.

    A box that does not hold its mask within `box_tolerance_px` is noted in the index.
    """
    splits = _lists(source) if split == "lists" else _drawn(source, seed)
    names = splits["train"] + splits["val"]
    return SourceDataset(
        name="kvasir-seg",
        source="Kvasir-SEG, https://datasets.simula.no/kvasir-seg/",
        licence="research and education use; cite Jha et al., Kvasir-SEG, MMM 2020",
        split_unit="frame (the authors' lists)" if split == "lists" else f"frame (drawn with seed {seed})",
        classes=CLASSES,
        splits=splits,
        frames=_frames(source, names, _boxes(source, names), box_tolerance_px),
        count=len(names),
    )


def _lists(source: Path) -> dict[str, list[str]]:
    splits = {name: _read_names(source, name) for name in ("train", "val")}
    shared = set(splits["train"]) & set(splits["val"])
    if shared:
        raise DatasetError(f"{source / 'splits'} lists {sorted(shared)[0]} in train and in val")
    return splits


def _read_names(source: Path, split: str) -> list[str]:
    try:
        path = find_one([source / "splits" / f"{split}.txt", source / f"{split}.txt"])
    except DatasetError as error:
        raise DatasetError(f"{error}; --option split=drawn draws a split instead") from error
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def _drawn(source: Path, seed: int) -> dict[str, list[str]]:
    names = sorted(path.stem for path in (source / "images").glob("*.jpg"))
    if not names:
        raise DatasetError(f"{source / 'images'} holds no *.jpg")
    train, validation = carve(names, round(VALIDATION_SHARE * len(names)), seed)
    return {"train": train, "val": validation}


def _boxes(source: Path, names: list[str]) -> dict[str, tuple[Box, ...]]:
    path = next((source / name for name in BOX_FILES if (source / name).is_file()), None)
    boxes = read_boxes(path) if path else {}
    missing = sorted(set(names) - set(boxes)) if path else []
    if missing:
        raise DatasetError(f"{path} has no boxes for {missing[0]}")
    return boxes


def _frames(
    source: Path, names: list[str], boxes: dict[str, tuple[Box, ...]], tolerance_px: int
) -> Iterator[SourceFrame]:
    for name in names:
        image, mask = source / "images" / f"{name}.jpg", source / "masks" / f"{name}.jpg"
        found = boxes.get(name, ())
        review = partial(note_boxes, mask.name, found, tolerance_px) if found else None
        yield SourceFrame(name, name, image, partial(_mask, mask), found, review)


def _mask(path: Path) -> NDArray[np.uint8]:
    return binarise(read_grey(find_one([path])), str(path))
