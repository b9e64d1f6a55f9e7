"""One look for every figure, and one way to write it. Drawn without pyplot, so that any thread may draw."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 160
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3c8d", "#4d4d4d")
"""Tells lines apart for the colour-blind too (Okabe and Ito, 2008)."""
INK = "#222222"

_STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}


@contextmanager
def style() -> Iterator[None]:
    """Figures built inside look alike."""
    with rc_context(_STYLE):
        yield


def colour(index: int) -> str:
    """Of the n-th line or bar; after eight they come round again."""
    return PALETTE[index % len(PALETTE)]


def save_figure(figure: Figure, path: Path, numbers: Mapping[str, Any]) -> Path:
    """Writes `path` (a PNG) and the numbers that it shows beside it, as `<stem>.json`; returns `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=DPI, facecolor="white", metadata={"Software": None})
    path.with_suffix(".json").write_text(json.dumps(numbers, indent=1) + "\n")
    return path
