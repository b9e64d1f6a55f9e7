"""Groups of bars: models, corruptions, classes side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.figures.style import INK, colour, save_figure, style

Interval = tuple[float, float]


def write_bars(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    path: Path,
    *,
    ylabel: str,
    title: str = "",
    intervals: Mapping[str, Sequence[Interval]] | None = None,
    ylim: tuple[float | None, float | None] | None = None,
    decimals: int = 2,
) -> Path:
    """One bar a group and series (each series has one value a group), `intervals` (low, high) as whiskers."""
    width = 0.8 / max(1, len(series))
    with style():
        size = (max(4.8, 1.6 + 0.42 * len(groups) * (len(series) + 0.6)), 3.8)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        for index, (name, values) in enumerate(series.items()):
            places = np.arange(len(groups)) + (index - (len(series) - 1) / 2) * width
            axes.bar(places, values, width * 0.94, color=colour(index), label=name)
            _annotate(axes, places, values, (intervals or {}).get(name), decimals)
        axes.axhline(0, color=INK, lw=0.8)
        slanted = max(len(name) for name in groups) > 12
        axes.set_xticks(range(len(groups)), groups, rotation=25 if slanted else 0, ha="right" if slanted else "center")
        axes.tick_params(axis="x", length=0)
        axes.set(ylabel=ylabel, title=title)
        if ylim is not None:
            axes.set_ylim(*ylim)
        axes.grid(visible=True, axis="y")
        if len(series) > 1:
            figure.legend(loc="outside right upper")
        numbers = {
            "title": title,
            "y": ylabel,
            "groups": list(groups),
            "series": {name: [float(v) for v in values] for name, values in series.items()},
            "intervals": {name: [list(i) for i in values] for name, values in (intervals or {}).items()},
        }
        return save_figure(figure, path, numbers)


def _annotate(
    axes: Axes,
    places: NDArray[np.floating],
    values: Sequence[float],
    whiskers: Sequence[Interval] | None,
    decimals: int,
) -> None:
    """Whiskers, and each value above its bar or whisker."""
    edges = whiskers if whiskers is not None else [(value, value) for value in values]
    if whiskers is not None:
        axes.vlines(places, [low for low, _ in edges], [high for _, high in edges], color=INK, lw=1.1)
    for place, value, (_, high) in zip(places.tolist(), values, edges, strict=True):
        top = (place, max(value, high, 0.0))
        text = f"{round(value, decimals) + 0.0:.{decimals}f}"  # no sign before a rounded zero
        axes.annotate(text, top, (0, 2), textcoords="offset points", ha="center", fontsize=7)
