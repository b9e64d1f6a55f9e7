"""Numbers that are asked for when scraped, since they live elsewhere: the registry, the video jobs."""

import logging
from collections.abc import Callable, Iterable

from prometheus_client.core import Metric

from service.batching.tickets import Priority
from service.metrics import counter, gauge
from service.registry import Registry
from service.video.jobs.jobs import VideoJobs

log = logging.getLogger(__name__)


def registry_reader(registry: Registry) -> Callable[[], Iterable[Metric]]:
    """What is loaded, and what waits for the device."""

    def read() -> Iterable[Metric]:
        models = registry.loaded()
        labels = ["model", "version", "backend", "provider", "precision"]
        infos = []
        for model in models:
            backend, manifest = model.loaded.backend, model.manifest
            values = [manifest.name, str(manifest.version), backend.name, backend.provider, backend.precision]
            infos.append((values, 1.0))
        yield gauge("endomask_model_info", "Loaded models and what they run on.", labels, infos)
        depths: dict[tuple[str, str], float] = {}
        for model in models:
            for priority in Priority:
                key = (model.manifest.name, priority.name.lower())
                depths[key] = depths.get(key, 0) + model.batcher.waiting(priority)
        yield gauge(
            "endomask_queue_depth",
            "Frames that wait for the device.",
            ["model", "priority"],
            [(list(key), value) for key, value in depths.items()],
        )

    return read


def video_reader(jobs: VideoJobs) -> Callable[[], Iterable[Metric]]:
    """What the worker processes did, out of the job database."""

    def read() -> Iterable[Metric]:
        try:
            numbers = jobs.statistics()
        except Exception:
            log.exception("the job database does not answer; this scrape goes without video numbers")
            return
        by_status: list[tuple[list[str], float]] = [([status], float(n)) for status, n in numbers.jobs.items()]
        by_model: list[tuple[list[str], float]] = [([model], float(n)) for model, n in numbers.frames.items()]
        factor: list[tuple[list[str], float]] = (
            [] if numbers.realtime_factor is None else [([], numbers.realtime_factor)]
        )
        yield gauge("endomask_video_jobs", "Video jobs on record.", ["status"], by_status)
        yield counter("endomask_video_frames", "Video frames ever segmented.", ["model"], by_model)
        yield counter(
            "endomask_video_frames_damaged", "Video frames ever skipped as damaged.", [], [([], float(numbers.damaged))]
        )
        yield gauge(
            "endomask_video_realtime_factor", "Length of the latest videos over the time that they took.", [], factor
        )

    return read
