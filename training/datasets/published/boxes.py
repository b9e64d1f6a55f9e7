"""Bounding boxes of the Kvasir sets, and whether they hold what the masks show.

{"<frame>": {"height": H, "width": W, "bbox": [{"label": "polyp", "xmin": .., "ymin": .., "xmax": .., "ymax": ..}]}}
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError

from training.datasets.index import Box
from training.errors import DatasetError

SPECKS = 0.01
"""Share of a mask that may lie anywhere: a JPEG mask has stray pixels, and they are in no box."""


class _Corners(BaseModel):
    xmin: int
    ymin: int
    xmax: int
    ymax: int

    def box(self) -> Box:
        return self.xmin, self.ymin, self.xmax - self.xmin, self.ymax - self.ymin


class _FrameBoxes(BaseModel):
    bbox: list[_Corners]


def read_boxes(path: Path) -> dict[str, tuple[Box, ...]]:
    """Frame -> its boxes [x, y, width, height] in pixels."""
    try:
        frames = TypeAdapter(dict[str, _FrameBoxes]).validate_json(path.read_bytes())
    except (ValidationError, json.JSONDecodeError) as error:
        raise DatasetError(f"{path} does not hold bounding boxes as published: {error}") from error
    return {name: tuple(corners.box() for corners in frame.bbox) for name, frame in frames.items()}


def note_boxes(name: str, boxes: Sequence[Box], tolerance_px: int, mask: NDArray[np.uint8]) -> str | None:
    """What is wrong with `boxes` for `mask` (uint8 [H, W], 0 is background), or None.

    The pixels of the mask (but for a share of `SPECKS`) have to lie in the boxes, or `tolerance_px` outside of them at
    most, and every box has to hold some.
    """
    outside = mask > 0
    shown = int(outside.sum())
    for x, y, width, height in boxes:
        rows = slice(max(y - tolerance_px, 0), max(y + height + tolerance_px + 1, 0))
        columns = slice(max(x - tolerance_px, 0), max(x + width + tolerance_px + 1, 0))
        if not mask[rows, columns].any():
            return f"{name}: the box {[x, y, width, height]} holds nothing of the mask"
        outside[rows, columns] = False
    left = int(outside.sum())
    if left <= SPECKS * shown:
        return None
    return f"{name}: {left} of {shown} pixels lie more than {tolerance_px} px outside the boxes"
