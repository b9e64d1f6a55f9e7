"""Video jobs as the server sees them: take an upload, list, cancel, delete, find results. The worker does the work.

DBOS is imported when the first job is queued, so that a server starts without waiting for it.
"""

import logging
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from service.errors import CallerLimit, Conflict, NoSpace, NotFound, NotReady, Overloaded
from service.settings import Settings
from service.storage.opening import open_store
from service.storage.store import StoredFile, deleted_meanwhile
from service.video.decoding.probe import VideoInfo
from service.video.jobs.asked import Asked
from service.video.jobs.database import database_url, one_at_a_time, open_database
from service.video.jobs.heartbeat import alive
from service.video.jobs.queueing import APPLICATION, APPLICATION_VERSION, JOB_WORKFLOW, JOBS_QUEUE
from service.video.jobs.records import JobRecord, JobTable, Status
from service.video.options import VideoOptions

if TYPE_CHECKING:
    from dbos import DBOSClient

_KEY_USED = "this Idempotency-Key was used for another video or other parameters; choose a new one"
_LATEST_JOBS = 10
_CANCEL_WAIT_SECONDS = 3.0
_CANCEL_POLL_SECONDS = 0.05
_LARGEST_INTEGER = 2**31 - 1
"""That a database's column takes."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What /metrics says of the videos."""

    jobs: dict[str, int]
    """Jobs by status."""
    frames: dict[str, int]
    """Frames ever processed, by model; only grows."""
    damaged: int
    """Frames ever that could not be decoded; only grows."""
    realtime_factor: float | None
    """Mean over the last ten jobs: length of the video over the time it took."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A whole and probed upload, and what is to be done with it."""

    upload: Path
    sha256: str
    info: VideoInfo
    asked: Asked


