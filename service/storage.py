"""Where uploads and results lie: one folder a job inside the data folder, gone as a whole when the job is deleted."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import NoSpace

GIGABYTE = 1_000_000_000
_ABANDONED_AFTER_SECONDS = 3600.0
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


@contextmanager
def full_disk_is_no_space() -> Iterator[None]:
    """Raise NoSpace where the system says that the disk, or one's share of it, is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise NoSpace("the disk of the data folder is full; nothing was kept that is not whole") from error


class Storage:
    """`incoming/` holds uploads until they are whole, `uploads/<id>/` one that can be resumed, `videos/<id>/` a job,
    `trash/` what is being deleted."""

    def __init__(self, data_dir: Path, min_free_gigabytes: float) -> None:
        self._incoming = data_dir / "incoming"
        self.uploads = data_dir / "uploads"
        self._videos = data_dir / "videos"
        self._trash = data_dir / "trash"
        self._data_dir = data_dir
        self._min_free_bytes = int(min_free_gigabytes * GIGABYTE)
        for folder in (self._incoming, self.uploads, self._videos, self._trash):
            folder.mkdir(parents=True, exist_ok=True)

    def require_space(self, coming_bytes: int = 0) -> None:
        """Raise NoSpace when less than the reserve would be left once `coming_bytes` are written."""
        free = shutil.disk_usage(self._data_dir).free
        if free - coming_bytes < self._min_free_bytes:
            raise NoSpace(
                f"{free / GIGABYTE:.1f} GB are free, {coming_bytes / GIGABYTE:.1f} GB would be written and "
                f"{self._min_free_bytes / GIGABYTE:.1f} GB must stay free (ENDOMASK_MIN_FREE_DISK_GIGABYTES)"
            )

    def new_upload(self) -> Path:
        """A path to write an upload to; the caller removes it, also when `adopt` has made it a job's."""
        return self._incoming / uuid.uuid4().hex

    def adopt(self, upload: Path, job_id: str) -> None:
        """Make a whole upload the input of a new job; raises NoSpace.

        It keeps its own name too, so that nothing is lost when the process dies before the job is on record. Where the
        file system has no second names, it moves.
        """
        with full_disk_is_no_space():
            self.results(job_id).mkdir(parents=True)
            self.segments(job_id).mkdir()
            try:
                os.link(upload, self.source(job_id))
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                upload.rename(self.source(job_id))

    def source(self, job_id: str) -> Path:
        return self._videos / job_id / "source"

    def segments(self, job_id: str) -> Path:
        return self._videos / job_id / "segments"

    def results(self, job_id: str) -> Path:
        return self._videos / job_id / "results"

    def drop_segments(self, job_id: str) -> None:
        """Remove the unfinished work of a job."""
        self.discard(self.segments(job_id), job_id)

    def delete(self, job_id: str) -> None:
        """Remove all of a job, and what is left of an earlier try that came to no end."""
        self.discard(self._videos / job_id, job_id)
        for left in self._trash.glob(f"{job_id}-*"):
            shutil.rmtree(left, ignore_errors=True)

    def discard(self, folder: Path, name: str) -> None:
        """Remove a folder. It leaves in one step, so that whoever is still on it finds nowhere to write."""
        doomed = self._trash / f"{name}-{uuid.uuid4().hex[:8]}"
        try:
            folder.rename(doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self, known: set[str]) -> None:
        """Remove what a crash left: cut-off uploads, half-deleted jobs, and folders of jobs that are not `known`.

        A folder may be older than its job's row by a moment, so only what has rested for an hour goes.
        """
        before = time.time() - _ABANDONED_AFTER_SECONDS
        for path in [*self._incoming.iterdir(), *self._trash.iterdir()]:
            if _modified(path) < before:
                _remove(path)
        for path in self._videos.iterdir():
            if path.name not in known and _modified(path) < before:
                self.delete(path.name)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
