"""What each segmented frame adds to the metrics; the labels are looked up once."""

from collections.abc import Mapping

from service.imaging.stats import FrameStats
from service.manifest.schema import Manifest
from service.metrics import Metrics


class FrameCounts:
    """The collectors of one model version and one source of frames (`frames` or `live`)."""

    def __init__(self, metrics: Metrics, manifest: Manifest, source: str, stages: tuple[str, ...]) -> None:
        name = manifest.name
        self._stages = {stage: metrics.stage_seconds.labels(stage, name) for stage in stages}
        self._frames = metrics.frames.labels(name, source)
        self._empty_frames = metrics.frames_without_detection.labels(name, source)
        self._confidence = metrics.frame_confidence.labels(name)
        self._coverage = {
            entry.id: metrics.frame_coverage.labels(name, entry.name) for entry in manifest.classes if entry.id > 0
        }

    def add(self, stats: FrameStats, stage_seconds: Mapping[str, float]) -> None:
        for stage, seconds in stage_seconds.items():
            self._stages[stage].observe(seconds)
        self._frames.inc()
        if stats.coverage == 0:
            self._empty_frames.inc()
        self._confidence.observe(stats.confidence)
        for entry in stats.classes:
            self._coverage[entry.id].observe(entry.coverage)
