"""analysis.png: coverage over the frames, its distribution, stability, and sample frames."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from service.imaging.geometry import U8
from service.video.analysis import Floats
from training.analyse.measures import ClassAnalysis, Series, Track
from training.figures.style import style

_SAMPLE_COLUMNS = 4


def draw_figure(
    series: Series, classes: Sequence[ClassAnalysis], samples: Sequence[tuple[str, U8]], title: str
) -> Figure:
    """`classes` without `any`; samples as caption and RGB picture."""
    rows = -(-len(samples) // _SAMPLE_COLUMNS)
    with style():
        sample_height = 2.75 * max((p.shape[0] / p.shape[1] for _, p in samples), default=0.75) + 0.3
        heights = [2.6, 2.5, *[sample_height] * rows]
        figure = Figure(figsize=(11, sum(heights) + 1.1), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
        grid = figure.add_gridspec(2 + rows, 4, height_ratios=heights)
        tracks = series.tracks[1:]
        _over_frames(figure.add_subplot(grid[0, :]), series, tracks)
        _histogram(figure.add_subplot(grid[1, :2]), classes)
        _ious(figure.add_subplot(grid[1, 2:]), tracks)
        _samples(figure, grid, samples)
        return figure


def _over_frames(axes: Axes, series: Series, tracks: Sequence[Track]) -> None:
    """Against time where all frames have one and belong together; a line breaks where a new series begins."""
    times = series.times_s
    timed = all(time is not None for time in times) and len(set(series.groups)) == 1
    places = np.array(times if timed else range(len(times)), np.float64)
    breaks = [k for k in range(1, len(times)) if series.groups[k] != series.groups[k - 1]]
    for track in tracks:
        if track.entry is None:
            continue
        values = 100 * np.array(track.coverage)
        for part in np.split(np.arange(len(values)), breaks):
            axes.plot(places[part], values[part], color=track.entry.colour, linewidth=1.3)
            axes.fill_between(places[part], values[part], color=track.entry.colour, alpha=0.25, linewidth=0)
        axes.plot([], [], color=track.entry.colour, linewidth=3, label=track.entry.name)
    if len(breaks) < 20:
        for place in breaks:
            axes.axvline(place - 0.5, color="#999999", linewidth=0.8, linestyle=":")
    axes.set(title="Coverage", xlabel="time (s)" if timed else "frame", ylabel="% of the frame", ylim=(0, None))
    axes.margins(x=0.01)
    axes.grid(visible=True, axis="y")
    axes.legend(loc="upper right", ncols=4)


def _histogram(axes: Axes, classes: Sequence[ClassAnalysis]) -> None:
    highest = max((entry.histogram.edges[-1] for entry in classes), default=1.0)
    for entry in classes:
        edges = 100 * np.array(entry.histogram.edges)
        axes.stairs(entry.histogram.counts, edges, color=entry.colour, fill=True, alpha=0.45)
        median = entry.coverage_when_seen.median
        if median is not None:
            axes.axvline(100 * median, color=entry.colour, linewidth=1.4, linestyle="--")
    axes.set(title="Coverage where seen (dashed: median)", xlabel="% of the frame", ylabel="frames")
    axes.set_xlim(0, 100 * highest)
    axes.grid(visible=True, axis="y")


def _ious(axes: Axes, tracks: Sequence[Track]) -> None:
    """Sorted, so that the share of unsteady neighbours can be read off."""
    axes.set(title="Temporal stability", xlabel="IoU with the mask before", ylabel="share of neighbours at or below")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.grid(visible=True)
    for track in tracks:
        ious: Floats = np.sort(np.array(track.iou)[~np.isnan(track.iou)])
        if len(ious) and track.entry is not None:
            shares = np.arange(1, len(ious) + 1) / len(ious)
            axes.step([0, *ious, 1], [0, *shares, 1], where="post", color=track.entry.colour, linewidth=1.5)
    if all(np.isnan(track.iou).all() for track in tracks):
        axes.text(0.5, 0.5, "no neighbouring masks", ha="center", va="center", color="#777777")


def _samples(figure: Figure, grid: GridSpec, samples: Sequence[tuple[str, U8]]) -> None:
    for place, (caption, picture) in enumerate(samples):
        axes = figure.add_subplot(grid[2 + place // _SAMPLE_COLUMNS, place % _SAMPLE_COLUMNS])
        axes.imshow(picture, interpolation="antialiased")
        axes.set_title(caption, fontsize=8.5, weight="normal")
        axes.set_axis_off()
