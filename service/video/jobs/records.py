"""Rows of the job database: what a job is, and the few ways in which it changes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import sqlalchemy as sa

from service.errors import UnknownVideo
from service.video.jobs.database import counters, jobs, now, steps, upsert

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
STATUSES: tuple[Status, ...] = ("queued", "running", "succeeded", "failed", "cancelled")
ACTIVE: tuple[Status, ...] = ("queued", "running")


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A row of `video_jobs`. Times are seconds since 1970."""

    id: str
    status: Status
    created_at: float
    started_at: float | None
    finished_at: float | None
    model: str
    version: int
    options: dict[str, Any]
    input: dict[str, Any]
    sha256: str
    idempotency_key: str | None
    caller: str | None
    retention_hours: float | None
    frames_total: int | None
    frames_done: int
    frames_damaged: int
    frames_per_second: float | None
    realtime_factor: float | None
    cancel_requested: bool
    waiting_since: float | None
    error_code: str | None
    error_detail: str | None

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def eta_s(self) -> float | None:
        """Seconds until the last frame at the present pace."""
        if self.status != "running" or not self.frames_per_second or self.frames_total is None:
            return None
        return (self.frames_total - self.frames_done) / self.frames_per_second


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job's segments are."""

    segments_done: int
    frames_done: int


