"""Kvasir-Instrument (Jha et al., MMM 2021, https://datasets.simula.no/kvasir-instrument/): 590 frames, one class.

    images/*.jpg   masks/*.png (0, 255; three channels)   bboxes.json   train.txt (472), test.txt (118)

The archive holds images.tar.gz and masks.tar.gz: unpack them in place.

Two splits. `authors` is that of the lists. `published` is that of the DeepLabV3+ whose Dice of 0.9013 the presets are
compared with: it reports 531 frames to train, 80 to validate and 59 to test, which are 670 of 590. The numbers are
those of two draws, 10 % of 590 (59, leaves 531), then 15 % of 531 (80), the second without taking the 80 away from the
531: its validation frames were trained on (Dice 0.976 there, 0.978 in training, 0.901 in the test). Here they are taken
away: 451 / 80 / 59. To repeat the published run, name `val` among the training data of the preset too.
Which frames were drawn is not published; `seed` draws them. No frame tells its patient, so each is a group of its own.
"""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.index import Box, ClassInfo
from training.datasets.options import Count, Seed
from training.datasets.picture_files import find_one
from training.datasets.published.boxes import note_boxes, read_boxes
from training.datasets.published.carve import carve
from training.datasets.published.masks import binarise, decode_grey, read_bytes
from training.datasets.source import SourceDataset, SourceFrame
from training.errors import DatasetError

CLASSES = [
    ClassInfo(id=0, name="background", colour=(0, 0, 0)),
    ClassInfo(id=1, name="instrument", colour=(64, 160, 255)),
]
TEST_SHARE = 0.10
VALIDATION_SHARE = 0.15
"""Of what the test leaves; both rounded up, as scikit-learn's train_test_split does."""


def read(
    source: Path,
    dilate_px: Count = 0,
    split: Literal["published", "authors"] = "published",
    seed: Seed = 0,
    box_tolerance_px: Count = 2,
) -> SourceDataset:
    """All frames. `dilate_px` grows the masks by a disc of that radius (the published system did; how far is not said).

    A box that does not hold its mask within `box_tolerance_px` is noted in the index.
    """
    names = _paired_names(source)
    boxes = _boxes(source, names)
    return SourceDataset(
        name="kvasir-instrument",
        source="Kvasir-Instrument, https://datasets.simula.no/kvasir-instrument/",
        licence="research and education use; cite Jha et al., Kvasir-Instrument, MMM 2021",
        split_unit=f"frame ({split} split, drawn with seed {seed})",
        classes=CLASSES,
        splits=_published(names, seed) if split == "published" else _authors(source, names, seed),
        frames=_frames(source, names, dilate_px, boxes, box_tolerance_px),
        count=len(names),
    )


def dilate(mask: NDArray[np.uint8], radius_px: int) -> NDArray[np.uint8]:
    """uint8 [H, W] of 0 and 1: every pixel within `radius_px` of a set one is set."""
    if radius_px == 0:
        return mask
    steps = np.arange(-radius_px, radius_px + 1)
    disc = (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius_px**2).astype(np.uint8)
    return np.asarray(cv2.dilate(mask, disc), dtype=np.uint8)


def _paired_names(source: Path) -> list[str]:
    images = {path.stem for path in (source / "images").glob("*.jpg")}
    masks = {path.stem for path in (source / "masks").glob("*.png")}
    packed = [name for name in ("images.tar.gz", "masks.tar.gz") if (source / name).is_file()]
    if packed and not (images and masks):
        raise DatasetError(f"{source / packed[0]} is still packed: unpack it in place (tar -xzf {packed[0]})")
    if not images:
        raise DatasetError(f"{source / 'images'} holds no *.jpg")
    odd = sorted(images ^ masks)
    if odd:
        lacking = source / ("masks" if odd[0] in images else "images")
        raise DatasetError(f"{lacking} lacks {odd[0]}: every frame has a mask of the same name")
    return sorted(images)


def _published(names: list[str], seed: int) -> dict[str, list[str]]:
    kept, test = carve(names, math.ceil(TEST_SHARE * len(names)), seed)
    train, validation = carve(kept, math.ceil(VALIDATION_SHARE * len(kept)), seed)
    return {"train": train, "val": validation, "test": test}


def _authors(source: Path, names: list[str], seed: int) -> dict[str, list[str]]:
    listed = {split: find_one([source / f"{split}.txt"]).read_text().split() for split in ("train", "test")}
    shared = sorted(set(listed["train"]) & set(listed["test"]))
    if shared:
        raise DatasetError(f"{source} lists {shared[0]} in train.txt and in test.txt")
    missing = sorted({*listed["train"], *listed["test"]} - set(names))
    if missing:
        raise DatasetError(f"{source / 'images'} lacks {missing[0]}, which the lists name")
    train, validation = carve(listed["train"], math.ceil(VALIDATION_SHARE * len(listed["train"])), seed)
    return {"train": train, "val": validation, "test": listed["test"]}


def _boxes(source: Path, names: list[str]) -> dict[str, tuple[Box, ...]]:
    path = source / "bboxes.json"
    boxes = read_boxes(path) if path.is_file() else {}
    missing = sorted(set(names) - set(boxes)) if boxes else []
    if missing:
        raise DatasetError(f"{path} has no boxes for {missing[0]}")
    return boxes


def _frames(
    source: Path, names: list[str], dilate_px: int, boxes: dict[str, tuple[Box, ...]], tolerance_px: int
) -> Iterator[SourceFrame]:
    for name in names:
        path = source / "masks" / f"{name}.png"
        found = boxes.get(name, ())
        review = partial(note_boxes, path.name, found, tolerance_px + dilate_px) if found else None
        image = source / "images" / f"{name}.jpg"
        yield SourceFrame(name, name, image, partial(_mask, path, dilate_px), found, review)


def _mask(path: Path, dilate_px: int) -> NDArray[np.uint8]:
    return dilate(binarise(decode_grey(read_bytes(path), str(path)), str(path)), dilate_px)
