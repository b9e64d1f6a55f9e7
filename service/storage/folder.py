"""Jobs in a folder: this machine's, or one that several machines have mounted. They are worked on where they lie."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from service.storage.disk import DataFolder, full_disk_is_no_space, has_rested, make_durable, sync
from service.storage.store import Workplace, deleted_meanwhile

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


@dataclass(frozen=True, slots=True)
class FolderFile:
    path: Path
    size: int
    etag: str
    modified: float

    @classmethod
    def of(cls, path: Path) -> "FolderFile":
        """Raises FileNotFoundError."""
        status = path.stat()
        etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        return cls(path, status.st_size, etag, status.st_mtime)

    def open(self) -> BinaryIO:
        with deleted_meanwhile():
            return self.path.open("rb")


class FolderStore:
    """`videos/<id>/` holds a job, and goes as a whole when the job is deleted."""

    def __init__(self, data: DataFolder) -> None:
        self.data = data
        self._videos = data.path / "videos"
        self._videos.mkdir(exist_ok=True)
        sync(data.path)

    def adopt(self, upload: Path, job_id: str) -> None:
        """It keeps its own name too, so that nothing is lost when the process dies before the job is on record. Where
        the file system has no second names, it is copied. Raises NoSpace."""
        place = self.place(job_id)
        with full_disk_is_no_space():
            place.results.mkdir(parents=True)
            place.segments.mkdir()
            try:
                os.link(upload, place.source)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self.data.require_space(upload.stat().st_size)
                shutil.copyfile(upload, place.source)
            make_durable(self._videos / job_id)
            sync(self._videos)

    @contextmanager
    def at(self, job_id: str) -> Iterator[Workplace]:
        place = self.place(job_id)
        if not place.source.exists():
            raise FileNotFoundError(errno.ENOENT, "the upload is gone")
        yield place

    def take(self, job_id: str, pieces: Sequence[str]) -> None:
        """All see the same folder."""

    def share(self, job_id: str, piece: str) -> bool:  # noqa: ARG002
        return True

    def publish(self, job_id: str, names: Sequence[str]) -> None:
        """They are there already."""

    def result(self, job_id: str, name: str) -> FolderFile:
        return FolderFile.of(self.place(job_id).results / name)

    def drop_segments(self, job_id: str) -> None:
        self.data.discard(self.place(job_id).segments, job_id)

    def delete(self, job_id: str) -> None:
        self.data.discard(self._videos / job_id, job_id)
        self.data.discard_leftovers(job_id)

    def sweep(self, known: set[str]) -> None:
        self.data.sweep()
        for path in self._videos.iterdir():
            if path.name not in known and has_rested(path):
                self.delete(path.name)

    def close(self) -> None:
        """There is nothing to let go of."""

    def place(self, job_id: str) -> Workplace:
        folder = self._videos / job_id
        return Workplace(folder / "source", folder / "segments", folder / "results")
