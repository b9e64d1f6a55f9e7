"""One frame: decode > prepare > device > restore > encode. No HTTP here, nothing heavy in the event loop."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

from service.backends.cores import available_cores
from service.batching.tickets import Inference, Priority
from service.frame_counts import FrameCounts
from service.frame_threads import FrameThreads
from service.imaging import codecs
from service.imaging.geometry import U8, InputSpec, content_box, decide, prepare, resize, restore
from service.imaging.stats import FrameStats, measure
from service.journey import Journey
from service.manifest.schema import Manifest
from service.metrics import Metrics
from service.registry import ServedModel

T = TypeVar("T")
Size = Literal["frame", "model"]
STAGES = ("decode", "prepare", "queue", "infer", "restore", "encode")


class StageTimes:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        started_at = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started_at


@dataclass(frozen=True, slots=True)
class FrameOptions:
    """How a frame is wanted: `threshold` None takes the model's, `size` is the mask's, `max_megapixels` the limit,
    `keep_pixels` keeps the picture for an overlay, `instances` finds the connected parts."""

    max_megapixels: float
    threshold: float | None = None
    size: Size = "frame"
    keep_pixels: bool = False
    instances: bool = True


@dataclass(frozen=True, slots=True)
class OpenedFrame:
    """A decoded frame: its size in pixels, the model's input uint8 [h, w, 3], and RGB uint8 [H, W, 3] if kept."""

    height: int
    width: int
    prepared: U8
    rgb: U8 | None


@dataclass(frozen=True, slots=True)
class FrameResult:
    """Class ids uint8 [H, W] at the size asked for, what they say in numbers, and RGB of that size if kept."""

    manifest: Manifest
    height: int
    width: int
    labels: U8
    stats: FrameStats
    rgb: U8 | None
    times: StageTimes = field(compare=False)


def open_frame(
    body: bytes, content_type: str | None, spec: InputSpec, options: FrameOptions, times: StageTimes
) -> OpenedFrame:
    """Encoded image -> model input; raises what `codecs.decode` raises."""
    with times.measure("decode"):
        wanted_for = None if options.keep_pixels else spec
        picture = codecs.decode_for(wanted_for, body, content_type=content_type, max_megapixels=options.max_megapixels)
    with times.measure("prepare"):
        prepared = prepare(picture.rgb, spec, (picture.height, picture.width))
    return OpenedFrame(picture.height, picture.width, prepared, picture.rgb if options.keep_pixels else None)


def close_frame(
    opened: OpenedFrame, probabilities: U8, manifest: Manifest, options: FrameOptions, times: StageTimes
) -> FrameResult:
    """Probabilities uint8 [C, h, w] -> mask and numbers. At the model's size, letterbox bars are cut off."""
    spec = manifest.input.spec()
    with times.measure("restore"):
        rgb = opened.rgb
        if options.size == "frame":
            planes = restore(probabilities, spec, opened.height, opened.width)
        else:
            box = content_box(spec, opened.height, opened.width)
            inside = (slice(box.top, box.top + box.height), slice(box.left, box.left + box.width))
            planes = probabilities[(slice(None), *inside)]
            rgb = resize(rgb, box.height, box.width) if rgb is not None else None
        labels = decide(planes, manifest.threshold if options.threshold is None else options.threshold)
        stats = measure(labels, planes, instances=options.instances)
    return FrameResult(manifest, opened.height, opened.width, labels, stats, rgb, times)


class Pipeline:
    """Runs frames through a model; decoding and encoding in `threads` threads, 0: as many as there are cores."""

    def __init__(self, metrics: Metrics, threads: int = 0) -> None:
        self._metrics = metrics
        self._counts: WeakKeyDictionary[ServedModel, dict[str, FrameCounts]] = WeakKeyDictionary()
        """By model, since a package changed in place keeps its label, and may have other classes."""
        self._threads = FrameThreads(threads or available_cores())

    async def segment(
        self,
        body: bytes,
        model: ServedModel,
        options: FrameOptions,
        encode: Callable[[FrameResult], T],
        *,
        content_type: str | None = None,
        priority: Priority = Priority.FRAMES,
    ) -> T:
        """What `encode` makes of the result, in a thread. Raises Overloaded at once, before anything is decoded.

        The caller holds a lease on the model. Cancelling takes the frame out of whatever queue it is in.
        """
        times = StageTimes()
        manifest, counts = model.manifest, self._counts_of(model, priority)

        def open_() -> tuple[OpenedFrame, U8]:
            opened = open_frame(body, content_type, manifest.input.spec(), options, times)
            return opened, opened.prepared

        def close(opened: OpenedFrame, inference: Inference) -> T:
            times.seconds.update(queue=inference.queue_seconds, infer=inference.infer_seconds)
            result = close_frame(opened, inference.probabilities, manifest, options, times)
            answer = encode(result)
            counts.add(result.stats, times.seconds)
            return answer

        with model.batcher.admit(priority) as ticket:
            journey = Journey(self._threads, ticket, open_, close)
            try:
                return await asyncio.wrap_future(journey.answer)
            finally:
                journey.abandon()

    def close(self) -> None:
        self._threads.shutdown(wait=True)

    def _counts_of(self, model: ServedModel, priority: Priority) -> FrameCounts:
        source, known = "live" if priority is Priority.LIVE else "frames", self._counts.setdefault(model, {})
        if source not in known:
            known[source] = FrameCounts(self._metrics, model.manifest, source, STAGES)
        return known[source]
