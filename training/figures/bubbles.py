"""A score against a cost, one bubble a model, its area a third number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from training.figures.style import INK, colour, save_figure, style

_LARGEST_POINTS = 38
"""Diameter of the largest bubble."""
_SMALLEST_POINTS = 7
_WIDE = 6.0
"""Costs that are further apart than this factor get a logarithmic axis."""


@dataclass(frozen=True)
class Bubble:
    name: str
    cost: float
    score: tuple[float, float, float]
    """Value, and the edges of its interval."""
    size: float


def write_bubbles(
    bubbles: Sequence[Bubble],
    path: Path,
    numbers: Mapping[str, Any],
    *,
    xlabel: str,
    ylabel: str,
    sizes: str,
    unit: str = "M",
    title: str = "",
) -> Path:
    """Top left is best. `sizes` says what the areas are, in `unit`. `numbers` go into the JSON file beside."""
    with style():
        figure = Figure(figsize=(7.2, 4.6), layout="constrained")
        axes = figure.subplots()
        largest = max(bubble.size for bubble in bubbles)
        diameters = [_diameter(bubble.size, largest) for bubble in bubbles]
        for index, (bubble, diameter) in enumerate(zip(bubbles, diameters, strict=True)):
            value, low, high = bubble.score
            axes.vlines(bubble.cost, low, high, color=colour(index), lw=1.2, zorder=2)
            axes.scatter(
                bubble.cost, value, s=diameter**2, color=colour(index), alpha=0.75, edgecolors="white", zorder=3
            )
        _frame(axes, bubbles)
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
        _size_key(axes, largest, f"{unit} {sizes}")
        FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
        _label(axes, bubbles, diameters, unit)
        return save_figure(figure, path, numbers)


def _diameter(size: float, largest: float) -> float:
    """In points; the area is proportional to `size`, but for the smallest, which must be seen."""
    return max(_SMALLEST_POINTS, _LARGEST_POINTS * float(np.sqrt(size / largest)))


def _frame(axes: Axes, bubbles: Sequence[Bubble]) -> None:
    costs = [bubble.cost for bubble in bubbles]
    low, high = min(b.score[1] for b in bubbles), max(b.score[2] for b in bubbles)
    room = max(0.15 * (high - low), 0.004)
    axes.set_ylim(low - room, high + room)
    if max(costs) > _WIDE * min(costs):
        axes.set_xscale("log")
        axes.set_xlim(min(costs) / 2, max(costs) * 2.2)
        ticks = [
            m * 10.0**e for e in range(-2, 5) for m in (1, 2, 5) if min(costs) / 1.6 <= m * 10.0**e <= max(costs) * 2.2
        ]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    else:
        axes.set_xlim(0, 1.35 * max(costs))
    axes.grid(visible=True)


def _size_key(axes: Axes, largest: float, label: str) -> None:
    """Two bubbles of round sizes, well below the largest one so that they fit into a line."""
    limit = 0.6 * largest
    exponent = 10.0 ** np.floor(np.log10(limit))
    top = max(digit * exponent for digit in (1, 2, 5) if digit * exponent <= limit)
    handles = [
        axes.scatter([], [], s=_diameter(size, largest) ** 2, color="#9a9a9a", label=f"{size:g} {label}")
        for size in (top / 5, top)
    ]
    axes.figure.legend(handles=handles, loc="outside lower right", ncols=2, borderpad=0.8, handletextpad=1.2)


def _label(axes: Axes, bubbles: Sequence[Bubble], diameters: Sequence[float], unit: str) -> None:
    """Each name beside its bubble, at the place where it lies on the fewest other labels, bubbles and whiskers."""
    points = axes.figure.dpi / 72
    centres = [axes.transData.transform((bubble.cost, bubble.score[0])) for bubble in bubbles]
    taken = [
        Bbox.from_bounds(x - d * points / 2, y - d * points / 2, d * points, d * points)
        for (x, y), d in zip(centres, diameters, strict=True)
    ]
    whiskers = [_whisker(axes, bubble) for bubble in bubbles]
    for index, (bubble, diameter) in enumerate(zip(bubbles, diameters, strict=True)):
        text = axes.annotate(
            f"{bubble.name}\n{bubble.score[0]:.3f}, {bubble.size:.3g} {unit}",
            (bubble.cost, bubble.score[0]),
            (0, 0),
            textcoords="offset points",
            fontsize=8,
            color=INK,
            zorder=5,
        )
        others = [box for boxes in (taken, whiskers) for place, box in enumerate(boxes) if place != index]
        taken.append(_settle(text, diameter / 2 + 4, others, axes))


def _whisker(axes: Axes, bubble: Bubble) -> Bbox:
    _, low, high = bubble.score
    (x, bottom), (_, top) = axes.transData.transform([(bubble.cost, low), (bubble.cost, high)])
    return Bbox.from_extents(x - 2, bottom, x + 2, top)


def _settle(text: Any, away: float, taken: Sequence[Bbox], axes: Axes) -> Bbox:
    places = [(away, 0.0, "left", "center"), (-away, 0.0, "right", "center")]
    for lift in (1.0, 1.6, 2.4):
        places += [
            (away * 0.8, away * lift, "left", "bottom"),
            (away * 0.8, -away * lift, "left", "top"),
            (-away * 0.8, away * lift, "right", "bottom"),
            (-away * 0.8, -away * lift, "right", "top"),
        ]
    fits: list[tuple[int, Bbox]] = []
    for x, y, horizontal, vertical in places:
        text.set_position((x, y))
        text.set(ha=horizontal, va=vertical)
        box = text.get_window_extent()
        outside = not (axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 and axes.bbox.y0 <= box.y0 <= axes.bbox.y1)
        fits.append((10 * outside + sum(box.overlaps(other) for other in taken), box))
    best = min(range(len(places)), key=lambda place: fits[place][0])
    x, y, horizontal, vertical = places[best]
    text.set_position((x, y))
    text.set(ha=horizontal, va=vertical)
    return fits[best][1]
