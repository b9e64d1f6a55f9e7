"""The report as a picture: how much of a frame each class covers, and frames with their masks."""

import random
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from service.imaging.overlay import draw
from training.datasets.index import ClassInfo, Sample
from training.datasets.reading import Dataset
from training.datasets.report import ClassReport, PartReport, Report
from training.figures.style import colour, save_figure, style

PICTURE = "report.png"
COLUMNS = 4
_CELL_PIXELS = 480
_OPACITY = 0.45
_PANELS = 8
_WIDTH_INCHES = 10.0
_PLOT_INCHES = 2.0
_TITLE_LETTERS = 34
_BARS = 20
_STEPS_PERCENT = (1, 2, 5)


def write_report(dataset: Dataset, report: Report, seed: int = 0) -> Path:
    """`report.png` in the data set's folder, and `report.json` beside it."""
    samples = choose_samples(dataset, _PANELS, seed)
    classes = [entry for entry in dataset.index.classes if entry.id > 0]
    shown = [entry.id for entry in report.whole.classes if entry.frames]
    columns = max(1, min(COLUMNS, len(shown)))
    aspect = float(np.median([sample.height / sample.width for sample in samples]))
    row_inches = _WIDTH_INCHES / COLUMNS * aspect + 0.2
    heights = [0.4 + _PLOT_INCHES * -(-len(shown) // columns), 0.6 + row_inches * -(-len(samples) // COLUMNS)]
    with style():
        figure = Figure(figsize=(_WIDTH_INCHES, sum(heights)), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=heights, squeeze=False).ravel()
        if shown:
            _draw_coverage(above, report, shown, columns)
        _draw_samples(below, dataset, samples, classes)
        return save_figure(figure, dataset.root / PICTURE, report.model_dump(mode="json"))


def choose_samples(dataset: Dataset, count: int, seed: int) -> list[Sample]:
    """From as many groups as there are: one of each in turn, drawn with `seed`."""
    rng = random.Random(seed)
    groups: dict[str, list[Sample]] = {}
    for sample in dataset.split("all"):
        groups.setdefault(sample.group, []).append(sample)
    order = rng.sample(sorted(groups), len(groups))
    for samples in groups.values():
        rng.shuffle(samples)
    chosen: list[Sample] = []
    while len(chosen) < count and any(groups.values()):
        chosen += [groups[group].pop() for group in order if groups[group]][: count - len(chosen)]
    return sorted(chosen, key=lambda sample: sample.id)


def _draw_coverage(figure: SubFigure, report: Report, shown: list[int], columns: int) -> None:
    """Of each class, the frames that hold it by the share of the frame that it covers, one line a split."""
    figure.suptitle(
        f"{report.name}: coverage of the frames that hold the class", weight="bold", fontsize=11, x=0.01, ha="left"
    )
    places = figure.subplots(-(-len(shown) // columns), columns, squeeze=False).ravel()
    parts = report.splits or {"all": report.whole}
    for number, (place, class_id) in enumerate(zip(places, shown, strict=False)):
        _draw_class(place, [_of(part, class_id) for part in parts.values()])
        if number % columns == 0:
            place.set_ylabel("% of the frames")
    for place in places[len(shown) :]:
        place.set_axis_off()
    patches = [Patch(color=colour(number), label=name) for number, name in enumerate(parts)]
    figure.legend(handles=patches, loc="upper right", ncols=len(patches), fontsize=8)


def _draw_class(axes: Axes, parts: Sequence[ClassReport]) -> None:
    """`parts`: the class in each split; the numbers of frames stand below in their order."""
    highest = max((i for found in parts for i, count in enumerate(found.histogram, start=1) if count), default=1)
    step = next(step for step in _STEPS_PERCENT if highest <= _BARS * step)
    for number, found in enumerate(parts):
        shares = 100 * np.array(found.histogram).reshape(-1, step).sum(axis=1) / max(found.frames, 1)
        edges = np.arange(0, 100 + step, step)
        axes.stairs(shares, edges, color=colour(number), lw=1.5)
        axes.stairs(shares, edges, color=colour(number), alpha=0.12, fill=True)
    counts = " / ".join(str(found.frames) for found in parts)
    axes.set(xlabel=f"% of the frame (n = {counts})", xlim=(0, -(-highest // step) * step), ylim=(0, None))
    axes.set_title(parts[0].name, loc="left", fontsize=9)
    axes.grid(visible=True, axis="y")


def _of(part: PartReport, class_id: int) -> ClassReport:
    return next(entry for entry in part.classes if entry.id == class_id)


def _draw_samples(figure: SubFigure, dataset: Dataset, samples: Sequence[Sample], classes: Sequence[ClassInfo]) -> None:
    figure.suptitle("Frames with their masks", weight="bold", fontsize=11, x=0.01, ha="left")
    places = figure.subplots(-(-len(samples) // COLUMNS), COLUMNS, squeeze=False).ravel()
    palette = _palette(dataset.index.classes)
    for place, sample in zip(places, samples, strict=False):
        place.imshow(_overlay(dataset, sample, palette), interpolation="antialiased")
        place.set_title(_shorten(sample.id), fontsize=7.5, weight="normal", pad=3)
    for place in places:
        place.set_axis_off()
    patches = [Patch(color="#{:02x}{:02x}{:02x}".format(*c.colour), label=c.name) for c in classes]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(7, len(patches)), fontsize=8)


def _overlay(dataset: Dataset, sample: Sample, palette: list[tuple[int, int, int]]) -> NDArray[np.uint8]:
    """Drawn at the frame's own size, then made small."""
    picture = draw(dataset.image(sample), dataset.mask(sample), palette, _OPACITY)
    height, width = picture.shape[:2]
    if width <= _CELL_PIXELS:
        return picture
    size = (_CELL_PIXELS, max(1, round(height * _CELL_PIXELS / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _palette(classes: Sequence[ClassInfo]) -> list[tuple[int, int, int]]:
    """Colours by class id; ids in between that no class has are black."""
    by_id = {entry.id: entry.colour for entry in classes}
    return [by_id.get(number, (0, 0, 0)) for number in range(max(by_id) + 1)]


def _shorten(name: str) -> str:
    return name if len(name) <= _TITLE_LETTERS else "…" + name[1 - _TITLE_LETTERS :]
