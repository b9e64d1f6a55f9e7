"""One segment: read > prepare > infer > annotate > encode, overlapping in threads, and the files that come out."""

import json
import shutil
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from service.errors import InferenceFailed
from service.imaging.geometry import U8, decide, restore
from service.imaging.masks import encode_png
from service.imaging.stats import measure
from service.video.analysis import temporal_iou
from service.video.annotator import Annotator
from service.video.index import Segment
from service.video.planes import Colour, Planes, to_frame, to_model_input, to_rgb
from service.video.reader import read_frames
from service.video.rows import FrameRow, row_of
from service.video.stages import in_thread
from service.video.work import VideoWork
from service.video.writer import SegmentWriter

OnFrame = Callable[[int], None]
"""Called with the number of frames that a segment has finished; may raise to stop it."""

_QUEUED_FRAMES = 4
_SAMPLE_WIDTH = 480
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""Fixed, so that the same masks make the same file."""


@dataclass(slots=True)
class _Item:
    """A frame on its way; what a stage adds is None where the frame is not segmented."""

    number: int
    planes: Planes
    prepared: U8 | None = None
    probabilities: U8 | None = None
    row: FrameRow | None = None
    mask_png: bytes | None = None


@dataclass(slots=True)
class SegmentStats:
    """What a finished segment says of itself."""

    frames: int = 0
    segmented: int = 0
    damaged: list[int] = field(default_factory=list)
    """Indexes of the frames that could not be decoded."""
    starts_at: int | None = None
    """When its first frame is shown, in the video's time base; None when it has no frame."""
    seconds: float = 0.0
    stage_seconds: dict[str, float] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls(**json.loads(path.read_text()))


def process_segment(work: VideoWork, segment: Segment, on_frame: OnFrame) -> SegmentStats:
    """Make a segment's folder, or take the one that is there: a finished segment is never done again."""
    done = work.folder / segment.name
    if done.is_dir():
        return SegmentStats.load(done / "stats.json")
    unfinished = work.folder / f"{segment.name}.{uuid.uuid4().hex[:8]}"
    unfinished.mkdir()
    try:
        stats = _SegmentRun(work, segment, unfinished).run(on_frame)
        stats.save(unfinished / "stats.json")
        if not done.is_dir():
            unfinished.rename(done)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return stats


