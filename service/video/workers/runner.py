"""What a worker does with a job: index it, each segment, finish. Every step can be done again without harm."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Lock
from typing import Generic, TypeVar

import sqlalchemy as sa

from service.errors import UnknownVideo, WorkerDied
from service.loading import LoadedModel
from service.manifest.package import Package
from service.niceness import give_way
from service.settings import Settings
from service.storage.store import Store, Workplace
from service.video.decoding.index import plan_segments
from service.video.decoding.lengths import require_frames, require_hours
from service.video.decoding.limits import DecoderLimits
from service.video.jobs.records import JobRecord, JobTable
from service.video.options import VideoOptions
from service.video.pipeline import KEPT_FILES, prepare_work
from service.video.segments.model import load_for_videos
from service.video.segments.segment import process_segment
from service.video.segments.shared_reader import SharedReader
from service.video.segments.threads import codec_threads
from service.video.segments.work import VideoWork
from service.video.workers.failures import MOST_DEATHS, describe
from service.video.workers.patience import Patience, Stopping

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 0.5
_WATCH_SECONDS = 0.3
_MOST_MODELS = 2
_MOST_WORKS = 4

T = TypeVar("T")


class Cancelled(Exception):
    """The job was cancelled or deleted, or has ended by another step's failure."""


class Runner:
    """Does the steps of jobs, of several at once."""

    def __init__(self, settings: Settings, engine: sa.Engine, store: Store) -> None:
        self._settings = settings
        self._table = JobTable(engine)
        self._store = store
        self._models: _Latest[LoadedModel] = _Latest(_MOST_MODELS)
        self._works: _Latest[VideoWork] = _Latest(_MOST_WORKS)
        self._loading = Lock()
        self.stopping = Event()
        """No further step is begun."""
        self.abandoning = Event()
        """The segments at work are dropped."""
        self._ask = Patience(self.abandoning)

    def begin(self, job_id: str) -> int:
        """Index the video; how many segments it has. Raises Cancelled, Stopping, and what reading it raises."""
        if not self._ask(self._table.begin, job_id):
            raise Cancelled
        with self._attempt(job_id, "index", "before its first frame"), self._store.at(job_id) as place:
            work = self._open(job_id, place)
            ours = [self._store.share(job_id, name) for name in KEPT_FILES]
            if not all(ours):
                self._works.forget(job_id)
            require_frames(len(work.index), self._settings.max_video_frames)
            require_hours(work.index.duration_s, self._settings)
            self._ask(self._table.report, job_id, frames_total=len(work.index))
            return len(plan_segments(work.index, work.options))

    def segment(self, job_id: str, number: int, reader: SharedReader | None = None) -> None:
        """Do one segment; raises Cancelled, Stopping, and what processing it raises.

        `reader` serves the segments that this thread does one after another.
        """
        name = f"segment-{number}"
        with self._attempt(job_id, name, f"in its part {number + 1}"), self._store.at(job_id) as place:
            self._store.data.require_space()
            work = self._open(job_id, place)
            segment = plan_segments(work.index, work.options)[number]
            pulse = _Pulse(self.abandoning, partial(self._report, job_id, name))
            self._store.take(job_id, [segment.name])
            try:
                stats = process_segment(work, segment, pulse, reader)
                self._store.share(job_id, segment.name)
                self._report(job_id, name, stats.frames)
            except Cancelled:
                self._store.drop_segments(job_id)
                raise
            counted = (work.model.manifest.name, stats.frames, len(stats.damaged), segment.last - segment.first)
            self._ask(self._table.end_step, job_id, name, *counted)

    def watch(self, job_id: str, segments: int) -> None:
        """Wait until all segments are done, and tell how far they are; raises Cancelled, Stopping."""
        pace, reported = _Pace(), None
        while True:
            progress = self._ask(self._table.progress, job_id)
            news = {"frames_done": progress.frames_done, **pace.measure(progress.frames_done)}
            if not self._ask(self._table.report, job_id, **(news if progress != reported else {})):
                raise Cancelled
            reported = progress
            if progress.segments_done >= segments:
                return
            if self.stopping.wait(_WATCH_SECONDS):
                raise Stopping

    def finish(self, job_id: str) -> None:
        """Put the results together and end the job; raises Cancelled, Stopping."""
        from service.video.results.results import finish, remove_unfinished  # noqa: PLC0415  (slow to import)

        with self._attempt(job_id, "finish", "while its results are put together"), self._store.at(job_id) as place:
            self._store.data.require_space()
            work = self._open(job_id, place)
            self._store.take(job_id, [segment.name for segment in plan_segments(work.index, work.options)])
            summary = finish(work, place.results)
            self._store.publish(job_id, work.options.files)
        ended = self._ask(
            self._table.end,
            job_id,
            "succeeded",
            frames_damaged=summary.frames.damaged,
            frames_per_second=summary.throughput.frames_per_second,
            realtime_factor=summary.throughput.realtime_factor,
        )
        if not ended:
            raise Cancelled
        remove_unfinished(place.results)
        self._store.drop_segments(job_id)

    def cancelled(self, job_id: str) -> None:
        """Note that a job was stopped, unless it has ended already."""
        if self._ask(self._table.end, job_id, "cancelled"):
            log.info("video %s was cancelled", job_id)

    def clear_up(self, job_id: str) -> None:
        """Drop the unfinished work of a job that has ended, and all of one that was deleted meanwhile: its results may
        have come after. Raises Stopping, and NotReady when their store is away."""
        try:
            self._ask(self._table.get, job_id)
        except UnknownVideo:
            self._store.delete(job_id)
        else:
            self._store.drop_segments(job_id)

    def failed(self, job_id: str, error: Exception) -> None:
        """Note why a job can't be done: the uploader reads the sentence, the trace goes to the log."""
        known = describe(error)
        if self._ask(self._table.end, job_id, "failed", error_code=known.code, error_detail=str(known)):
            log.error("video %s failed: %s", job_id, known, exc_info=None if known is error else error)

    @contextmanager
    def _attempt(self, job_id: str, step: str, where: str) -> Iterator[None]:
        """Count a step as begun until it ends in whatever way; what stays counted has killed its worker. Raises
        Cancelled, also where files are gone because the job is not wanted any more."""
        if self.stopping.is_set():
            raise Stopping
        give_way(self._settings.worker_niceness)
        begun = self._ask(self._table.begin_step, job_id, step)
        if begun is None:
            raise Cancelled
        if begun > MOST_DEATHS:
            raise WorkerDied(f"the video can't be processed {where}: {MOST_DEATHS} workers died there")
        log.debug("video %s: %s is begun", job_id, step)
        try:
            yield
        except BaseException as error:
            self._works.forget(job_id)
            if isinstance(error, FileNotFoundError) and not self._ask(self._table.report, job_id):
                raise Cancelled from error
            raise
        finally:
            self._ask(self._table.forgive_step, job_id, step)

    def _report(self, job_id: str, step: str, done: int) -> None:
        if not self._ask(self._table.report_step, job_id, step, done):
            raise Cancelled

    def _open(self, job_id: str, place: Workplace) -> VideoWork:
        """The job's video, index and model, kept for its next step."""
        if (kept := self._works.get(job_id)) is not None:
            return kept
        job = self._ask(self._table.get, job_id)
        self._store.take(job_id, KEPT_FILES)
        work = prepare_work(
            place.source,
            place.segments,
            self._load(job),
            VideoOptions.from_stored(job.options),
            DecoderLimits.of(self._settings),
            codec_threads(self._settings),
        )
        self._works.put(job_id, work)
        return work

    def _load(self, job: JobRecord) -> LoadedModel:
        """The model that the job was queued with."""
        label = f"{job.model}/{job.version}"
        with self._loading:
            if (kept := self._models.get(label)) is not None:
                return kept
            package = Package.read(self._settings.models_dir / job.model / str(job.version))
            model = load_for_videos(package, self._settings)
            self._models.put(label, model)
            return model


