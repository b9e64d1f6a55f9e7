"""Figures of the training side: each writes a PNG and, beside it, a JSON file of the same numbers."""

from training.figures.bars import write_bars
from training.figures.confusion import write_confusion
from training.figures.curves import Curve, Mark, write_curves
from training.figures.panels import Panel, write_panels
from training.figures.style import save_figure

__all__ = [
    "Curve",
    "Mark",
    "Panel",
    "save_figure",
    "write_bars",
    "write_confusion",
    "write_curves",
    "write_panels",
]
