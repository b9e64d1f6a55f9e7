"""One segment: read > prepare > infer > annotate > encode, overlapping in threads, and the files that come out."""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from service.errors import InferenceFailed
from service.imaging.geometry import U8
from service.imaging.masks import encode_png
from service.storage.disk import make_durable, sync
from service.video.decoding.index import Segment
from service.video.decoding.planes import Planes, to_model_input
from service.video.over_time.out_of_body import pixelate, shows_outside
from service.video.over_time.smoothing import Smoother, warm_up_frames
from service.video.rows import FrameRow
from service.video.segments.annotator import Annotator
from service.video.segments.files import SegmentFiles, save_edges, save_sample
from service.video.segments.measuring import Mask, Measurer
from service.video.segments.reader import FrameReader
from service.video.segments.shared_reader import SharedReader
from service.video.segments.stages import StageClock, in_lanes, in_thread
from service.video.segments.work import VideoWork

OnFrame = Callable[[int], None]
"""Called with the number of frames that a segment has finished; may raise to stop it."""

_QUEUED_FRAMES = 4


@dataclass(slots=True)
class _Item:
    """A frame on its way; what a stage adds is None where the frame is not segmented."""

    number: int
    planes: Planes
    warm_up: bool = False
    """Before the segment; only its probabilities are wanted."""
    prepared: U8 | None = None
    probabilities: U8 | None = None
    row: FrameRow | None = None
    mask_png: bytes | None = None


@dataclass(slots=True)
class SegmentStats:
    """What a finished segment says of itself."""

    frames: int = 0
    segmented: int = 0
    decoded_in_hardware: int = 0
    damaged: list[int] = field(default_factory=list)
    """Indexes of the frames that could not be decoded."""
    starts_at: int | None = None
    """When its first frame is shown, in the video's time base; None when it has no frame."""
    seconds: float = 0.0
    stage_seconds: dict[str, float] = field(default_factory=dict)
    """Time at work of each stage by the clock; they overlap."""
    stage_cpu_seconds: dict[str, float] = field(default_factory=dict)
    """Computing time of each stage in its own threads; `decoder` is that of the decoder's process, `libraries` what the
    worker computed besides: the lanes of a net and the threads of an encoder that have their own."""

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls(**json.loads(path.read_text()))


def process_segment(
    work: VideoWork, segment: Segment, on_frame: OnFrame, shared: SharedReader | None = None
) -> SegmentStats:
    """Make a segment's folder, or take the one that is there: a finished segment is never done again.

    Who does several segments in one thread shares a reader between them; without it, the segment has its own.
    """
    done = work.folder / segment.name
    if done.is_dir():
        return SegmentStats.load(done / "stats.json")
    with ExitStack() as stack:
        reader = shared or stack.enter_context(SharedReader())
        return reader.with_frames(work, partial(_make, work, segment, on_frame))


