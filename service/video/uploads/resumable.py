"""Uploads that can be resumed, on disk: how many bytes are there is how far an upload is.

`uploads/<id>/` holds `upload.json`, `data` and, while a part with a checksum arrives, `unverified`: the length before
it. A process may be killed at any moment, and another one goes on from these. Once the upload is a job's, or refused,
only that is kept, without its name, until it expires.
"""

import fcntl
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from service.errors import Conflict, EndomaskError, UnknownUpload, UploadBusy, UploadExpired
from service.storage.disk import DataFolder, full_disk_is_no_space, has_rested
from service.video.jobs.asked import Asked

_ID = re.compile(r"[0-9a-f]{32}")
_MOST_TRIES = 5


@dataclass(frozen=True, slots=True)
class Upload:
    """What is known of an upload besides its bytes. It has `asked` until it has come to an end: a job or an error."""

    id: str
    length: int
    fingerprint: str
    """Of what was asked for; the same upload sent again has the same."""
    asked: Asked | None
    sha256: str | None
    """Checksum of the whole, where the sender told."""
    job_id: str | None = None
    error_code: str | None = None
    error_detail: str | None = None
    metadata: str | None = None
    """The protocol's header as it was given, until the upload has come to an end."""


class Lock:
    """Context: nobody else writes to an upload. Ends with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        """Raises UploadBusy, FileNotFoundError when the upload is gone."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise UploadBusy("another request is sending to this upload; wait, then ask how far it is") from error

    def release(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.release()


class ResumableUploads:
    """All of them. Every method may block."""

    def __init__(self, data: DataFolder, expires_hours: float, clock: Callable[[], float] = time.time) -> None:
        self._data = data
        self._root = data.uploads
        self._lasting_seconds = expires_hours * 3600
        self._clock = clock

    def create(self, asked: Asked, length: int, sha256: str | None, metadata: str | None = None) -> Upload:
        """A new upload, or with an idempotency key the one that was begun before; raises Conflict when that was for
        something else, NoSpace, UploadBusy."""
        upload = replace(_new(asked, length, sha256), metadata=metadata)
        for _ in range(_MOST_TRIES):
            if self._lay_down(upload):
                return upload
            if (begun := self._begun_as(upload)) is not None:
                return begun
            self.remove(upload.id)
        raise UploadBusy("other requests begin and end this upload just now; wait, then begin it again")

    def begun_before(self, asked: Asked, length: int, sha256: str | None) -> Upload | None:
        """What an idempotency key stands for, unless that was refused or has expired; raises Conflict when it was for
        something else."""
        return self._begun_as(_new(asked, length, sha256)) if asked.idempotency_key else None

    def _begun_as(self, upload: Upload) -> Upload | None:
        try:
            before = self.get(upload.id)
        except (UnknownUpload, UploadExpired):
            return None
        if before.fingerprint != upload.fingerprint:
            raise Conflict("this Idempotency-Key was used for another upload or other parameters; choose a new one")
        return before if before.error_code is None else None

    def get(self, upload_id: str) -> Upload:
        """Raises UnknownUpload, also for what can't be read, and UploadExpired."""
        try:
            stored = json.loads((self._folder(upload_id) / "upload.json").read_text())
            upload = Upload(**{**stored, "asked": Asked.from_stored(stored["asked"]) if stored["asked"] else None})
        except (FileNotFoundError, ValueError, TypeError, KeyError) as error:
            raise _unknown(upload_id) from error
        if self.expires_at(upload_id) <= self._clock():
            raise UploadExpired(f"upload {upload_id} has expired; begin a new one")
        return upload

    def lock(self, upload_id: str) -> Lock:
        """Raises UploadBusy, UnknownUpload. A part that was cut off before it was verified is dropped."""
        try:
            lock = Lock(self._folder(upload_id) / "lock")
        except FileNotFoundError as error:
            raise _unknown(upload_id) from error
        try:
            self.drop_unverified(upload_id)
        except BaseException:
            lock.release()
            raise
        return lock

    def offset(self, upload: Upload) -> int:
        """Bytes that need not be sent again."""
        if upload.asked is None:
            return upload.length
        try:
            return int((self._folder(upload.id) / "unverified").read_text())
        except FileNotFoundError:
            pass
        try:
            return self.data(upload.id).stat().st_size
        except FileNotFoundError as error:  # it has come to its end since it was read
            if self.get(upload.id).asked is not None:
                raise _unknown(upload.id) from error
            return upload.length

    def data(self, upload_id: str) -> Path:
        return self._folder(upload_id) / "data"

    def expires_at(self, upload_id: str) -> float:
        """Seconds since 1970; raises UnknownUpload."""
        path = self._folder(upload_id) / "upload.json"
        try:
            written = [path.stat().st_mtime]
        except FileNotFoundError as error:
            raise _unknown(upload_id) from error
        with suppress(FileNotFoundError):
            written.append(self.data(upload_id).stat().st_mtime)
        return max(written) + self._lasting_seconds

    def begin_unverified(self, upload_id: str) -> None:
        """What is written from here on counts only once it is verified; raises NoSpace."""
        size = self.data(upload_id).stat().st_size
        _write(self._folder(upload_id) / "unverified", str(size))

    def verified(self, upload_id: str) -> None:
        (self._folder(upload_id) / "unverified").unlink()

    def drop_unverified(self, upload_id: str) -> None:
        """Go back to where the part began whose checksum was not seen to hold."""
        mark = self._folder(upload_id) / "unverified"
        if mark.exists():
            os.truncate(self.data(upload_id), int(mark.read_text()))
            mark.unlink()

    def became(self, upload: Upload, job_id: str) -> Upload:
        """Note that an upload is a job now, and let go of its bytes."""
        return self._end(replace(upload, asked=None, sha256=None, metadata=None, job_id=job_id))

    def refused(self, upload: Upload, error: EndomaskError) -> Upload:
        """Note why an upload can't be a job, and let go of its bytes."""
        noted = replace(upload, asked=None, sha256=None, metadata=None)
        return self._end(replace(noted, error_code=error.code, error_detail=str(error)))

    def _end(self, upload: Upload) -> Upload:
        _write(self._folder(upload.id) / "upload.json", json.dumps(_stored(upload)))
        self.drop_bytes(upload)
        return upload

    def drop_bytes(self, upload: Upload) -> None:
        """Of an upload that has come to its end; a process may have been killed before it did so."""
        if upload.asked is None:
            self.data(upload.id).unlink(missing_ok=True)

    def remove(self, upload_id: str) -> None:
        """All of an upload; not the job that it has become."""
        self._data.discard(self._folder(upload_id), upload_id)

    def arriving(self, caller: str) -> int:
        """A caller's uploads that are not whole and have not expired."""
        return sum(upload.asked is not None and upload.asked.caller == caller for upload in self._all())

    def sweep(self) -> None:
        """Remove those that have expired, and once they have rested those that can't be read."""
        for folder in self._root.iterdir():
            try:
                self.drop_bytes(self.get(folder.name))
            except UploadExpired:
                self.remove(folder.name)
            except UnknownUpload:
                if _ID.fullmatch(folder.name) and has_rested(folder):
                    self.remove(folder.name)

    def _all(self) -> list[Upload]:
        found = []
        for folder in self._root.iterdir():
            try:
                found.append(self.get(folder.name))
            except (UnknownUpload, UploadExpired):
                continue
        return found

    def _lay_down(self, upload: Upload) -> bool:
        """Whether the upload was made: as a whole, by one process alone, unless there is one with its id."""
        made = self._data.new_upload()
        with full_disk_is_no_space():
            made.mkdir()
            _write(made / "upload.json", json.dumps(_stored(upload)))
            (made / "data").touch(mode=0o600)
            try:
                made.rename(self._root / upload.id)
            except OSError:
                if not (self._root / upload.id).exists():
                    raise
                self._data.discard(made, made.name)
                return False
        return True

    def _folder(self, upload_id: str) -> Path:
        """Raises UnknownUpload for what is no id, whose path could lead elsewhere."""
        if not _ID.fullmatch(upload_id):
            raise _unknown(upload_id)
        return self._root / upload_id


def _new(asked: Asked, length: int, sha256: str | None) -> Upload:
    """Its id follows from the idempotency key, where there is one."""
    key = asked.idempotency_key
    upload_id = hashlib.sha256(key.encode()).hexdigest()[:32] if key else uuid.uuid4().hex
    return Upload(upload_id, length, asked.fingerprint(length, sha256), asked, sha256)


def _unknown(upload_id: str) -> UnknownUpload:
    return UnknownUpload(f"there is no upload {upload_id[:64]!r}")


def _stored(upload: Upload) -> dict[str, Any]:
    return {**asdict(upload), "asked": upload.asked.stored() if upload.asked else None}


def _write(path: Path, text: str) -> None:
    """A small file, there as a whole or as before, and on the disk; raises NoSpace."""
    new = path.with_suffix(".new")
    with full_disk_is_no_space():
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
