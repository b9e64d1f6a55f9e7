"""A server's own data folder is swept by the server: where jobs lie in an object store, no worker sees it."""

import asyncio
import logging

from service.storage.disk import DataFolder
from service.video.uploads.resumable import ResumableUploads

log = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0


async def keep_swept(data: DataFolder, uploads: ResumableUploads, every_seconds: float = SWEEP_SECONDS) -> None:
    """Until cancelled, remove uploads that were cut off and resumable ones that have expired."""
    while True:
        await asyncio.sleep(every_seconds)
        for sweep in (data.sweep, uploads.sweep):
            try:
                await asyncio.to_thread(sweep)
            except Exception:
                log.exception("sweeping the data folder failed; next try in %g s", every_seconds)
