"""Unfinished work that a job's end left behind, because its store was away or somebody was still at it."""

import time
from collections.abc import Callable

import sqlalchemy as sa

from service.storage.disk import ABANDONED_AFTER_SECONDS
from service.storage.store import Store
from service.video.jobs.records import JobTable


class UnfinishedWork:
    """Seen from one worker, which looks at each job once: what has rested for so long, nobody adds to."""

    def __init__(self, engine: sa.Engine, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._table = JobTable(engine)
        self._store = store
        self._clock = clock
        self._dropped: set[str] = set()

    def sweep(self) -> None:
        """Remove the segments of jobs that ended a while ago; raises NotReady, and goes on there the next time."""
        ended = self._table.ended_before(self._clock() - ABANDONED_AFTER_SECONDS)
        self._dropped &= ended
        for job_id in ended - self._dropped:
            self._store.drop_segments(job_id)
            self._dropped.add(job_id)
