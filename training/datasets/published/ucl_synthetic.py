"""UCL ex-vivo dVRK set ("Synthetic MICCAI 2020"; Colleoni et al., Synthetic and Real Inputs for Tool Segmentation in
Robotic Surgery, MICCAI 2020, arXiv:2007.09107): 14 videos of 300 frames, 701x538 in the release.

    Video_NN/images/000.png .. 299.png    tissue behind instruments that were filmed before a green screen
             ground_truth/000.png ..      0 background, 255 instrument, in three channels
             green_screen/, kinematic.mat     not read

The folders may lie at any depth. The paper trains on 8 videos, validates on 2 and tests on 4; which ones, the release
does not say, so they are taken in the order of their numbers (neighbours, which share a background, stay together).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets.index import ClassInfo
from training.datasets.options import Count
from training.datasets.published.masks import binarise, decode_grey, read_bytes
from training.datasets.source import SourceDataset, SourceFrame
from training.errors import DatasetError

CLASSES = [
    ClassInfo(id=0, name="background", colour=(0, 0, 0)),
    ClassInfo(id=1, name="instrument", colour=(64, 160, 255)),
]


def read(source: Path, validation_videos: Count = 2, test_videos: Count = 4) -> SourceDataset:
    """All videos under `source`: the last `test_videos` are held out, the `validation_videos` before them validate."""
    videos = sorted(path.parent for path in source.rglob("ground_truth") if path.is_dir())
    if not videos:
        raise DatasetError(f"{source} holds no Video_NN/ground_truth, at any depth")
    videos.sort(key=lambda path: path.name)
    pairs = [pair for video in videos for pair in _pairs(video)]
    return SourceDataset(
        name="ucl-synthetic",
        source="UCL ex-vivo dVRK segmentation dataset with kinematic data, https://www.ucl.ac.uk/interventional-"
        "surgical-sciences/weiss-open-research/weiss-open-data-server/ex-vivo-dvrk-segmentation-dataset-kinematic-data",
        licence="research use; cite Colleoni et al., Synthetic and Real Inputs for Tool Segmentation, MICCAI 2020",
        split_unit="video (in the order of their numbers)",
        classes=CLASSES,
        splits=_splits([video.name for video in videos], validation_videos, test_videos, source),
        frames=_frames(pairs),
        count=len(pairs),
    )


def _splits(names: list[str], validation: int, test: int, source: Path) -> dict[str, list[str]]:
    train = len(names) - validation - test
    if train < 1:
        raise DatasetError(
            f"{source} holds {len(names)} videos: {validation} for validation and {test} for the test leave none to "
            "train on; ask for fewer with --option validation_videos=N --option test_videos=N"
        )
    parts = {"train": names[:train], "val": names[train : train + validation], "test": names[train + validation :]}
    return {name: videos for name, videos in parts.items() if videos}


def _pairs(video: Path) -> list[tuple[Path, Path]]:
    """(frame, mask) by name; a frame without mask, or a mask without frame, is an error."""
    images = {path.name: path for path in (video / "images").glob("*.png")}
    masks = {path.name: path for path in (video / "ground_truth").glob("*.png")}
    odd = sorted(images.keys() ^ masks.keys())
    if odd:
        lacking = "ground_truth" if odd[0] in images else "images"
        raise DatasetError(f"{video / lacking / odd[0]} is missing: every frame has a mask of the same name")
    if not images:
        raise DatasetError(f"{video / 'images'} holds no frames")
    return [(images[name], masks[name]) for name in sorted(images)]


def _frames(pairs: list[tuple[Path, Path]]) -> Iterator[SourceFrame]:
    for image, mask in pairs:
        video = image.parent.parent.name
        yield SourceFrame(id=f"{video}_{image.stem}", group=video, image=image, mask=partial(_mask, mask))


def _mask(path: Path) -> NDArray[np.uint8]:
    return binarise(decode_grey(read_bytes(path), str(path)), str(path))
