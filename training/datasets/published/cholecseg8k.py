"""CholecSeg8k (Hong et al., arXiv:2012.12453): 8,080 frames of 17 Cholec80 videos, 13 classes, 854x480.

    videoNN/videoNN_FFFFF/frame_N_endo.png              the frame
                          frame_N_endo_watershed_mask.png   the truth: one value a class, equal in R, G and B
                          frame_N_endo_mask.png, frame_N_endo_color_mask.png    not read: sketch and picture of it

Any part of that tree will do, as long as the clips' folders keep their names. The paper numbers the classes 0 to 12;
the files hold other values (`VALUES`), and two that are no class: 255 on a border one pixel wide, 0 where the authors
left a pixel out. Both count as black background. Rare files are said to hold further values: they are refused, with
the file and the value, unless the option `stray=background` is given.

Published splits by video: `test` 12, 20, 48, 55 (Grammatikopoulou et al., A spatio-temporal network for video semantic
segmentation in surgical videos, IJCARS 2023), and 12, 48, 52, 55 (Qiu et al., Class-wise confidence-aware active
learning for laparoscopic images segmentation, IJCARS 2022). Neither has validation videos: some of the rest are drawn.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.datasets.index import ClassInfo
from training.datasets.options import Count, Seed
from training.datasets.published.carve import carve
from training.datasets.published.masks import decode_grey, read_bytes, to_ids
from training.datasets.source import SourceDataset, SourceFrame
from training.errors import DatasetError

Split = Literal["grammatikopoulou", "qiu", "drawn"]

VALUES = {50: 0, 11: 1, 21: 2, 13: 3, 12: 4, 31: 5, 23: 6, 24: 7, 25: 8, 32: 9, 22: 10, 33: 11, 5: 12}
"""Value in a watershed mask -> class id in the paper's order."""
NO_CLASS = {0: 0, 255: 0}
INSTRUMENTS = (31, 32)
"""Grasper and L-hook electrocautery."""

CLASSES = [
    ClassInfo(id=0, name="black background", colour=(0, 0, 0)),
    ClassInfo(id=1, name="abdominal wall", colour=(210, 140, 140)),
    ClassInfo(id=2, name="liver", colour=(255, 114, 114)),
    ClassInfo(id=3, name="gastrointestinal tract", colour=(231, 70, 156)),
    ClassInfo(id=4, name="fat", colour=(186, 183, 75)),
    ClassInfo(id=5, name="grasper", colour=(170, 255, 0)),
    ClassInfo(id=6, name="connective tissue", colour=(255, 85, 0)),
    ClassInfo(id=7, name="blood", colour=(255, 0, 0)),
    ClassInfo(id=8, name="cystic duct", colour=(255, 255, 0)),
    ClassInfo(id=9, name="l-hook electrocautery", colour=(169, 255, 184)),
    ClassInfo(id=10, name="gallbladder", colour=(255, 160, 165)),
    ClassInfo(id=11, name="hepatic vein", colour=(0, 50, 128)),
    ClassInfo(id=12, name="liver ligament", colour=(111, 74, 0)),
]
BINARY_CLASSES = [
    ClassInfo(id=0, name="background", colour=(0, 0, 0)),
    ClassInfo(id=1, name="instrument", colour=(64, 160, 255)),
]

TEST_VIDEOS = {
    "grammatikopoulou": {"video12", "video20", "video48", "video55"},
    "qiu": {"video12", "video48", "video52", "video55"},
}
DRAWN_TEST_SHARE = 4 / 17
CLIP = re.compile(r"(video\d+)_\d+")
FRAME, MASK = "_endo.png", "_endo_watershed_mask.png"


def read(
    source: Path,
    classes: Literal["all", "binary"] = "all",
    split: Split = "grammatikopoulou",
    validation_videos: Count = 2,
    seed: Seed = 0,
    stray: Literal["refuse", "background"] = "refuse",
) -> SourceDataset:
    """The frames under `source`. `binary` keeps the instruments as one class; a published split names the test videos,
    `drawn` takes 4 of 17; the validation videos are drawn with `seed` from the rest."""
    frames = _find(source)
    videos = {_video(path) for path in frames}
    ids = VALUES | NO_CLASS
    if classes == "binary":
        ids = {value: int(value in INSTRUMENTS) for value in ids}
    return SourceDataset(
        name="cholecseg8k",
        source="CholecSeg8k, https://www.kaggle.com/datasets/newslab/cholecseg8k",
        licence="CC BY-NC-SA 4.0; cite Hong et al., CholecSeg8k, arXiv:2012.12453, 2020",
        split_unit=f"video ({split}; validation drawn with seed {seed})",
        classes=CLASSES if classes == "all" else BINARY_CLASSES,
        splits=_splits(videos, split, validation_videos, seed),
        frames=_frames(frames, ids, stray == "background"),
        count=len(frames),
    )


def _find(source: Path) -> list[Path]:
    """Frames in the order of clip and number; a frame without mask, or a mask without frame, is an error."""
    frames = sorted(source.rglob(f"frame_*{FRAME}"), key=lambda path: (path.parent.name, _number(path)))
    if not frames:
        raise DatasetError(f"{source} holds no frame_N{FRAME}, at any depth")
    for mask in source.rglob(f"frame_*{MASK}"):
        picture = mask.with_name(mask.name.removesuffix(MASK) + FRAME)
        if not picture.is_file():
            raise DatasetError(f"{mask} belongs to no frame: {picture.name} is missing beside it")
    return frames


def _splits(videos: set[str], split: Split, validation_videos: int, seed: int) -> dict[str, list[str]]:
    if split == "drawn":
        rest, test = carve(videos, round(len(videos) * DRAWN_TEST_SHARE), seed)
    else:
        test = sorted(videos & TEST_VIDEOS[split])
        rest = sorted(videos - set(test))
    train, validation = carve(rest, validation_videos if rest else 0, seed)
    return {name: group for name, group in (("train", train), ("val", validation), ("test", test)) if group}


def _frames(paths: list[Path], ids: dict[int, int], forgiving: bool) -> Iterator[SourceFrame]:
    for path in paths:
        mask = path.with_name(path.name.removesuffix(FRAME) + MASK)
        name = f"{path.parent.name}_{_number(path):06d}"
        yield SourceFrame(id=name, group=_video(path), image=path, mask=partial(_mask, mask, ids, forgiving))


def _mask(path: Path, ids: dict[int, int], forgiving: bool) -> NDArray[np.uint8]:
    values = decode_grey(read_bytes(path), str(path))
    if forgiving:
        return to_ids(values, dict.fromkeys(range(256), 0) | ids, str(path))
    return to_ids(values, ids, str(path))


def _video(path: Path) -> str:
    match = CLIP.fullmatch(path.parent.name)
    if match is None:
        raise DatasetError(f"{path} lies in no clip folder (videoNN_FFFFF), so its video is not known")
    return match[1]


def _number(path: Path) -> int:
    text = path.name.removeprefix("frame_").removesuffix(FRAME)
    if not text.isdecimal():
        raise DatasetError(f"{path} is not called frame_N{FRAME}")
    return int(text)
