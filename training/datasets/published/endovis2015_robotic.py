"""EndoVis 2015 robotic: clips of 720x576 at 25 fps with a mask video for every frame.

    videos/DatasetN/Video.avi   mask_videos/DatasetN/*Segmentation.avi (H.264: snapped to 0, 70 tip, 160 shaft)

A clip with two instruments has one mask video for each; the larger grey counts, as both are never set in truth.
"""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from training.datasets.published.endovis2015 import CLASSES, LICENCE, SOURCE, snap
from training.datasets.source import SourceDataset, SourceFrame
from training.errors import DatasetError

SPLITS = {"train": ["Dataset1", "Dataset2"], "test": ["Dataset3"]}
"""By clip: each is one scene."""

FRAME_STEP = 5
"""Neighbours at 25 fps are alike: every fifth frame (5 a second) is kept."""


def read(source: Path, frame_step: int = FRAME_STEP) -> SourceDataset:
    """Every `frame_step`-th frame of each clip, the first included."""
    if frame_step < 1:
        raise DatasetError(f"frame_step is {frame_step}; it is at least 1")
    return SourceDataset(
        name="endovis2015-robotic",
        source=f"{SOURCE} (robotic), every {frame_step}th frame",
        licence=LICENCE,
        split_unit="clip",
        classes=CLASSES,
        splits=SPLITS,
        frames=_frames(source, frame_step),
    )


def _frames(source: Path, frame_step: int) -> Iterator[SourceFrame]:
    for clip in [group for groups in SPLITS.values() for group in groups]:
        masks = sorted((source / "mask_videos" / clip).glob("*Segmentation.avi"))
        if not masks:
            raise DatasetError(f"{source / 'mask_videos' / clip} holds no *Segmentation.avi")
        video = source / "videos" / clip / "Video.avi"
        for index, (picture, *greys) in enumerate(_in_step(video, masks)):
            if index % frame_step == 0:
                mask = snap(np.maximum.reduce([_rgb(grey)[..., 0] for grey in greys]))
                yield SourceFrame(f"{clip}_{index:05d}", clip, _rgb(picture), mask)


def _in_step(video: Path, masks: list[Path]) -> Iterator[tuple[av.VideoFrame, ...]]:
    """Frames of all videos side by side; a video that ends before the others is an error."""
    streams = [_decode(path) for path in (video, *masks)]
    for index, pictures in enumerate(zip_longest(*streams)):
        if any(picture is None for picture in pictures):
            names = [path.name for path in masks]
            raise DatasetError(f"{video} and its masks {names} differ in length after {index} frames")
        yield pictures


def _rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """RGB uint8 [H, W, 3]."""
    return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def _decode(path: Path) -> Iterator[av.VideoFrame]:
    if not path.is_file():
        raise DatasetError(f"{path} is missing")
    try:
        with av.open(str(path)) as container:
            yield from container.decode(video=0)
    except av.error.FFmpegError as error:
        raise DatasetError(f"{path} cannot be decoded: {error}") from error