def _make(work: VideoWork, segment: Segment, on_frame: OnFrame, frames: FrameReader) -> SegmentStats:
    """Make the segment's folder, as a whole or not at all."""
    done, unfinished = work.folder / segment.name, work.folder / f"{segment.name}.{uuid.uuid4().hex[:8]}"
    unfinished.mkdir()
    try:
        stats = _SegmentRun(work, segment, unfinished, frames).run(on_frame)
        stats.save(unfinished / "stats.json")
        make_durable(unfinished)
        if not done.is_dir():
            unfinished.rename(done)
            sync(work.folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return stats


class _SegmentRun:
    def __init__(self, work: VideoWork, segment: Segment, folder: Path, reader: FrameReader) -> None:
        self._work = work
        self._segment = segment
        self._folder = folder
        self._reader = reader
        self._times = work.index.times
        self._clock = StageClock()
        self._in_hardware = 0

    def run(self, on_frame: OnFrame) -> SegmentStats:
        started, worker_cpu, decoder_cpu = time.perf_counter(), time.process_time(), self._reader.process.cpu_seconds()
        with ExitStack() as stack:
            read = stack.enter_context(in_thread(self._read(), "read", _QUEUED_FRAMES))
            inferred = stack.enter_context(in_thread(self._infer(read), "infer", _QUEUED_FRAMES))
            drawn = stack.enter_context(in_thread(self._annotate(inferred), "annotate", _QUEUED_FRAMES))
            stats = self._write(drawn, on_frame)
        libraries_cpu = time.process_time() - worker_cpu - sum(self._clock.cpu_seconds.values())
        self._clock.add("libraries", 0.0, max(0.0, libraries_cpu))
        self._clock.add("decoder", 0.0, self._reader.process.cpu_seconds() - decoder_cpu)
        stats.decoded_in_hardware = self._in_hardware
        stats.seconds = time.perf_counter() - started
        stats.stage_seconds, stats.stage_cpu_seconds = self._clock.seconds, self._clock.cpu_seconds
        return stats

    def _read(self) -> Iterator[_Item]:
        spec = self._work.model.manifest.input.spec()
        for number, planes in self._clock.over("decode", self._reader.read(self._with_warm_up())):
            item = _Item(number, planes, warm_up=number < self._segment.first)
            self._in_hardware += self._reader.in_hardware and not item.warm_up
            if number % self._work.options.frame_step == 0:
                with self._clock.at("prepare"):
                    item.prepared = to_model_input(planes, spec)
            yield item

    def _with_warm_up(self) -> Segment:
        """The segment, and the frames before it that the smoothing of its first ones takes in."""
        options = self._work.options
        before = warm_up_frames(options.smoothing, options.frame_step)
        return replace(self._segment, first=max(0, self._segment.first - before))

    def _infer(self, items: Iterable[_Item]) -> Iterator[_Item]:
        backend = self._work.model.backend
        for batch in in_lanes(self._run_batch, _batches(items, backend.max_batch), backend.lanes):
            yield from batch

    def _run_batch(self, batch: list[_Item]) -> list[_Item]:
        chosen = [(item, item.prepared) for item in batch if item.prepared is not None]
        if chosen:
            with self._clock.at("infer"):
                outputs = self._run(np.stack([prepared for _, prepared in chosen]))
            for (item, _), output in zip(chosen, outputs, strict=True):
                item.probabilities = output
        return batch

    def _run(self, prepared: U8) -> U8:
        """Raises InferenceFailed, which may pass: a device can be short of memory for a moment."""
        try:
            return self._work.model.backend.run(prepared)
        except Exception as error:
            raise InferenceFailed(f"{self._work.model.label} failed on this video") from error

    def _annotate(self, items: Iterable[_Item]) -> Iterator[_Item]:
        outputs = self._work.options.outputs
        samples = self._work.sampled_frames() if "report" in outputs else set()
        annotator = Annotator(self._work.model.manifest.palette, self._work.options.overlay_opacity)
        measurer = Measurer(self._work.model.manifest.input.spec(), self._work.threshold)
        first: U8 | None = None
        for item in self._smooth(items):
            outside = self._look_outside(item.planes)
            if item.probabilities is not None:
                mask = self._measure(item, item.probabilities, measurer, outside)
                first = mask.labels if first is None else first
            with self._clock.at("annotate"):
                if outside and self._work.options.out_of_body == "pixelate":
                    pixelate(item.planes)
                elif measurer.mask is not None and ("annotated" in outputs or item.number in samples):
                    annotator.draw(item.planes, measurer.mask)
                if item.number in samples:
                    save_sample(self._folder, item.number, item.planes)
            yield item
        if first is not None and measurer.mask is not None:
            save_edges(self._folder, first, measurer.mask.labels)

    def _smooth(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """The segment's own items, with smoothed probabilities."""
        smoother = Smoother(self._work.options.smoothing, self._work.options.frame_step)
        for item in items:
            if item.probabilities is not None:
                with self._clock.at("measure"):
                    item.probabilities = smoother.add(item.number, item.probabilities)
            if not item.warm_up:
                yield item

    def _look_outside(self, planes: Planes) -> bool | None:
        """Whether a frame is out of the body; None where nobody asked."""
        if self._work.options.out_of_body == "off":
            return None
        with self._clock.at("measure"):
            return shows_outside(planes)

    def _measure(self, item: _Item, probabilities: U8, measurer: Measurer, outside: bool | None) -> Mask:
        """Add a frame's row, and its mask as PNG where that is asked for."""
        with self._clock.at("measure"):
            seconds = self._work.seconds(int(self._times[item.number]))
            item.row, mask = measurer.measure(item.number, seconds, probabilities, item.planes.y.shape, outside)
        if "masks" in self._work.options.outputs:
            with self._clock.at("masks"):
                item.mask_png = encode_png(mask.labels, self._work.model.manifest.palette)
        return mask

    def _write(self, items: Iterable[_Item], on_frame: OnFrame) -> SegmentStats:
        """Write pictures, rows and masks, and count."""
        stats = SegmentStats()
        expected = self._segment.first
        with SegmentFiles(self._work, self._folder) as files:
            for item in items:
                stats.damaged += range(expected, item.number)
                expected = item.number + 1
                with self._clock.at("encode"):
                    self._write_item(files, item)
                self._reader.reuse(item.planes)
                stats.frames += 1
                stats.segmented += item.row is not None
                on_frame(expected - self._segment.first)
            with self._clock.at("encode"):
                files.finish()
        stats.damaged += range(expected, self._segment.last)
        stats.starts_at = files.starts_at
        return stats

    def _write_item(self, files: SegmentFiles, item: _Item) -> None:
        if item.row is not None:
            files.write_row(item.row)
        if item.mask_png is not None:
            files.write_mask(item.number, item.mask_png)
        if "annotated" in self._work.options.outputs:
            files.write_picture(item.planes, int(self._times[item.number]))


def _batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Items in their order, in batches of which at most `size` are to be segmented."""
    batch: list[_Item] = []
    for item in items:
        batch.append(item)
        if sum(entry.prepared is not None for entry in batch) >= size or len(batch) >= 2 * size:
            yield batch
            batch = []
    if batch:
        yield batch
