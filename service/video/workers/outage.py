"""Waiting for an object store that is away: a job at work says so, and goes on once the store is back."""

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import Concatenate, ParamSpec, TypeVar

from service.errors import NotReady
from service.video.jobs.records import JobTable
from service.video.workers.failures import persevere
from service.video.workers.patience import Patience, Stopping

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_WAIT_SECONDS = 5.0


class Outage:
    """Does the steps of jobs. How long a job has waited stands in its row, so a killed worker's wait goes on with the
    next one; a step also bounds its own, for a worker that alone doesn't reach the store."""

    def __init__(
        self,
        table: JobTable,
        stopped: Event,
        longest_minutes: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._stopped = stopped
        self._ask = Patience(stopped)
        self._longest_minutes = longest_minutes
        self._clock = clock

    def outlast(self, step: Callable[Concatenate[str, P], T], job_id: str, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a step of a job as `persevere` does, and again while the store is away; raises NotReady with a sentence
        for the uploader when that takes too long, Stopping, and what the step raises."""
        began_at: float | None = None
        while True:
            try:
                done = persevere(self._stopped, step, job_id, *args, **kwargs)
            except NotReady as error:
                now = self._clock()
                began_at = now if began_at is None else began_at
                waited_s = max(now - began_at, self._ask(self._table.wait, job_id))
                if waited_s >= 60 * self._longest_minutes:
                    raise self._too_long() from error
                log.warning("video %s waits for the object store, since %.0f s: %s", job_id, waited_s, error)
                if self._stopped.wait(_WAIT_SECONDS):
                    raise Stopping from error
            else:
                self._ask(self._table.wait_no_more, job_id)
                return done

    def _too_long(self) -> NotReady:
        return NotReady(
            f"the object store was away for more than {self._longest_minutes:g} minutes "
            "(ENDOMASK_STORAGE_OUTAGE_MINUTES), which is not the video's fault: send it again later"
        )
