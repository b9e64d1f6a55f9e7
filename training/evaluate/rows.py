"""One row a frame and class: what frames.csv holds, and what every mean is made of."""

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from math import hypot
from pathlib import Path

import numpy as np

from service.imaging.geometry import U8
from service.manifest.entries import ClassEntry
from training.metrics.confusion import I64, outcomes
from training.metrics.surface import surface_scores, tolerance_px


@dataclass(frozen=True)
class FrameRow:
    """Scores of one class on one frame; `tp` to `tn` in pixels."""

    dataset: str
    frame: str
    group: str
    class_name: str
    width: int
    height: int
    tp: int
    fp: int
    fn: int
    tn: int
    dice: float
    iou: float
    precision: float
    recall: float
    specificity: float
    accuracy: float
    nsd: float
    hd95_px: float
    hd95_percent: float
    """Of the frame's diagonal, so that frames of different size can be averaged."""


def frame_rows(
    name: tuple[str, str, str], predicted: U8, truth: U8, matrix: I64, classes: Sequence[ClassEntry], tolerance: float
) -> list[FrameRow]:
    """Rows of the foreground classes. `name`: data set, frame, group; class ids uint8 [H, W]; `matrix` of both.

    `tolerance` of NSD as a share of the frame's diagonal.
    """
    height, width = truth.shape
    rows = []
    for entry in classes[1:]:
        tp, fp, fn, tn = outcomes(matrix, entry.id)
        sides = [np.equal(mask, entry.id).view(np.uint8) for mask in (predicted, truth)]
        surface = surface_scores(sides[0], sides[1], tolerance_px(height, width, tolerance))
        ratios = (
            _share(2 * tp, 2 * tp + fp + fn, 1.0),
            _share(tp, tp + fp + fn, 1.0),
            _share(tp, tp + fp, float(fn == 0)),
            _share(tp, tp + fn, float(fp == 0)),
            _share(tn, tn + fp, 1.0),
            (tp + tn) / (height * width),
        )
        percent = 100 * surface.hd95_px / hypot(height, width)
        counts = (width, height, tp, fp, fn, tn)
        rows.append(FrameRow(*name, entry.name, *counts, *ratios, surface.nsd, surface.hd95_px, percent))
    return rows


def write_rows(rows: Sequence[FrameRow], path: Path) -> None:
    """CSV with a header; ratios to six decimals."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(FrameRow)])
        for row in rows:
            writer.writerow([round(v, 6) if isinstance(v, float) else v for v in astuple(row)])


def _share(hits: int, total: int, otherwise: float) -> float:
    return hits / total if total else otherwise
