"""What a frame adds to the metrics."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from service.frame_counts import FrameCounts
from service.imaging.stats import ClassStats, FrameStats
from service.metrics import Metrics
from tests.support.red import write_red_package


def test_a_frame_adds_its_stages_its_coverage_and_whether_anything_was_found(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    manifest = write_red_package(tmp_path, classes=3).manifest
    counts = FrameCounts(Metrics(registry), manifest, "live", ("decode", "infer"))
    seen = FrameStats(0.25, 0.9, (ClassStats(1, 10, 0.25, 0.9, ()), ClassStats(2, 0, 0.0, None, ())))
    empty = FrameStats(0.0, 0.8, (ClassStats(1, 0, 0.0, None, ()), ClassStats(2, 0, 0.0, None, ())))
    for stats in (seen, empty):
        counts.add(stats, {"decode": 0.5, "infer": 0.25})
    red, live = {"model": "red"}, {"model": "red", "source": "live"}
    assert registry.get_sample_value("endomask_frames_total", live) == 2
    assert registry.get_sample_value("endomask_frames_without_detection_total", live) == 1
    assert registry.get_sample_value("endomask_stage_seconds_sum", {"stage": "decode", **red}) == 1.0
    assert registry.get_sample_value("endomask_frame_coverage_ratio_sum", {"class": "tool", **red}) == 0.25
    assert registry.get_sample_value("endomask_frame_coverage_ratio_count", {"class": "unseen2", **red}) == 2
