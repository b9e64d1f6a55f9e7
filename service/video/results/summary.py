"""summary.json: what the rows of a whole video say, with the input, the model and the time it took."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from service.video.decoding.probe import VideoInfo
from service.video.over_time.analysis import (
    Distribution,
    Floats,
    Interval,
    bridge_gaps,
    distribution,
    frame_durations,
    intervals,
    time_in_view,
)
from service.video.results.activity import Activity, measure_activity
from service.video.results.class_summary import ClassSummary, Timeline, share, summarise_class
from service.video.results.damage import Damage, assess
from service.video.results.tables import Series
from service.video.segments.segment import SegmentStats
from service.video.segments.work import VideoWork

_STABLE_IOU = 0.5


@dataclass(frozen=True, slots=True)
class FrameCounts:
    total: int
    """Frames that the video holds."""
    segmented: int
    damaged: int
    """Frames that could not be decoded; they are left out everywhere."""
    decoded_in_hardware: int
    """Frames that a GPU decoded; all others were decoded in software."""


@dataclass(frozen=True, slots=True)
class Stability:
    """Temporal IoU of neighbouring segmented frames that show anything."""

    temporal_iou: Distribution
    pairs: int
    unstable_share: float | None
    """Share of the pairs with an IoU under 0.5."""


@dataclass(frozen=True, slots=True)
class OutOfBody:
    """Segmented frames that don't show the inside of a body, see `out_of_body.is_out_of_body`."""

    share: float | None
    time_s: float
    intervals: list[Interval]


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
    """Computing time of each stage's own threads; `decoder` is that of the decoder's process, `libraries` that of the
    worker's other threads, which are a net's lanes and an encoder's."""


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
    """With gaps of up to `options.bridge_s` bridged, as everywhere below where not said otherwise."""
    coverage: Distribution
    confidence: Distribution
    classes: list[ClassSummary]
    activity: Activity
    stability: Stability
    out_of_body: OutOfBody | None
    """None when the job was not asked to look for it."""
    throughput: Throughput

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def summarise(work: VideoWork, series: Series, stats: list[SegmentStats]) -> Summary:
    """Put a video's rows and its segments' statistics together."""
    times = series["time_s"]
    durations = frame_durations(times, work.index.duration_s)
    seen = series.seen()
    bridged = bridge_gaps(durations, seen, work.options.bridge_s)
    timeline = Timeline(durations, work.options.bridge_s, work.diagonal_px)
    manifest = work.model.manifest
    return Summary(
        model={"name": manifest.name, "version": manifest.version, **_backend(work)},
        input=work.info,
        options={
            "frame_step": work.options.frame_step,
            "max_frames": work.options.max_frames,
            "threshold": work.threshold,
            "outputs": list(work.options.outputs),
            "smoothing": work.options.smoothing,
            "bridge_s": work.options.bridge_s,
            "out_of_body": work.options.out_of_body,
        },
        duration_s=round(work.index.duration_s, 3),
        frames=_counts(work, stats),
        damage=assess(work.info, work.index, _damaged(stats), whole=work.options.max_frames is None),
        detection_rate=share(seen),
        time_in_view_s=round(time_in_view(durations, bridged), 3),
        coverage=distribution(series["coverage"]),
        confidence=distribution(series["confidence"]),
        classes=[summarise_class(entry, series, timeline) for entry in manifest.classes[1:]],
        activity=measure_activity(series, durations, bridged),
        stability=_stability(series),
        out_of_body=_out_of_body(series, durations),
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
        decoded_in_hardware=sum(entry.decoded_in_hardware for entry in stats),
    )


def _damaged(stats: list[SegmentStats]) -> list[int]:
    return [number for entry in stats for number in entry.damaged]


def _out_of_body(series: Series, durations_s: Floats) -> OutOfBody | None:
    judged = series["out_of_body"]
    if np.isnan(judged).all():
        return None
    outside = judged == 1
    spans = intervals(series["time_s"], durations_s, outside)
    return OutOfBody(share(outside), round(time_in_view(durations_s, outside), 3), spans)


def _stability(series: Series) -> Stability:
    ious = series["temporal_iou"]
    ious = ious[~np.isnan(ious)]
    return Stability(distribution(ious), len(ious), share(ious < _STABLE_IOU))


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
