"""What a worker does with one job: prepare, each segment, finish. Every step can be done again without harm."""

import errno
import logging
import time
from functools import partial
from threading import Event

import sqlalchemy as sa

from service.errors import EndomaskError, NoSpace, StartError, UndecodableVideo
from service.loading import LoadedModel, load_model
from service.manifest.package import Package
from service.settings import Settings
from service.storage import Storage
from service.video.decoding.limits import DecoderLimits
from service.video.index import plan_segments
from service.video.options import VideoOptions
from service.video.pipeline import prepare_work
from service.video.records import JobRecord, JobTable
from service.video.segment import process_segment
from service.video.work import VideoWork

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 0.5
_MOST_ATTEMPTS = 5
"""A segment that was begun this often and never ended has killed its worker each time."""


class Cancelled(Exception):
    """The job was cancelled or deleted."""


class Stopping(BaseException):
    """The worker ends; the job stays as it is and goes on with the next worker.

    Not an Exception, so that DBOS records nothing and the workflow stays pending.
    """


class Runner:
    """Does the steps of jobs, one job at a time."""

    def __init__(self, settings: Settings, engine: sa.Engine) -> None:
        self._settings = settings
        self._table = JobTable(engine)
        self._storage = Storage(settings.data_dir, settings.min_free_disk_gigabytes)
        self._work: tuple[str, VideoWork] | None = None
        self._model: LoadedModel | None = None
        self._pace = (0.0, 0)
        self.stopping = Event()
        """No further segment is begun."""
        self.abandoning = Event()
        """The segment at work is dropped."""

    def begin(self, job_id: str) -> int:
        """Index the video; how many segments it has. Raises Cancelled."""
        if not self._table.begin(job_id):
            raise Cancelled
        self._drop(job_id)
        work = self._open(job_id)
        self._report(job_id, frames_total=len(work.index))
        return len(plan_segments(work.index, work.options))

    def segment(self, job_id: str, number: int) -> None:
        """Do one segment; raises Cancelled, Stopping."""
        if self.stopping.is_set():
            raise Stopping
        self._storage.require_space()
        work = self._open(job_id)
        segment = plan_segments(work.index, work.options)[number]
        self._report(job_id, frames_done=segment.first)
        if self._table.begin_segment(job_id, number) > _MOST_ATTEMPTS:
            seconds = work.seconds(int(work.index.times[segment.first]))
            raise UndecodableVideo(f"the video can't be processed from {seconds:.1f} s on: its worker died there")
        stats = process_segment(work, segment, partial(self._on_frame, job_id, segment.first))
        frames, damaged = stats.frames, len(stats.damaged)
        self._table.end_segment(job_id, number, work.model.manifest.name, frames, damaged)
        self._report(job_id, frames_done=segment.last)

    def finish(self, job_id: str) -> None:
        """Put the results together and end the job."""
        if self.stopping.is_set():
            raise Stopping
        from service.video.results import finish  # noqa: PLC0415  (plotting and Parquet are slow to import)

        self._storage.require_space()
        summary = finish(self._open(job_id), self._storage.results(job_id))
        ended = self._table.end(
            job_id,
            "succeeded",
            frames_damaged=summary.frames.damaged,
            frames_per_second=summary.throughput.frames_per_second,
            realtime_factor=summary.throughput.realtime_factor,
        )
        if not ended:
            raise Cancelled
        self._drop(job_id)
        self._storage.drop_segments(job_id)

    def cancelled(self, job_id: str) -> None:
        """Note that a job was stopped, and drop its unfinished work."""
        self._drop(job_id)
        self._table.end(job_id, "cancelled")
        self._storage.drop_segments(job_id)
        log.info("video %s was cancelled", job_id)

    def failed(self, job_id: str, error: Exception) -> None:
        """Note why a job can't be done: the uploader reads the sentence, the trace goes to the log."""
        self._drop(job_id)
        known = describe(error)
        if self._table.end(job_id, "failed", error_code=known.code, error_detail=str(known)):
            log.error("video %s failed: %s", job_id, known, exc_info=None if known is error else error)
        self._storage.drop_segments(job_id)

    def _on_frame(self, job_id: str, before: int, done: int) -> None:
        if self.abandoning.is_set():
            raise Stopping
        since, counted = self._pace
        now = time.monotonic()
        if now - since >= _PROGRESS_SECONDS:
            frames = before + done
            speed = (frames - counted) / (now - since) if since and frames > counted else None
            self._pace = (now, frames)
            self._report(job_id, frames_done=frames, **({"frames_per_second": round(speed, 2)} if speed else {}))

    def _report(self, job_id: str, **values: float) -> None:
        if not self._table.progress(job_id, **values):
            raise Cancelled

    def _open(self, job_id: str) -> VideoWork:
        """The job's index and model, kept for its next segment."""
        if self._work is None or self._work[0] != job_id:
            job = self._table.get(job_id)
            options = VideoOptions.from_stored(job.options)
            work = prepare_work(
                self._storage.source(job_id),
                self._storage.segments(job_id),
                self._load(job),
                options,
                DecoderLimits.of(self._settings),
            )
            self._work = (job_id, work)
            self._pace = (0.0, 0)
        return self._work[1]

    def _load(self, job: JobRecord) -> LoadedModel:
        """The model that the job was queued with; the last one used stays loaded."""
        if self._model is None or self._model.label != f"{job.model}/{job.version}":
            package = Package.read(self._settings.models_dir / job.model / str(job.version))
            self._model = load_model(package, self._settings)
        return self._model

    def _drop(self, job_id: str) -> None:
        if self._work is not None and self._work[0] == job_id:
            self._work = None


def describe(error: Exception) -> EndomaskError:
    """What the uploader is told of an error."""
    if isinstance(error, StartError):
        return EndomaskError("the model that the job was queued with can't be loaded any more")
    if isinstance(error, EndomaskError):
        return error
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return NoSpace("the disk is full; free some space and send the video again")
    return EndomaskError("the service failed on this video; its log says why")
