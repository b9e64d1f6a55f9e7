"""Rows of pictures: frame, truth, prediction, and where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from service.imaging.geometry import U8
from service.imaging.overlay import draw
from training.figures.style import save_figure, style

Colour = tuple[int, int, int]
HIT, FALSE_ALARM, MISSED, CONFUSED = (70, 190, 150), (255, 225, 40), (230, 40, 130), (110, 110, 255)
ERRORS = {"right": HIT, "false alarm": FALSE_ALARM, "missed": MISSED, "wrong class": CONFUSED}
_OPACITY = 0.45
_CELL_INCHES, _GAP_INCHES, _LINE_INCHES = 2.5, 0.06, 0.24
_CELL_PIXELS = 480
_LEGEND_COLUMNS = 5


@dataclass(frozen=True)
class Panel:
    """One row: RGB uint8 [H, W, 3], class ids uint8 [H, W]; without `truth` only frame and prediction are shown."""

    image: U8
    predicted: U8
    truth: U8 | None = None
    caption: str = ""
    numbers: dict[str, float | str] = field(default_factory=dict)
    """Goes into the JSON beside the picture."""


def write_panels(
    rows: Sequence[Panel], palette: Sequence[Colour], class_names: Sequence[str], path: Path, title: str = ""
) -> Path:
    """`palette` and `class_names` by class id; all rows have a truth or none has."""
    with_truth = all(row.truth is not None for row in rows)
    heads = ["frame", "truth", "prediction", "difference"] if with_truth else ["frame", "prediction"]
    with style():
        classes = list(zip(class_names[1:], palette[1:], strict=True))
        figure = _figure(rows, heads, title, _legend_lines(classes))
        for row_index, row in enumerate(rows):
            for column, picture in enumerate(_pictures(row, list(palette))):
                figure.axes[row_index * len(heads) + column].imshow(picture, interpolation="antialiased")
        _legends(figure, classes, with_truth)
        numbers = {"title": title, "rows": [{"caption": row.caption, **row.numbers} for row in rows]}
        return save_figure(figure, path, numbers)


def difference(image: U8, truth: U8, predicted: U8) -> U8:
    """The frame in grey, RGB uint8 [H, W, 3], with hits, false alarms, misses and wrong classes in their colours."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    kinds = np.zeros(truth.shape, np.uint8)
    found, there = predicted > 0, truth > 0
    kinds[found & there & (predicted == truth)] = 1
    kinds[found & ~there] = 2
    kinds[~found & there] = 3
    kinds[found & there & (predicted != truth)] = 4
    return draw(np.asarray(grey, np.uint8), kinds, [(0, 0, 0), *ERRORS.values()], 0.6)


def _pictures(row: Panel, palette: list[Colour]) -> list[U8]:
    """Masks are drawn at the frame's own size, then the picture is made small: outlines stay where they are."""
    predicted = draw(row.image, row.predicted, palette, _OPACITY)
    if row.truth is None:
        return [_small(row.image), _small(predicted)]
    truth = draw(row.image, row.truth, palette, _OPACITY)
    return [_small(p) for p in (row.image, truth, predicted, difference(row.image, row.truth, row.predicted))]


def _small(picture: U8) -> U8:
    height, width = picture.shape[:2]
    if width <= _CELL_PIXELS:
        return picture
    size = (_CELL_PIXELS, max(1, round(height * _CELL_PIXELS / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _figure(rows: Sequence[Panel], heads: Sequence[str], title: str, legend_lines: int) -> Figure:
    """Axes row by row, each row as high as its frame, its caption above it."""
    heights = [_CELL_INCHES * row.image.shape[0] / row.image.shape[1] for row in rows]
    captioned = [_LINE_INCHES if row.caption else 0.0 for row in rows]
    top = _LINE_INCHES * (2.6 if title else 1.1)
    bottom = _LINE_INCHES * (legend_lines + 0.4)
    total = top + bottom + sum(heights) + sum(captioned) + _GAP_INCHES * len(rows)
    width = len(heads) * (_CELL_INCHES + _GAP_INCHES) + _GAP_INCHES
    figure = Figure(figsize=(width, total))
    if title:
        figure.text(_GAP_INCHES / width, 1 - 0.25 * _LINE_INCHES / total, title, weight="bold", fontsize=11, va="top")
    for column, head in enumerate(heads):
        centre = _GAP_INCHES + column * (_CELL_INCHES + _GAP_INCHES) + _CELL_INCHES / 2
        figure.text(centre / width, 1 - (top - 0.9 * _LINE_INCHES) / total, head, ha="center", va="top", fontsize=9)
    y = total - top
    for row, height, caption in zip(rows, heights, captioned, strict=True):
        y -= caption
        figure.text(_GAP_INCHES / width, (y + 0.3 * _LINE_INCHES) / total, row.caption, fontsize=8.5, va="bottom")
        y -= height
        for column in range(len(heads)):
            x = _GAP_INCHES + column * (_CELL_INCHES + _GAP_INCHES)
            axes = figure.add_axes((x / width, y / total, _CELL_INCHES / width, height / total))
            axes.set_axis_off()
        y -= _GAP_INCHES
    return figure


def _legends(figure: Figure, classes: list[tuple[str, Colour]], with_truth: bool) -> None:
    """Classes on the left; on the right, under the last column, what its colours mean."""
    _legend(figure, classes, "left", 0.0)
    if with_truth:
        errors = [(n, c) for n, c in ERRORS.items() if len(classes) > 1 or n != "wrong class"]
        own_line = _LINE_INCHES * (_legend_lines(classes) - 1) / float(figure.get_figheight())
        _legend(figure, errors, "right", own_line)


def _legend(figure: Figure, entries: list[tuple[str, Colour]], side: Literal["left", "right"], bottom: float) -> None:
    patches = [Patch(color=tuple((np.array(colour) / 255).tolist()), label=name) for name, colour in entries]
    place: Literal["lower left", "lower right"] = "lower left" if side == "left" else "lower right"
    anchor = (0.0 if side == "left" else 1.0, bottom)
    columns = min(len(patches), _LEGEND_COLUMNS)
    figure.legend(handles=patches, loc=place, bbox_to_anchor=anchor, ncols=columns, fontsize=8)


def _legend_lines(classes: list[tuple[str, Colour]]) -> int:
    """Few classes share one line with the meaning of the differences; many get lines of their own beneath it."""
    return 1 if len(classes) <= 4 else 1 + -(-len(classes) // _LEGEND_COLUMNS)