class _Latest(Generic[T]):
    """Keeps the last few things used: jobs that take turns don't open theirs anew each time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> T | None:
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: str, entry: T) -> None:
        with self._lock:
            self._entries[key] = entry
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)

    def forget(self, key: str) -> None:
        with self._lock:
            self._entries.pop(key, None)


class _Pulse:
    """Told of every frame, it reports now and then, and raises Stopping once the segment is to be dropped."""

    def __init__(self, abandoning: Event, report: Callable[[int], None]) -> None:
        self._abandoning = abandoning
        self._report = report
        self._reported_at = time.monotonic()

    def __call__(self, done: int) -> None:
        if self._abandoning.is_set():
            raise Stopping
        if time.monotonic() - self._reported_at >= _PROGRESS_SECONDS:
            self._reported_at = time.monotonic()
            self._report(done)


class _Pace:
    """Frames a second over the last moment in which some were done."""

    def __init__(self) -> None:
        self._since, self._before = time.monotonic(), 0

    def measure(self, frames: int) -> dict[str, float]:
        """Column and value once there is a new one."""
        now = time.monotonic()
        if now - self._since < _PROGRESS_SECONDS or frames <= self._before:
            return {}
        speed = (frames - self._before) / (now - self._since)
        self._since, self._before = now, frames
        return {"frames_per_second": round(speed, 2)}
