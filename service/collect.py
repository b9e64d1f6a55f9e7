"""Numbers that are asked for when scraped, since they live elsewhere: the registry, the video jobs."""

from collections.abc import Callable, Iterable

from prometheus_client.core import Metric

from service.batcher import Priority
from service.metrics import gauge
from service.registry import Registry


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