class VideoJobs:
    """The server's side of the job queue. Every method may block; call them from a worker thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine = open_database(settings)
        sa.event.listen(self._engine, "handle_error", _explain, retval=True)
        self._table = JobTable(self._engine)
        self._client: DBOSClient | None = None
        self._connecting = Lock()
        self.store = open_store(settings)

    def close(self) -> None:
        if self._client is not None:
            self._client.destroy()
        self._engine.dispose()
        self.store.close()

    def create(self, new: NewJob) -> JobRecord:
        """Queue a job, or return the one that the same request made before; raises Conflict when the idempotency key
        was used for another request, CallerLimit, Overloaded, NoSpace, NotReady. The caller removes the upload."""
        job_id = str(uuid.uuid4())
        client = self._connect()
        try:
            self.store.adopt(new.upload, job_id)
            with self._engine.begin() as connection:
                one_at_a_time(connection)
                self._table.insert(connection, id=job_id, **_columns(new))
                self._judge(*self._table.active(connection, new.asked.caller))
                client.enqueue_in_transaction(
                    connection,
                    {
                        "workflow_name": JOB_WORKFLOW,
                        "queue_name": JOBS_QUEUE,
                        "workflow_id": job_id,
                        "app_version": APPLICATION_VERSION,
                    },
                    job_id,
                )
        except IntegrityError:
            self.store.delete(job_id)
            if (existing := self.find_same(new)) is None:
                raise
            return existing
        except NotReady:
            raise  # perhaps the job is on record and only the answer was lost; if not, the sweep removes the files
        except BaseException:
            self.store.delete(job_id)
            raise
        return self._table.get(job_id)

    def find_same(self, new: NewJob) -> JobRecord | None:
        """The job that an idempotency key stands for; raises Conflict when it was made from something else."""
        existing = self._made_before(new.asked)
        if existing is not None and existing.sha256 != new.sha256:
            raise Conflict(_KEY_USED)
        return existing

    def require_room(self, asked: Asked, arriving: int = 0) -> None:
        """Raise CallerLimit or Overloaded when one more job, besides the caller's `arriving` uploads, would be one too
        many, and Conflict when the idempotency key was used for other parameters. A repeated request takes no room."""
        if self._made_before(asked) is None:
            with self._engine.connect() as connection:
                everyones, callers = self._table.active(connection, asked.caller)
            self._judge(everyones + 1, callers + arriving + 1)

    def _made_before(self, asked: Asked) -> JobRecord | None:
        """The job of an idempotency key; raises Conflict when its parameters differ."""
        existing = self._table.find_by_key(asked.idempotency_key) if asked.idempotency_key else None
        if existing is None:
            return None
        wanted = (asked.model, asked.version, asked.options.stored(), asked.retention_hours)
        if wanted != (existing.model, existing.version, existing.options, existing.retention_hours):
            raise Conflict(_KEY_USED)
        return existing

    def _judge(self, everyones: int, callers: int) -> None:
        most, most_of_a_caller = self._settings.max_active_videos, self._settings.max_active_videos_per_caller
        if callers > most_of_a_caller:
            raise CallerLimit(
                f"{most_of_a_caller} of your videos are on their way, queued or running, which is the most "
                "(ENDOMASK_MAX_ACTIVE_VIDEOS_PER_CALLER); wait for one to end"
            )
        if everyones > most:
            raise Overloaded(f"{most} videos are queued or running, which is the most (ENDOMASK_MAX_ACTIVE_VIDEOS)")

    def get(self, job_id: str) -> JobRecord:
        """Raises UnknownVideo."""
        return self._table.get(job_id)

    def page(self, limit: int, offset: int, status: Status | None) -> tuple[list[JobRecord], int]:
        return self._table.page(limit, offset, status)

    def result(self, job_id: str, name: str) -> StoredFile:
        """A finished job's file; raises UnknownVideo, NotFound when it was not asked for, Conflict when it is
        not there yet or never will be, NotReady."""
        job = self.get(job_id)
        files = VideoOptions.from_stored(job.options).files
        if name not in files:
            raise NotFound(f"this job was asked for {', '.join(files)}; {name} is not among them (query `outputs`)")
        if job.status != "succeeded":
            raise Conflict(f"the job is {job.status}; results are there when it has succeeded")
        with deleted_meanwhile():
            return self.store.result(job_id, name)

    def cancel(self, job_id: str) -> JobRecord:
        """Stop a job and keep its record; raises Conflict when it has ended."""
        job = self.get(job_id)
        if not job.active:
            raise Conflict(f"the job has ended already: it is {job.status}")
        self._table.cancel(job_id)
        self._wait(lambda: not self.get(job_id).active)
        return self.get(job_id)

    def delete(self, job_id: str) -> None:
        """Stop a job if it runs and remove upload, results and record; raises UnknownVideo, and NotReady while the
        record stays, so that it can be repeated."""
        if self.get(job_id).active:
            self._table.cancel(job_id)
        self.store.delete(job_id)
        self._table.delete(job_id)
        with suppress(NotReady):  # the sweep removes it then
            self.store.delete(job_id)  # what a worker wrote before it saw that

    def workers_alive(self) -> int:
        """Workers that were heard of lately."""
        return len(alive(self._engine))

    def statistics(self) -> Statistics:
        rows = self._table.counters()
        factors = self._table.realtime_factors(_LATEST_JOBS)
        return Statistics(
            jobs=self._table.counts(),
            frames={model: frames for model, frames, _ in rows},
            damaged=sum(damaged for _, _, damaged in rows),
            realtime_factor=sum(factors) / len(factors) if factors else None,
        )

    def _wait(self, done: Callable[[], bool]) -> None:
        """Give a worker a moment to let go; it looks three times a second."""
        deadline = time.monotonic() + _CANCEL_WAIT_SECONDS
        while not done() and time.monotonic() < deadline:
            time.sleep(_CANCEL_POLL_SECONDS)

    def _connect(self) -> "DBOSClient":
        from dbos import DBOS, DBOSClient  # noqa: PLC0415

        with self._connecting:
            if self._client is None:
                logging.getLogger("dbos").setLevel(logging.WARNING)
                self._engine.connect().close()  # DBOS would wait for a database that is away
                DBOS.migrate(database_url(self._settings))
                self._client = DBOSClient(
                    system_database_engine=self._engine, application_name=APPLICATION, retry_connection_errors=False
                )
            return self._client


def _explain(context: sa.ExceptionContext) -> Exception | None:
    """The caller hears that the database is away, and may come again. A stale connection is simply replaced."""
    if context.is_pre_ping or not isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError):
        return None
    if "disk is full" in str(context.original_exception):
        return NoSpace("the job database's disk is full; nothing was kept")
    return NotReady("the job database does not answer; try again in a moment")


def _columns(new: NewJob) -> dict[str, object]:
    asked = new.asked
    return {
        "model": asked.model,
        "version": asked.version,
        "options": asked.options.stored(),
        "input": {**asdict(new.info), "name": asked.name, "sha256": new.sha256},
        "sha256": new.sha256,
        "idempotency_key": asked.idempotency_key,
        "caller": asked.caller,
        "retention_hours": asked.retention_hours,
        "frames_total": _frames_expected(new),
    }


def _frames_expected(new: NewJob) -> int | None:
    """By the header, which may lie, until the index has counted them."""
    if new.info.frames is None:
        return None
    return max(0, min(new.info.frames, new.asked.options.max_frames or _LARGEST_INTEGER, _LARGEST_INTEGER))
