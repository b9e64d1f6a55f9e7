"""shift.png: the distributions of both sides on top of each other, and frames of each."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from service.imaging.geometry import U8
from service.video.over_time.analysis import Floats
from service.video.over_time.distances import Distances
from training.analyse.figure import draw_samples_grid, sample_height
from training.domain_shift.sides import FEATURES, Side, shown
from training.figures.style import colour, style

_BINS = 24
_PLOT_INCHES = 2.7
_HEAD_INCHES = 0.35


def draw_figure(
    sides: tuple[Side, Side], distances: Mapping[str, Distances], samples: Sequence[Sequence[tuple[str, U8]]]
) -> Figure:
    """`samples`: captions and RGB pictures of each side."""
    with style():
        rows = -(-len(distances) // 2)
        heights = [rows * _PLOT_INCHES, *[sample_height(part) + _HEAD_INCHES for part in samples]]
        figure = Figure(figsize=(11, sum(heights)), layout="constrained")
        grid = figure.add_gridspec(1 + len(samples), 1, height_ratios=heights)
        axes = figure.add_subfigure(grid[0]).subplots(rows, 2, squeeze=False).ravel()
        for place, (feature, found) in enumerate(distances.items()):
            _overlaid(axes[place], feature, sides, found)
        for unused in axes[len(distances) :]:
            unused.set_axis_off()
        axes[0].legend(loc="best")
        for place, (side, pictures) in enumerate(zip(sides, samples, strict=True)):
            part = figure.add_subfigure(grid[place + 1])
            part.suptitle(f"{'AB'[place]}: {side.name}", x=0.01, ha="left", weight="bold", color=colour(place))
            draw_samples_grid(part, pictures)
        return figure


def _overlaid(axes: Axes, feature: str, sides: tuple[Side, Side], found: Distances) -> None:
    values = [shown(feature, side.features[feature]) for side in sides]
    edges = _edges(values)
    for place, (side, numbers) in enumerate(zip(sides, values, strict=True)):
        shares = np.histogram(numbers, bins=edges)[0] / len(numbers)
        label = f"{'AB'[place]}: {side.name} ({len(numbers)} frames)"
        axes.stairs(100 * shares, edges, color=colour(place), fill=True, alpha=0.35, label=label)
        axes.stairs(100 * shares, edges, color=colour(place), linewidth=1.2)
    title = f"{feature}: PSI {found.psi:.2f} ({found.reading}), KS {found.kolmogorov_smirnov:.2f}"
    axes.set(title=title, xlabel=FEATURES[feature], ylabel="% of the frames")
    axes.grid(visible=True, axis="y")


def _edges(values: Sequence[Floats]) -> Floats:
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    edges: Floats = np.linspace(low, high if high > low else low + 1e-3, _BINS + 1)
    return edges
