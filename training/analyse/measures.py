"""Numbers of a series of masks. The formulas that reports of the service use too come from there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np

from service.imaging.geometry import U8
from service.manifest.entries import ClassEntry
from service.video.over_time.analysis import Distribution, Flags, Floats, appearances, distribution, temporal_iou
from training.analyse.masks import NamedMask

BINS = 20
UNSTABLE_IOU = 0.5
"""Neighbours with less overlap than this count as unstable, as in the service's summary.json."""


@dataclass(frozen=True)
class Histogram:
    """`counts[i]` frames lie in `edges[i]..edges[i + 1]`, shares of the frame."""

    edges: list[float]
    counts: list[int]


@dataclass(frozen=True)
class Stability:
    """Neighbouring masks of one series."""

    temporal_iou: Distribution
    pairs: int
    """Neighbours of which at least one shows something."""
    unstable_share: float | None
    """Share of the pairs with an IoU under 0.5."""
    flicker: float | None
    """Share of the frames with two neighbours whose state (seen or not) differs from both of them."""
    appearances: int
    """How often something comes into view."""


@dataclass(frozen=True)
class ClassAnalysis:
    """One class, or `any` foreground."""

    name: str
    colour: str
    frames: int
    detection_rate: float
    coverage: Distribution
    """Over all frames; those without a detection count 0."""
    coverage_when_seen: Distribution
    histogram: Histogram
    """Of the coverage, over the frames that show the class."""
    stability: Stability


@dataclass
class Track:
    """What is kept of each mask: a few numbers, however large it was."""

    entry: ClassEntry | None
    """None is any foreground."""
    coverage: list[float] = field(default_factory=list)
    iou: list[float] = field(default_factory=list)
    """With the mask before it; NaN where neither shows anything or none is comparable."""

    def add(self, labels: U8, before: U8 | None) -> None:
        own = labels if self.entry is None else _only(labels, self.entry.id)
        overlap = None
        if before is not None:
            overlap = temporal_iou(before if self.entry is None else _only(before, self.entry.id), own)
        self.coverage.append(cv2.countNonZero(own) / own.size)
        self.iou.append(np.nan if overlap is None else overlap)


@dataclass
class Series:
    """Tracks of all classes over all masks, in order."""

    names: list[str]
    groups: list[str]
    times_s: list[float | None]
    tracks: list[Track]


def follow(masks: Iterable[NamedMask], classes: list[ClassEntry], on_frames: Callable[[int], None]) -> Series:
    """Reads every mask once; two are held at a time. The first track is any foreground."""
    tracks = [Track(None), *(Track(entry) for entry in classes[1:])]
    series = Series([], [], [], tracks)
    before: NamedMask | None = None
    for count, mask in enumerate(masks, start=1):
        comparable = before is not None and before.group == mask.group and before.labels.shape == mask.labels.shape
        for track in tracks:
            track.add(mask.labels, before.labels if before is not None and comparable else None)
        series.names.append(mask.name)
        series.groups.append(mask.group)
        series.times_s.append(mask.time_s)
        before = mask
        on_frames(count)
    return series


def analyse_track(track: Track, groups: list[str]) -> ClassAnalysis:
    coverage = np.array(track.coverage, np.float64)
    seen = coverage > 0
    edges = np.linspace(0, max(float(coverage.max(initial=0)), 1e-6), BINS + 1)
    counts = np.histogram(coverage[seen], bins=edges)[0]
    return ClassAnalysis(
        name="any" if track.entry is None else track.entry.name,
        colour="#4d4d4d" if track.entry is None else track.entry.colour,
        frames=len(coverage),
        detection_rate=round(float(seen.mean()), 6),
        coverage=distribution(coverage),
        coverage_when_seen=distribution(coverage[seen]),
        histogram=Histogram([round(float(edge), 6) for edge in edges], counts.tolist()),
        stability=_stability(np.array(track.iou, np.float64), seen, groups),
    )


def flicker(seen: Flags, groups: list[str]) -> float | None:
    """Share of the frames with two neighbours in their series whose state differs from both; None without such."""
    names = np.array(groups)
    inside = (names[1:-1] == names[:-2]) & (names[1:-1] == names[2:])
    if not inside.any():
        return None
    alone = (seen[1:-1] != seen[:-2]) & (seen[1:-1] != seen[2:])
    return round(float(alone[inside].mean()), 6)


def _stability(ious: Floats, seen: Flags, groups: list[str]) -> Stability:
    known = ious[~np.isnan(ious)]
    names = np.array(groups)
    return Stability(
        temporal_iou=distribution(known),
        pairs=len(known),
        unstable_share=round(float(np.mean(known < UNSTABLE_IOU)), 6) if len(known) else None,
        flicker=flicker(seen, groups),
        appearances=sum(appearances(seen[names == name]) for name in dict.fromkeys(groups)),
    )


def _only(labels: U8, class_id: int) -> U8:
    """1 where the class is, else 0."""
    return np.asarray(labels == class_id, np.uint8)
