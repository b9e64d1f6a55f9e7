"""Lines over a common axis: thresholds, epochs, time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.figure import Figure

from training.figures.style import INK, colour, save_figure, style


@dataclass(frozen=True)
class Curve:
    """One line; `low` and `high`, where given, are the edges of its band."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True)
class Mark:
    """A vertical line that means something."""

    x: float
    label: str


def write_curves(
    curves: Sequence[Curve],
    path: Path,
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    ylim: tuple[float | None, float | None] | None = None,
    marks: Sequence[Mark] = (),
) -> Path:
    with style():
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        for index, curve in enumerate(curves):
            few = len(curve.x) <= 30
            axes.plot(
                curve.x, curve.y, color=colour(index), lw=1.7, marker="o" if few else "", ms=3.2, label=curve.name
            )
            if curve.low is not None and curve.high is not None:
                axes.fill_between(curve.x, curve.low, curve.high, color=colour(index), alpha=0.15, lw=0)
        for mark, dashes in zip(marks, _dashes(len(marks)), strict=True):
            axes.axvline(mark.x, color=INK, lw=1.0, ls=dashes, label=mark.label)
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
        if ylim is not None:
            axes.set_ylim(*ylim)
        axes.grid(visible=True)
        figure.legend(loc="outside right upper")
        numbers = {
            "title": title,
            "x": xlabel,
            "y": ylabel,
            "curves": [_listed(curve) for curve in curves],
            "marks": [asdict(mark) for mark in marks],
        }
        return save_figure(figure, path, numbers)


def _dashes(count: int) -> list[str]:
    return [("--", ":", "-.")[i % 3] for i in range(count)]


def _listed(curve: Curve) -> dict[str, object]:
    sides = {"x": curve.x, "y": curve.y, "low": curve.low, "high": curve.high}
    return {"name": curve.name} | {k: [float(v) for v in values] for k, values in sides.items() if values is not None}
