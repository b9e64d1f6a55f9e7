"""This machine's data folder: uploads on their way, what is being deleted, and how much room there is."""

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
ABANDONED_AFTER_SECONDS = 3600.0
"""What belongs to no job is removed when it has rested for so long: files may be older than their job's row."""
_NO_SYNC = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}
"""What a mounted file system says that knows no such thing for folders."""


@contextmanager
def full_disk_is_no_space() -> Iterator[None]:
    """Raise NoSpace where the system says that the disk, or one's share of it, is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise NoSpace("the disk of the data folder is full; nothing was kept that is not whole") from error


def make_durable(path: Path) -> None:
    """Have a file, or a folder and all that is in it, survive a loss of power. Its own name is its folder's affair."""
    if path.is_dir():
        for entry in path.iterdir():
            make_durable(entry)
    sync(path)


def sync(path: Path) -> None:
    """Have a file's contents or a folder's names on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with full_disk_is_no_space():
            os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes `path` once it is whole and durable, whoever else writes the same."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
        make_durable(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


class DataFolder:
    """`incoming/` holds uploads until they are whole, `uploads/<id>/` one that can be resumed, `trash/` what is being
    deleted. Where jobs lie is the store's affair."""

    def __init__(self, path: Path, min_free_gigabytes: float) -> None:
        self.path = path
        self.uploads = path / "uploads"
        self._incoming = path / "incoming"
        self._trash = path / "trash"
        self._min_free_bytes = int(min_free_gigabytes * GIGABYTE)
        for folder in (self._incoming, self.uploads, self._trash):
            folder.mkdir(parents=True, exist_ok=True)
        sync(path)

    def require_space(self, coming_bytes: int = 0) -> None:
        """Raise NoSpace when less than the reserve would be left once `coming_bytes` are written."""
        free = shutil.disk_usage(self.path).free
        if free - coming_bytes < self._min_free_bytes:
            raise NoSpace(
                f"{free / GIGABYTE:.1f} GB are free, {coming_bytes / GIGABYTE:.1f} GB would be written and "
                f"{self._min_free_bytes / GIGABYTE:.1f} GB must stay free (ENDOMASK_MIN_FREE_DISK_GIGABYTES)"
            )

    def new_upload(self) -> Path:
        """A path to write an upload to; the caller removes it, also when the store has made it a job's."""
        return self._incoming / uuid.uuid4().hex

    def discard(self, folder: Path, name: str) -> None:
        """Remove a folder. It leaves in one step, so that whoever is still on it finds nowhere to write."""
        doomed = self._trash / f"{name}-{uuid.uuid4().hex[:8]}"
        try:
            folder.rename(doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed, ignore_errors=True)

    def discard_leftovers(self, name: str) -> None:
        """Remove what an earlier `discard` of that name left when it was cut off."""
        for left in self._trash.glob(f"{name}-*"):
            shutil.rmtree(left, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a crash left: cut-off uploads and half-deleted folders, once they have rested."""
        for path in [*self._incoming.iterdir(), *self._trash.iterdir()]:
            if has_rested(path):
                _remove(path)


def has_rested(path: Path) -> bool:
    try:
        return path.stat().st_mtime < time.time() - ABANDONED_AFTER_SECONDS
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