class _SegmentRun:
    def __init__(self, work: VideoWork, segment: Segment, folder: Path) -> None:
        self._work = work
        self._segment = segment
        self._folder = folder
        self._annotator = Annotator(work.model.manifest.palette, work.options.overlay_opacity)
        self._times = work.index.times
        self._held: U8 | None = None
        self._edges: dict[str, U8] = {}
        self._stats = SegmentStats()

    def run(self, on_frame: OnFrame) -> SegmentStats:
        started = time.perf_counter()
        with ExitStack() as stack:
            read = stack.enter_context(in_thread(self._read(), "read", _QUEUED_FRAMES))
            inferred = stack.enter_context(in_thread(self._infer(read), "infer", _QUEUED_FRAMES))
            drawn = stack.enter_context(in_thread(self._annotate(inferred), "annotate", _QUEUED_FRAMES))
            self._write(drawn, on_frame)
        if self._edges:
            np.savez_compressed(self._folder / "edges.npz", first=self._edges["first"], last=self._edges["last"])
        self._stats.seconds = time.perf_counter() - started
        return self._stats

    def _clock(self, stage: str, since: float) -> float:
        now = time.perf_counter()
        self._stats.stage_seconds[stage] = self._stats.stage_seconds.get(stage, 0.0) + now - since
        return now

    def _read(self) -> Iterator[_Item]:
        work, info = self._work, self._work.info
        spec = work.model.manifest.input.spec()
        size = (info.height, info.width)
        clock = time.perf_counter()
        for number, planes in read_frames(work.source, work.index, self._segment, size, work.limits, work.threads):
            clock = self._clock("decode", clock)
            item = _Item(number, planes)
            if number % work.options.frame_step == 0:
                item.prepared = to_model_input(item.planes, spec)
            self._clock("prepare", clock)
            yield item
            clock = time.perf_counter()

    def _infer(self, items: Iterable[_Item]) -> Iterator[_Item]:
        batch: list[_Item] = []
        size = self._work.model.backend.max_batch
        for item in items:
            batch.append(item)
            if sum(entry.prepared is not None for entry in batch) >= size or len(batch) >= 2 * size:
                yield from self._run_batch(batch)
                batch = []
        yield from self._run_batch(batch)

    def _run_batch(self, batch: list[_Item]) -> list[_Item]:
        clock = time.perf_counter()
        chosen = [item for item in batch if item.prepared is not None]
        if chosen:
            prepared = np.stack([item.prepared for item in chosen if item.prepared is not None])
            for item, output in zip(chosen, self._run(prepared), strict=True):
                item.probabilities = output
        self._clock("infer", clock)
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
        for item in items:
            clock = time.perf_counter()
            if item.probabilities is not None:
                self._measure(item, item.probabilities)
            clock = self._clock("measure", clock)
            if item.row is not None and self._held is not None and "masks" in outputs:
                item.mask_png = encode_png(self._held, self._work.model.manifest.palette)
            clock = self._clock("masks", clock)
            if self._held is not None:
                self._annotator.draw(item.planes, self._held)
            if item.number in samples:
                self._save_sample(item)
            self._clock("annotate", clock)
            yield item

    def _measure(self, item: _Item, probabilities: U8) -> None:
        """Labels at the frame's size, and the row that they make."""
        height, width = item.planes.y.shape
        restored = restore(probabilities, self._work.model.manifest.input.spec(), height, width)
        labels = decide(restored, self._work.threshold)
        stability = temporal_iou(self._held, labels) if self._held is not None else None
        seconds = self._work.seconds(int(self._times[item.number]))
        item.row = row_of(item.number, seconds, measure(labels, restored), stability)
        self._held = labels
        self._edges.setdefault("first", labels)
        self._edges["last"] = labels

    def _save_sample(self, item: _Item) -> None:
        rgb = to_rgb(item.planes)
        height = max(1, round(rgb.shape[0] * _SAMPLE_WIDTH / rgb.shape[1]))
        small = cv2.resize(rgb, (_SAMPLE_WIDTH, height), interpolation=cv2.INTER_AREA)
        encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        (self._folder / f"sample-{item.number:08d}.jpg").write_bytes(encoded.tobytes())

    def _write(self, items: Iterable[_Item], on_frame: OnFrame) -> None:
        """Encode frames, write rows and masks, and count."""
        expected = self._segment.first
        stats = self._stats
        with _Files(self._work, self._folder) as files:
            for item in items:
                clock = time.perf_counter()
                stats.damaged += range(expected, item.number)
                expected = item.number + 1
                files.write(item, int(self._times[item.number]))
                stats.frames += 1
                stats.segmented += item.row is not None
                self._clock("encode", clock)
                on_frame(expected - self._segment.first)
        stats.damaged += range(expected, self._segment.last)
        stats.starts_at = files.starts_at


class _Files:
    """The files that a segment's frames are written to."""

    def __init__(self, work: VideoWork, folder: Path) -> None:
        self._work = work
        self._folder = folder
        self._writer: SegmentWriter | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._rows = self._stack.enter_context((self._folder / "rows.jsonl").open("w"))
        self._masks: zipfile.ZipFile | None = None
        if "masks" in self._work.options.outputs:
            path = self._folder / "masks.zip"
            self._masks = self._stack.enter_context(zipfile.ZipFile(path, "w", zipfile.ZIP_STORED))
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    @property
    def starts_at(self) -> int | None:
        return self._writer.starts_at if self._writer else None

    def write(self, item: _Item, shown_at: int) -> None:
        if item.row is not None:
            self._rows.write(json.dumps(item.row.flat(self._work.class_names)) + "\n")
        if item.mask_png is not None and self._masks is not None:
            self._masks.writestr(zipfile.ZipInfo(mask_name(item.number), _ZIP_DATE), item.mask_png)
        if "annotated" in self._work.options.outputs:
            if self._writer is None:
                self._writer = self._open_writer(item.planes.colour)
            self._writer.write(to_frame(item.planes), shown_at)

    def _open_writer(self, colour: Colour) -> SegmentWriter:
        video = self._work.video_format(colour)
        writer = SegmentWriter(self._folder / "annotated.mp4", video, self._work.threads)
        self._stack.callback(writer.close)
        return writer


def mask_name(number: int) -> str:
    """Name of a frame's mask inside masks.zip."""
    return f"masks/{number:08d}.png"
