"""The report's figures as SVG text. Drawn without pyplot, so that any thread may draw."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from service.video.over_time.analysis import Floats
from service.video.results.class_summary import ClassSummary
from service.video.results.summary import Summary
from service.video.results.tables import Series

_MOST_POINTS = 800
_HISTOGRAM_BINS = 40
_LONGEST_IN_SECONDS = 600
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "endomask",
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
}


def coverage_over_time(summary: Summary, series: Series) -> str:
    """Coverage of each class in percent of the frame, with its intervals in view beneath."""
    rows = len(summary.classes)
    unit_s, label = _time_unit(summary)
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 3.8 + 0.3 * rows), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 0.35 * rows])
        for entry in summary.classes:
            times, values = _binned(series["time_s"] / unit_s, 100 * series[f"{entry.name}_coverage"])
            above.plot(times, values, color=entry.colour, linewidth=1.4, label=entry.name)
            above.fill_between(times, values, color=entry.colour, alpha=0.2, linewidth=0)
        above.set(ylabel="coverage (% of the frame)", ylim=(0, None))
        figure.legend(*above.get_legend_handles_labels(), loc="outside upper right", ncols=6, frameon=False)
        _timeline(below, summary.classes, unit_s)
        below.set(xlabel=label, ylabel="in view", xlim=(0, _end(summary)))
        return draw_svg(figure)


def coverage_distribution(summary: Summary, series: Series) -> str:
    """How often each coverage occurs, over the frames that show the class."""
    with rc_context(STYLE):
        figure = Figure(figsize=(4.9, 3), layout="constrained")
        axes = figure.subplots()
        highest = max([100 * float(series["coverage"].max(initial=0)), 1e-3])
        for entry in summary.classes:
            values = 100 * series[f"{entry.name}_coverage"]
            bins = np.linspace(0, highest, _HISTOGRAM_BINS + 1).tolist()
            axes.hist(values[values > 0], bins=bins, color=entry.colour, alpha=0.6, label=entry.name)
        axes.set(xlabel="coverage (% of the frame)", ylabel="frames that show the class")
        axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False)
        return draw_svg(figure)


def stability_over_time(summary: Summary, series: Series) -> str:
    """Temporal IoU of neighbouring frames; a dip is a jump of the mask."""
    unit_s, label = _time_unit(summary)
    with rc_context(STYLE):
        figure = Figure(figsize=(4.9, 3), layout="constrained")
        axes = figure.subplots()
        ious = series["temporal_iou"]
        known = ~np.isnan(ious)
        times, values = _binned(series["time_s"][known] / unit_s, ious[known])
        axes.plot(times, values, color="#3366aa", linewidth=1.2)
        axes.set(xlabel=label, ylabel="IoU with the frame before", xlim=(0, _end(summary)), ylim=(0, 1.02))
        return draw_svg(figure)


def _time_unit(summary: Summary) -> tuple[float, str]:
    """Seconds in the unit of the time axis, and its label."""
    return (60.0, "time (min)") if summary.duration_s > _LONGEST_IN_SECONDS else (1.0, "time (s)")


def _end(summary: Summary) -> float:
    """Of the time axis, in its unit."""
    return max(summary.duration_s, 1e-3) / _time_unit(summary)[0]


def _timeline(axes: Axes, classes: Sequence[ClassSummary], unit_s: float) -> None:
    """A bar wherever a class is in view."""
    for row, entry in enumerate(classes):
        bars = [(span.start_s / unit_s, (span.end_s - span.start_s) / unit_s) for span in entry.intervals]
        axes.broken_barh(bars, (row - 0.4, 0.8), facecolors=entry.colour)
    axes.set_yticks(range(len(classes)), [entry.name for entry in classes])
    axes.set_ylim(len(classes) - 0.4, -0.6)
    axes.grid(visible=False)


def _binned(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    """At most 800 points: means of neighbours."""
    if len(times) <= _MOST_POINTS:
        return times, values
    edges = np.linspace(0, len(times), _MOST_POINTS + 1).astype(int)
    counts = np.diff(edges)
    return np.add.reduceat(times, edges[:-1]) / counts, np.add.reduceat(values, edges[:-1]) / counts


def draw_svg(figure: Figure) -> str:
    """The same figure gives the same text."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
