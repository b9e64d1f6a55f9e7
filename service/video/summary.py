"""summary.json: what the rows of a whole video say, with the input, the model and the time it took."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from service.video.analysis import (
    Distribution,
    Interval,
    appearances,
    distribution,
    frame_durations,
    intervals,
    time_in_view,
)
from service.video.damage import Damage, assess
from service.video.probe import VideoInfo
from service.video.segment import SegmentStats
from service.video.tables import Series
from service.video.work import VideoWork

_STABLE_IOU = 0.5


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
    coverage: Distribution
    """Over all segmented frames, those without the class as 0."""


@dataclass(frozen=True, slots=True)
class FrameCounts:
    total: int
    """Frames that the video holds."""
    segmented: int
    damaged: int
    """Frames that could not be decoded; they are left out everywhere."""


@dataclass(frozen=True, slots=True)
class Stability:
    """Temporal IoU of neighbouring segmented frames that show anything."""

    temporal_iou: Distribution
    pairs: int
    unstable_share: float | None
    """Share of the pairs with an IoU under 0.5."""


@dataclass(frozen=True, slots=True)
class Throughput:
    seconds: float
    """Time at work on the segments."""
    frames_per_second: float
    realtime_factor: float
    """Length of the video over the time it took."""
    stage_seconds: dict[str, float]
    """Busy time of each stage; stages overlap."""
    stage_cpu_seconds: dict[str, float]
    """Computing time of each stage's own thread; `decoder` is that of the decoder's process."""


@dataclass(frozen=True, slots=True)
class Summary:
    model: dict[str, Any]
    input: VideoInfo
    options: dict[str, Any]
    duration_s: float
    frames: FrameCounts
    damage: Damage
    detection_rate: float | None
    """Share of the segmented frames that show anything but background."""
    time_in_view_s: float
    coverage: Distribution
    confidence: Distribution
    classes: list[ClassSummary]
    stability: Stability
    throughput: Throughput

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def summarise(work: VideoWork, series: Series, stats: list[SegmentStats]) -> Summary:
    """Put a video's rows and its segments' statistics together."""
    times = series["time_s"]
    durations = frame_durations(times, work.index.duration_s)
    seen = series.seen()
    manifest = work.model.manifest
    return Summary(
        model={"name": manifest.name, "version": manifest.version, **_backend(work)},
        input=work.info,
        options={
            "frame_step": work.options.frame_step,
            "max_frames": work.options.max_frames,
            "threshold": work.threshold,
            "outputs": list(work.options.outputs),
        },
        duration_s=round(work.index.duration_s, 3),
        frames=_counts(work, stats),
        damage=assess(work.info, work.index, _damaged(stats), whole=work.options.max_frames is None),
        detection_rate=_share(seen),
        time_in_view_s=round(time_in_view(durations, seen), 3),
        coverage=distribution(series["coverage"]),
        confidence=distribution(series["confidence"]),
        classes=[_class_summary(work, series, durations, entry.id) for entry in manifest.classes[1:]],
        stability=_stability(series),
        throughput=_throughput(work, stats),
    )


def _backend(work: VideoWork) -> dict[str, str]:
    backend = work.model.backend
    return {"backend": backend.name, "provider": backend.provider, "precision": backend.precision}


def _counts(work: VideoWork, stats: list[SegmentStats]) -> FrameCounts:
    return FrameCounts(
        total=len(work.index),
        segmented=sum(entry.segmented for entry in stats),
        damaged=len(_damaged(stats)),
    )


def _damaged(stats: list[SegmentStats]) -> list[int]:
    return [number for entry in stats for number in entry.damaged]


def _class_summary(work: VideoWork, series: Series, durations: Any, class_id: int) -> ClassSummary:
    entry = work.model.manifest.classes[class_id]
    seen = series.seen(entry.name)
    return ClassSummary(
        id=entry.id,
        name=entry.name,
        colour=entry.colour,
        detection_rate=_share(seen),
        time_in_view_s=round(time_in_view(durations, seen), 3),
        appearances=appearances(seen),
        intervals=intervals(series["time_s"], durations, seen),
        coverage=distribution(series[f"{entry.name}_coverage"]),
    )


def _stability(series: Series) -> Stability:
    ious = series["temporal_iou"]
    ious = ious[~np.isnan(ious)]
    return Stability(distribution(ious), len(ious), _share(ious < _STABLE_IOU))


def _throughput(work: VideoWork, stats: list[SegmentStats]) -> Throughput:
    seconds = sum(entry.seconds for entry in stats)
    frames = sum(entry.frames for entry in stats)
    return Throughput(
        seconds=round(seconds, 3),
        frames_per_second=round(frames / seconds, 2) if seconds else 0.0,
        realtime_factor=round(work.index.duration_s / seconds, 3) if seconds else 0.0,
        stage_seconds=_sum_stages(entry.stage_seconds for entry in stats),
        stage_cpu_seconds=_sum_stages(entry.stage_cpu_seconds for entry in stats),
    )


def _sum_stages(segments: Iterable[dict[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for stages in segments:
        total.update(stages)
    return {stage: round(seconds, 3) for stage, seconds in total.items()}


def _share(flags: Any) -> float | None:
    return round(float(np.mean(flags)), 6) if len(flags) else None
