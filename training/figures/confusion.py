"""The confusion matrix as a picture: shares of each true class, with the pixels behind them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.figures.style import INK, save_figure, style

_CELL_INCHES = 0.62


def write_confusion(matrix: NDArray[np.int64], class_names: Sequence[str], path: Path, title: str = "") -> Path:
    """`matrix` int64 [true class, predicted class] of pixels: left the counts, right each row as shares of its sum.

    A class without a true pixel has no shares; its cells stay grey, and `null` in the JSON.
    """
    shares = row_shares(matrix)
    side = max(2.4, _CELL_INCHES * len(class_names))
    with style():
        longest = max(len(name) for name in class_names)
        figure = Figure(figsize=(2 * side + 1.9 + 0.14 * longest, side + 1.0 + 0.05 * longest), layout="constrained")
        left, right = figure.subplots(1, 2)
        _heatmap(left, np.log10(matrix + 1.0), [[_short(int(n)) for n in row] for row in matrix], class_names)
        _heatmap(right, shares, [[_percent(float(s)) for s in row] for row in shares], class_names)
        left.set_title("pixels")
        left.set_ylabel("truth")
        right.set_title("% of the true class")
        right.tick_params(labelleft=False)
        if title:
            figure.suptitle(title, weight="bold", fontsize=11)
        listed = [[None if np.isnan(s) else round(float(s), 6) for s in row] for row in shares]
        numbers = {"title": title, "classes": list(class_names), "pixels": matrix.tolist(), "row_shares": listed}
        return save_figure(figure, path, numbers)


def row_shares(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows divided by their sums, float64; NaN where a row is empty."""
    sums = matrix.sum(axis=1, keepdims=True)
    return np.where(sums > 0, matrix / np.maximum(sums, 1), np.nan)


def _heatmap(axes: Axes, values: NDArray[np.float64], labels: list[list[str]], names: Sequence[str]) -> None:
    highest = max(float(np.nanmax(values, initial=0.0)), 1.0)
    axes.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=0, vmax=highest)
    axes.set_facecolor("#e8e8e8")
    few = len(names) <= 6
    for row, texts in enumerate(labels):
        for column, text in enumerate(texts):
            dark = values[row, column] > 0.6 * highest
            size = 10 if few else 7
            axes.text(column, row, text, ha="center", va="center", color="white" if dark else INK, fontsize=size)
    axes.set_xticks(range(len(names)), names, rotation=0 if few else 60, ha="center" if few else "right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("prediction")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _short(count: int) -> str:
    """1234567 -> 1.23M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}" if count < 999.5 * size else f"{count / size:.0f}{letter}"
    return str(count)


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.1f}"
