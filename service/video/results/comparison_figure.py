"""The distributions of two or more videos on top of each other."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from service.video.over_time.analysis import Floats
from service.video.results.comparison import Comparison, Side
from service.video.results.plots import STYLE, draw_svg

_BINS = 24
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#000000")
"""Told apart also by those who don't see red and green alike (Okabe and Ito, 2008)."""
_LONGEST_LABEL = 32


def comparison_svg(sides: Sequence[Side], comparison: Comparison) -> str:
    with rc_context(STYLE):
        return draw_svg(_draw(sides, comparison))


def comparison_png(sides: Sequence[Side], comparison: Comparison) -> bytes:
    with rc_context(STYLE):
        picture = io.BytesIO()
        _draw(sides, comparison).savefig(picture, format="png", dpi=120)
        return picture.getvalue()


def _draw(sides: Sequence[Side], comparison: Comparison) -> Figure:
    features = list(sides[0].features)
    rows = -(-len(features) // 2)
    figure = Figure(figsize=(10, 0.8 + 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for place, feature in zip(axes, features, strict=False):
        _overlay(place, feature, sides)
        place.set_title(_title(feature, comparison), fontsize=10)
    for unused in axes[len(features) :]:
        unused.set_axis_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    return figure


def _overlay(axes: Axes, feature: str, sides: Sequence[Side]) -> None:
    """Share of each video's frames by the feature's value."""
    coverage = feature != "confidence"
    values = [side.features[feature] * (100 if coverage else 1) for side in sides]
    edges = _edges(values)
    for number, (side, column) in enumerate(zip(sides, values, strict=True)):
        shares = 100 * np.histogram(column, bins=edges)[0] / len(column)
        colour = _COLOURS[number % len(_COLOURS)]
        axes.stairs(shares, edges, color=colour, fill=True, alpha=0.25)
        axes.stairs(shares, edges, color=colour, linewidth=1.4, label=_label(side))
    axes.set(xlabel="% of the frame" if coverage else "probability", ylabel="% of the frames")


def _label(side: Side) -> str:
    name = side.name or side.id
    short = name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"
    return f"{short} ({len(side.features['coverage']):,} frames)".replace("$", r"\$")


def _title(feature: str, comparison: Comparison) -> str:
    """The feature's largest distance from the first video."""
    largest = max((shift.features[feature] for shift in comparison.shifts), key=lambda found: found.psi)
    told = f"PSI {largest.psi:.2f} ({largest.reading}), KS {largest.kolmogorov_smirnov:.2f}"
    return f"{feature.replace('_', ' ')}: {told}".replace("$", r"\$")


def _edges(values: Sequence[Floats]) -> Floats:
    low, high = min(column.min() for column in values), max(column.max() for column in values)
    edges: Floats = np.linspace(low, high if high > low else low + 1e-3, _BINS + 1)
    return edges