class JobTable:
    """Reads and writes job rows; safe to use from any thread and from several processes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def insert(self, connection: sa.Connection, **values: Any) -> None:
        """Add a queued job; raises sqlalchemy's IntegrityError when its idempotency key is taken."""
        connection.execute(sa.insert(jobs).values(status="queued", created_at=time.time(), **values))

    def get(self, job_id: str) -> JobRecord:
        """Raises UnknownVideo."""
        row = None
        if "\0" not in job_id:  # which PostgreSQL takes in no text
            with self._engine.connect() as connection:
                row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).one_or_none()
        if row is None:
            raise UnknownVideo(f"there is no video {job_id[:64]!r}")
        return _record(row)

    def find_by_key(self, idempotency_key: str) -> JobRecord | None:
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.idempotency_key == idempotency_key)).one_or_none()
        return None if row is None else _record(row)

    def page(self, limit: int, offset: int, status: Status | None) -> tuple[list[JobRecord], int]:
        """Newest first, and how many there are in all."""
        chosen = sa.true() if status is None else jobs.c.status == status
        query = sa.select(jobs).where(chosen).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit).offset(offset)
        with self._engine.connect() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(jobs).where(chosen)).scalar_one()
            return [_record(row) for row in connection.execute(query)], total

    def ids(self, *, active: bool = False) -> set[str]:
        """Of all jobs, or of those that have not ended."""
        query = sa.select(jobs.c.id)
        with self._engine.connect() as connection:
            return set(connection.execute(query.where(jobs.c.status.in_(ACTIVE)) if active else query).scalars())

    def active(self, connection: sa.Connection, caller: str) -> tuple[int, int]:
        """Jobs that have not ended: all, and a caller's."""
        count = sa.func.count()
        query = sa.select(count, count.filter(jobs.c.caller == caller)).where(jobs.c.status.in_(ACTIVE))
        everyones, callers = connection.execute(query).one()
        return int(everyones), int(callers)

    def expired(self, now_s: float, default_hours: float | None) -> list[str]:
        """Jobs that ended so long ago that they are kept no longer; those that say nothing, after the default."""
        kept_hours = sa.func.coalesce(jobs.c.retention_hours, sa.literal(default_hours, sa.Float))
        ended = jobs.c.status.not_in(ACTIVE) & (jobs.c.finished_at + kept_hours * 3600 <= now_s)
        with self._engine.connect() as connection:
            return list(connection.execute(sa.select(jobs.c.id).where(ended)).scalars())

    def ended_before(self, then_s: float) -> set[str]:
        """Jobs that had ended at that time."""
        ended = jobs.c.status.not_in(ACTIVE) & (jobs.c.finished_at < then_s)
        with self._engine.connect() as connection:
            return set(connection.execute(sa.select(jobs.c.id).where(ended)).scalars())

    def begin(self, job_id: str) -> bool:
        """Mark a job as running; False when it was cancelled or deleted meanwhile."""
        started = sa.func.coalesce(jobs.c.started_at, time.time())
        return self._change(job_id, ACTIVE, status="running", started_at=started)

    def report(self, job_id: str, **values: Any) -> bool:
        """Write progress; False when the job is to stop."""
        with self._engine.begin() as connection:
            goes_on = _goes_on(connection, job_id)
            if goes_on and values:
                connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(**values))
        return goes_on

    def wait(self, job_id: str) -> float:
        """Note that a job at work waits for the object store; for how many seconds it has."""
        here = (jobs.c.id == job_id) & jobs.c.status.in_(ACTIVE)
        since = sa.func.coalesce(jobs.c.waiting_since, now())
        waited = sa.update(jobs).where(here).values(waiting_since=since).returning(now() - jobs.c.waiting_since)
        with self._engine.begin() as connection:
            return float(connection.execute(waited).scalar() or 0.0)

    def wait_no_more(self, job_id: str) -> None:
        """The object store is back."""
        here = (jobs.c.id == job_id) & jobs.c.waiting_since.is_not(None)
        with self._engine.begin() as connection:
            connection.execute(sa.update(jobs).where(here).values(waiting_since=None))

    def end(self, job_id: str, status: Status, **values: Any) -> bool:
        """Mark an active job as ended; False when it has ended before or is gone."""
        return self._change(job_id, ACTIVE, status=status, finished_at=time.time(), waiting_since=None, **values)

    def cancel(self, job_id: str) -> None:
        """A queued job is cancelled at once, a running one by its worker."""
        if not self._change(job_id, ("queued",), status="cancelled", finished_at=time.time(), cancel_requested=True):
            self._change(job_id, ("running",), cancel_requested=True)

    def delete(self, job_id: str) -> bool:
        with self._engine.begin() as connection:
            connection.execute(sa.delete(steps).where(steps.c.job_id == job_id))
            return connection.execute(sa.delete(jobs).where(jobs.c.id == job_id)).rowcount > 0

    def begin_step(self, job_id: str, name: str) -> int | None:
        """How often a step was begun and came to no end, this time included; None when the job is to stop."""
        with self._engine.begin() as connection:
            if not _goes_on(connection, job_id):
                return None
            insert = upsert(connection, steps).values(job_id=job_id, name=name, attempts=1)
            done = sa.case((steps.c.frames.is_not(None), steps.c.frames_done), else_=0)
            again = {"attempts": steps.c.attempts + 1, "frames_done": done}
            begun = insert.on_conflict_do_update(index_elements=[steps.c.job_id, steps.c.name], set_=again)
            return int(connection.execute(begun.returning(steps.c.attempts)).scalar_one())

    def forgive_step(self, job_id: str, name: str) -> None:
        """A step came to an end in good order, though not to the wanted one: it killed nobody."""
        values = {"attempts": steps.c.attempts - 1}
        with self._engine.begin() as connection:
            connection.execute(sa.update(steps).where(_step(job_id, name)).values(values))

    def report_step(self, job_id: str, name: str, frames_done: int) -> bool:
        """Write a step's progress, unless it was done before; False when the job is to stop."""
        here = _step(job_id, name) & steps.c.frames.is_(None)
        with self._engine.begin() as connection:
            connection.execute(sa.update(steps).where(here).values(frames_done=frames_done))
            return _goes_on(connection, job_id)

    def end_step(self, job_id: str, name: str, model: str, frames: int, damaged: int, length: int) -> None:
        """Count a segment's frames, once however often its step is repeated. `length` is all its frames."""
        here = _step(job_id, name) & steps.c.frames.is_(None)
        with self._engine.begin() as connection:
            ended = sa.update(steps).where(here).values(frames=frames, frames_done=length)
            if not connection.execute(ended).rowcount:
                return
            _add(connection, model, frames, damaged)
            values = {"frames_damaged": jobs.c.frames_damaged + damaged}
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(values))

    def progress(self, job_id: str) -> Progress:
        """Of all the job's segments, those under way included."""
        query = sa.select(sa.func.count(steps.c.frames), sa.func.coalesce(sa.func.sum(steps.c.frames_done), 0))
        with self._engine.connect() as connection:
            done, frames = connection.execute(query.where(steps.c.job_id == job_id)).one()
        return Progress(int(done), int(frames))

    def counts(self) -> dict[str, int]:
        """Jobs by status, every status named."""
        query = sa.select(jobs.c.status, sa.func.count()).group_by(jobs.c.status)
        with self._engine.connect() as connection:
            found: dict[str, int] = dict(connection.execute(query).all())
        return {status: found.get(status, 0) for status in STATUSES}

    def counters(self) -> list[tuple[str, int, int]]:
        """For each model, all frames ever processed and all that were damaged."""
        with self._engine.connect() as connection:
            return [(row.model, row.frames, row.damaged) for row in connection.execute(sa.select(counters))]

    def realtime_factors(self, limit: int) -> list[float]:
        """Of the jobs that ended last."""
        query = sa.select(jobs.c.realtime_factor).where(jobs.c.realtime_factor.is_not(None))
        with self._engine.connect() as connection:
            return list(connection.execute(query.order_by(jobs.c.finished_at.desc()).limit(limit)).scalars())

    def _change(self, job_id: str, from_statuses: Sequence[Status], **values: Any) -> bool:
        here = (jobs.c.id == job_id) & jobs.c.status.in_(from_statuses)
        with self._engine.begin() as connection:
            return connection.execute(sa.update(jobs).where(here).values(**values)).rowcount > 0


def _step(job_id: str, name: str) -> sa.ColumnElement[bool]:
    return (steps.c.job_id == job_id) & (steps.c.name == name)


def _goes_on(connection: sa.Connection, job_id: str) -> bool:
    """Whether a job has neither ended nor been cancelled nor deleted."""
    goes_on = jobs.c.status.in_(ACTIVE) & ~jobs.c.cancel_requested
    return connection.execute(sa.select(jobs.c.id).where((jobs.c.id == job_id) & goes_on)).first() is not None


def _add(connection: sa.Connection, model: str, frames: int, damaged: int) -> None:
    insert = upsert(connection, counters).values(model=model, frames=frames, damaged=damaged)
    more = {"frames": counters.c.frames + frames, "damaged": counters.c.damaged + damaged}
    connection.execute(insert.on_conflict_do_update(index_elements=[counters.c.model], set_=more))


def _record(row: sa.Row[Any]) -> JobRecord:
    return JobRecord(**{field.name: getattr(row, field.name) for field in fields(JobRecord)})
