"""A number for each pair of two settings, as a heat map."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from training.figures.style import INK, save_figure, style

_BEST = "#d55e00"


def write_grid(
    values: NDArray[np.float64],
    marks: NDArray[np.str_],
    rows: Sequence[str],
    columns: Sequence[str],
    path: Path,
    numbers: Mapping[str, Any],
    *,
    labels: tuple[str, str],
    title: str = "",
    best: tuple[int, int] | None = None,
    decimals: int = 4,
) -> Path:
    """`values` [rows, columns], NaN where there is none: the cell then shows its entry of `marks`.

    `labels` name what rows and columns stand for; `best` gets a frame. `numbers` go into the JSON file beside.
    """
    longest = max(len(name) for name in rows)
    with style():
        size = (2.0 + 0.08 * longest + 1.15 * len(columns), 1.5 + 0.5 * len(rows))
        figure = Figure(figsize=(max(size[0], 4.2), max(size[1], 2.6)), layout="constrained")
        axes = figure.subplots()
        highest, lowest = float(np.nanmax(values)), float(np.nanmin(values))
        picture = axes.imshow(np.ma.masked_invalid(values), cmap="YlGnBu", aspect="auto")
        axes.set_facecolor("#e8e8e8")
        for row, column in np.ndindex(values.shape):
            value = float(values[row, column])
            missing = np.isnan(value)
            text = str(marks[row, column]) if missing else f"{value:.{decimals}f}"
            dark = not missing and value - lowest > 0.6 * (highest - lowest)
            shade = "#8a1c1c" if missing else "white" if dark else INK
            weight = "bold" if (row, column) == best else "normal"
            axes.text(column, row, text, ha="center", va="center", color=shade, fontsize=9, weight=weight)
        if best is not None:
            axes.add_patch(Rectangle((best[1] - 0.5, best[0] - 0.5), 1, 1, fill=False, ec=_BEST, lw=2.5, zorder=4))
        slanted = max(len(name) for name in columns) > 12
        axes.set_xticks(
            range(len(columns)), columns, rotation=25 if slanted else 0, ha="right" if slanted else "center"
        )
        axes.set_yticks(range(len(rows)), rows)
        axes.set(ylabel=labels[0], xlabel=labels[1], title=title)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        figure.colorbar(picture, ax=axes, shrink=0.9, pad=0.02).outline.set_visible(False)
        return save_figure(figure, path, numbers)
