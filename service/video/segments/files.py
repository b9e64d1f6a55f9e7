"""The files of one segment: rows, masks, the annotated pictures, and samples for the report."""

import json
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from service.imaging.geometry import U8
from service.video.decoding.planes import Planes, to_frame, to_rgb
from service.video.rows import FrameRow
from service.video.segments.work import VideoWork
from service.video.segments.writer import SegmentWriter

_SAMPLE_WIDTH = 480
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""Fixed, so that the same masks make the same file."""


class SegmentFiles:
    """Context: what a segment's frames are written to, in their order."""

    def __init__(self, work: VideoWork, folder: Path) -> None:
        self._work = work
        self._folder = folder
        self._writer: SegmentWriter | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._rows = self._stack.enter_context((self._folder / "rows.jsonl").open("w"))
        self._masks: zipfile.ZipFile | None = None
        if "masks" in self._work.options.outputs:
            path = self._folder / "masks.zip"
            self._masks = self._stack.enter_context(zipfile.ZipFile(path, "w", zipfile.ZIP_STORED))
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    @property
    def starts_at(self) -> int | None:
        """When the first picture is shown, in the video's time base; None when there is none."""
        return self._writer.starts_at if self._writer else None

    def finish(self) -> None:
        """Encode what the encoder still holds, and close the files."""
        self._stack.close()

    def write_row(self, row: FrameRow) -> None:
        self._rows.write(json.dumps(row.flat(self._work.class_names)) + "\n")

    def write_mask(self, number: int, mask_png: bytes) -> None:
        if self._masks is not None:
            self._masks.writestr(zipfile.ZipInfo(mask_name(number), _ZIP_DATE), mask_png)

    def write_picture(self, planes: Planes, shown_at: int) -> None:
        """Encode a picture, which nobody draws on any more."""
        if self._writer is None:
            video = self._work.video_format(planes.colour)
            self._writer = SegmentWriter(self._folder / "annotated.mp4", video, self._work.threads)
            self._stack.callback(self._writer.close)
        self._writer.write(to_frame(planes), shown_at)


def save_sample(folder: Path, number: int, planes: Planes) -> None:
    """A small picture of a frame, for the report."""
    rgb = to_rgb(planes)
    height = max(1, round(rgb.shape[0] * _SAMPLE_WIDTH / rgb.shape[1]))
    small = cv2.resize(rgb, (_SAMPLE_WIDTH, height), interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    (folder / f"sample-{number:08d}.jpg").write_bytes(encoded.tobytes())


def save_edges(folder: Path, first: U8, last: U8) -> None:
    """Masks of a segment's first and last segmented frames: they complete the rows of the segments beside it."""
    np.savez_compressed(folder / "edges.npz", first=first, last=last)


def mask_name(number: int) -> str:
    """Name of a frame's mask inside masks.zip."""
    return f"masks/{number:08d}.png"
