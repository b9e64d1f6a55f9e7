"""What summary.json says of one class."""

from dataclasses import dataclass

import numpy as np

from service.manifest.entries import ClassEntry
from service.video.over_time.analysis import (
    Distribution,
    Flags,
    Floats,
    Interval,
    appearances,
    bridge_gaps,
    distribution,
    intervals,
    time_in_view,
)
from service.video.over_time.flicker import Flicker, measure_flicker
from service.video.over_time.motion import Motion, summarise_motion
from service.video.results.tables import Series


@dataclass(frozen=True, slots=True)
class Timeline:
    """What all classes are measured against."""

    durations_s: Floats
    """How long each row stands."""
    bridge_s: float
    """Gaps up to here don't interrupt an interval."""
    diagonal_px: float


@dataclass(frozen=True, slots=True)
class ClassSummary:
    id: int
    name: str
    colour: str
    detection_rate: float | None
    """Share of the segmented frames in which the class is seen."""
    time_in_view_s: float
    appearances: int
    intervals: list[Interval]
    """Time, appearances and intervals are with gaps of up to `options.bridge_s` bridged."""
    coverage: Distribution
    """Over all segmented frames, those without the class as 0."""
    flicker: Flicker
    motion: Motion


def summarise_class(entry: ClassEntry, series: Series, timeline: Timeline) -> ClassSummary:
    seen = series.seen(entry.name)
    bridged = bridge_gaps(timeline.durations_s, seen, timeline.bridge_s)
    motion = series[f"{entry.name}_moved_px"], series[f"{entry.name}_speed_px_s"]
    return ClassSummary(
        id=entry.id,
        name=entry.name,
        colour=entry.colour,
        detection_rate=share(seen),
        time_in_view_s=round(time_in_view(timeline.durations_s, bridged), 3),
        appearances=appearances(bridged),
        intervals=intervals(series["time_s"], timeline.durations_s, bridged),
        coverage=distribution(series[f"{entry.name}_coverage"]),
        flicker=measure_flicker(timeline.durations_s, seen),
        motion=summarise_motion(series["time_s"], *motion, timeline.diagonal_px),
    )


def share(flags: Flags) -> float | None:
    """Of the rows; None when there is none."""
    return round(float(np.mean(flags)), 6) if len(flags) else None
