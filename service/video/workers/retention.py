"""What is kept no longer: jobs long ended, and resumable uploads whose senders never came back."""

import logging
import time
from collections.abc import Callable

import sqlalchemy as sa

from service.settings import Settings
from service.storage.store import Store
from service.video.jobs.database import forget_deleted
from service.video.jobs.records import JobTable
from service.video.uploads.resumable import ResumableUploads

log = logging.getLogger(__name__)


class Retention:
    """Any worker may do it, several at once too."""

    def __init__(
        self, settings: Settings, engine: sa.Engine, store: Store, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._table = JobTable(engine)
        self._store = store
        self._uploads = ResumableUploads(store.data, settings.upload_expires_hours, clock)
        self._default_hours = settings.retention_hours
        self._clock = clock

    def sweep(self) -> None:
        """Delete all that is due. The row goes last: what a crash interrupts is still due at the next sweep."""
        for job_id in self._table.expired(self._clock(), self._default_hours):
            self._store.delete(job_id)
            if self._table.delete(job_id):
                log.info("video %s was kept long enough and is deleted", job_id)
        self._uploads.sweep()
        forget_deleted(self._engine)
