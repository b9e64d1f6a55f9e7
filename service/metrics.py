"""Prometheus collectors of one app. Names and labels are a contract: docs/metrics.md lists them.

Nothing is registered at import; two apps in one process have two sets.
"""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

REQUEST_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60)
STAGE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class Metrics:
    """Everything the frame service counts; what the registry and the video jobs know is read when scraped."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # `_created` doubles what is scraped; nobody plots it
        self.registry = registry
        self.requests = Counter(
            "endomask_requests", "Answered requests.", ["route", "model", "outcome"], registry=registry
        )
        self.request_seconds = Histogram(
            "endomask_request_seconds",
            "Time from a request's headers to the end of its answer.",
            ["route"],
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        self.inflight = Gauge("endomask_inflight", "Requests being answered.", registry=registry)
        self.rejected = Counter(
            "endomask_rejected", "Requests and frames that were refused, by error code.", ["reason"], registry=registry
        )
        self.stage_seconds = Histogram(
            "endomask_stage_seconds",
            "Time that frames spend in a stage.",
            ["stage", "model"],
            buckets=STAGE_SECONDS,
            registry=registry,
        )
        self.batch_size = Histogram(
            "endomask_batch_size",
            "Frames that ran on the device together.",
            ["model"],
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )
        self.frames = Counter("endomask_frames", "Segmented frames.", ["model", "source"], registry=registry)
        self.frames_without_detection = Counter(
            "endomask_frames_without_detection",
            "Segmented frames in which nothing but background was found.",
            ["model", "source"],
            registry=registry,
        )
        self.frame_coverage = Histogram(
            "endomask_frame_coverage_ratio",
            "Share of the frame that a class covers.",
            ["model", "class"],
            buckets=SHARES,
            registry=registry,
        )
        self.frame_confidence = Histogram(
            "endomask_frame_confidence",
            "Mean probability of the class that each pixel was given.",
            ["model"],
            buckets=SHARES,
            registry=registry,
        )
        self.model_loads = Counter(
            "endomask_model_loads", "Attempts to load a model version.", ["model", "outcome"], registry=registry
        )

    def read_when_scraped(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Have a scrape ask `read` for families whose numbers live elsewhere."""
        self.registry.register(_Asked(read))

    def expose(self, accept: str) -> tuple[bytes, str]:
        """Text for a scraper and its content type, in OpenMetrics when `accept` asks for it."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class _Asked(Collector):
    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return self._read()

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask a database."""
        return []


def gauge(name: str, text: str, labels: list[str], values: Iterable[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def counter(name: str, text: str, labels: list[str], values: Iterable[tuple[list[str], float]]) -> Metric:
    """A family whose values only grow; `name` is given without `_total`."""
    family = CounterMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family
