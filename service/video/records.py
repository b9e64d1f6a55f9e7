"""Rows of the job database: what a job is, and the few ways in which it changes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import sqlalchemy as sa

from service.errors import UnknownVideo
from service.video.database import counters, jobs, segments

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
    frames_total: int | None
    frames_done: int
    frames_damaged: int
    frames_per_second: float | None
    realtime_factor: float | None
    cancel_requested: bool
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


class JobTable:
    """Reads and writes job rows; safe to use from any thread and from several processes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def insert(self, connection: sa.Connection, **values: Any) -> None:
        """Add a queued job; raises sqlalchemy's IntegrityError when its idempotency key is taken."""
        connection.execute(sa.insert(jobs).values(status="queued", created_at=time.time(), **values))

    def get(self, job_id: str) -> JobRecord:
        """Raises UnknownVideo."""
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

    def ids(self) -> set[str]:
        with self._engine.connect() as connection:
            return set(connection.execute(sa.select(jobs.c.id)).scalars())

    def begin(self, job_id: str) -> bool:
        """Mark a job as running; False when it was cancelled or deleted meanwhile."""
        started = sa.func.coalesce(jobs.c.started_at, time.time())
        return self._change(job_id, ACTIVE, status="running", started_at=started)

    def progress(self, job_id: str, **values: Any) -> bool:
        """Write progress; False when the job is to stop."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(**values))
            stop = connection.execute(sa.select(jobs.c.cancel_requested).where(jobs.c.id == job_id)).scalar()
        return stop is not None and not stop

    def end(self, job_id: str, status: Status, **values: Any) -> bool:
        """Mark an active job as ended; False when it has ended before or is gone."""
        return self._change(job_id, ACTIVE, status=status, finished_at=time.time(), **values)

    def cancel(self, job_id: str) -> None:
        """A queued job is cancelled at once, a running one by its worker."""
        if not self._change(job_id, ("queued",), status="cancelled", finished_at=time.time(), cancel_requested=True):
            self._change(job_id, ("running",), cancel_requested=True)

    def delete(self, job_id: str) -> bool:
        with self._engine.begin() as connection:
            connection.execute(sa.delete(segments).where(segments.c.job_id == job_id))
            return connection.execute(sa.delete(jobs).where(jobs.c.id == job_id)).rowcount > 0

    def begin_segment(self, job_id: str, number: int) -> int:
        """How often a segment has been begun, this time included."""
        here = (segments.c.job_id == job_id) & (segments.c.number == number)
        with self._engine.begin() as connection:
            updated = connection.execute(sa.update(segments).where(here).values(attempts=segments.c.attempts + 1))
            if not updated.rowcount:
                connection.execute(sa.insert(segments).values(job_id=job_id, number=number, attempts=1))
            return int(connection.execute(sa.select(segments.c.attempts).where(here)).scalar_one())

    def end_segment(self, job_id: str, number: int, model: str, frames: int, damaged: int) -> None:
        """Count a segment's frames, once however often its step is repeated."""
        here = (segments.c.job_id == job_id) & (segments.c.number == number) & segments.c.frames.is_(None)
        with self._engine.begin() as connection:
            if not connection.execute(sa.update(segments).where(here).values(frames=frames)).rowcount:
                return
            _add(connection, model, frames, damaged)
            values = {"frames_damaged": jobs.c.frames_damaged + damaged}
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(values))

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


def _add(connection: sa.Connection, model: str, frames: int, damaged: int) -> None:
    values = {"frames": counters.c.frames + frames, "damaged": counters.c.damaged + damaged}
    if not connection.execute(sa.update(counters).where(counters.c.model == model).values(values)).rowcount:
        connection.execute(sa.insert(counters).values(model=model, frames=frames, damaged=damaged))


def _record(row: sa.Row[Any]) -> JobRecord:
    return JobRecord(**{field.name: getattr(row, field.name) for field in fields(JobRecord)})
