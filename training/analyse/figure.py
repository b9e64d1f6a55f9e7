"""analysis.png: coverage over the frames, its distribution, stability, and sample frames."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from service.imaging.geometry import U8
from service.video.over_time.analysis import Floats
from training.analyse.measures import ClassAnalysis, Series, Track
from training.figures.style import style

COLUMNS = 4
WIDTH_INCHES = 11.0
_PLOTS_INCHES = 5.4
_CAPTION_INCHES = 0.3

Sample = tuple[str, U8]
"""Caption and RGB picture."""


def draw_figure(series: Series, classes: Sequence[ClassAnalysis], samples: Sequence[Sample], title: str) -> Figure:
    """`classes` without `any`."""
    with style():
        heights = [_PLOTS_INCHES, sample_height(samples)]
        figure = Figure(figsize=(WIDTH_INCHES, sum(heights) + 0.3), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
        halves = figure.add_gridspec(2, 1, height_ratios=heights)
        plots = figure.add_subfigure(halves[0])
        grid = plots.add_gridspec(2, 2)
        tracks = series.tracks[1:]
        _over_frames(plots.add_subplot(grid[0, :]), series, tracks)
        _histogram(plots.add_subplot(grid[1, 0]), classes)
        _ious(plots.add_subplot(grid[1, 1]), tracks)
        draw_samples_grid(figure.add_subfigure(halves[1]), samples)
        return figure


def sample_height(samples: Sequence[Sample]) -> float:
    """Inches that `draw_samples_grid` needs."""
    shape = max((picture.shape[0] / picture.shape[1] for _, picture in samples), default=0.75)
    return -(-len(samples) // COLUMNS) * (WIDTH_INCHES / COLUMNS * shape + _CAPTION_INCHES)


def draw_samples_grid(part: SubFigure, samples: Sequence[Sample]) -> None:
    """Pictures with their captions above them, `COLUMNS` a row."""
    axes = part.subplots(-(-len(samples) // COLUMNS), COLUMNS, squeeze=False).ravel()
    for place, panel in enumerate(axes):
        panel.set_axis_off()
        if place < len(samples):
            caption, picture = samples[place]
            panel.imshow(picture, interpolation="antialiased")
            panel.set_title(caption, fontsize=8.5, weight="normal")


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
    axes.set(title="Temporal stability", xlabel="IoU with the mask before", ylabel="share of the neighbours")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.grid(visible=True)
    for track in tracks:
        ious: Floats = np.sort(np.array(track.iou)[~np.isnan(track.iou)])
        if len(ious) and track.entry is not None:
            shares = np.arange(1, len(ious) + 1) / len(ious)
            axes.step([0, *ious, 1], [0, *shares, 1], where="post", color=track.entry.colour, linewidth=1.5)
    if all(np.isnan(track.iou).all() for track in tracks):
        axes.text(0.5, 0.5, "no neighbouring masks", ha="center", va="center", color="#777777")
