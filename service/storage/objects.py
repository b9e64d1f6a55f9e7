"""Jobs in an S3 bucket, through s3fs. A worker works on local copies; what it has finished goes up as a whole.

    <prefix>/videos/<job id>/source
                             segments/index.npz              a piece that is a file
                             segments/00003.piece            a piece that is a folder: where its files are, written last
                             segments/00003.d41f7a02/...     and these
                             results/summary.json

Every object but a mark carries the SHA-256 of its contents, by which a copy of it is judged.
Credentials, region and endpoint come from where every AWS client takes them: `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`.
"""

import errno
import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from botocore.exceptions import BotoCoreError
from s3fs import S3FileSystem

from service.errors import NotReady, StorageUnavailable
from service.storage.disk import ABANDONED_AFTER_SECONDS, DataFolder, full_disk_is_no_space
from service.storage.scratch import Scratch
from service.storage.store import Workplace, deleted_meanwhile

_READ_BYTES = 1 << 20
_MARK = ".piece"
_DIGEST = "sha256"
_CLIENT = {"retries": {"mode": "standard", "total_max_attempts": 2}}
"""s3fs tries five times itself, and waits 15 s for a store that hangs; botocore's own tries would multiply that."""
_PASSING = {errno.EBUSY, errno.EREMOTEIO}
"""What s3fs makes of SlowDown, ServiceUnavailable and InternalError."""


@contextmanager
def _answering() -> Iterator[None]:
    """Raise NotReady where the store is not reached or refuses for a moment; s3fs has tried several times by then."""
    try:
        yield
    except (BotoCoreError, TimeoutError, ConnectionError) as error:
        raise NotReady("the object store does not answer; try again in a moment") from error
    except OSError as error:
        if error.errno not in _PASSING:
            raise
        raise NotReady("the object store refuses for a moment; try again later") from error


@dataclass(frozen=True, slots=True)
class ObjectFile:
    files: S3FileSystem
    key: str
    size: int
    etag: str
    modified: float

    def open(self) -> BinaryIO:
        with _answering(), deleted_meanwhile():
            return cast(BinaryIO, self.files.open(self.key, "rb", block_size=_READ_BYTES, cache_type="readahead"))


class ObjectStore:
    def __init__(self, data: DataFolder, url: str) -> None:
        """Raises StorageUnavailable."""
        self.data = data
        self._files = S3FileSystem(use_listings_cache=False, skip_instance_cache=True, config_kwargs=_CLIENT)
        self._root = url.removeprefix("s3://").strip("/")
        self._scratch = Scratch(data.path / "scratch")
        bucket = self._root.partition("/")[0]
        try:
            self._files.call_s3("list_objects_v2", Bucket=bucket, MaxKeys=1)
        except (OSError, BotoCoreError) as error:
            raise StorageUnavailable(
                f"bucket {bucket!r} of ENDOMASK_STORAGE_URL can't be used ({type(error).__name__}); are the URL, "
                "AWS_ENDPOINT_URL and the credentials right?"
            ) from error

    def adopt(self, upload: Path, job_id: str) -> None:
        with _answering():
            self._put(upload, self._key(job_id, "source"))

    def at(self, job_id: str) -> AbstractContextManager[Workplace]:
        return self._scratch.at(job_id, partial(self._fetch, self._key(job_id, "source")))

    def take(self, job_id: str, pieces: Sequence[str]) -> None:
        folder = self._scratch.place(job_id).segments
        for piece in pieces:
            if not (folder / piece).exists():
                self._take(self._key(job_id, "segments", piece), folder / piece)

    def _take(self, key: str, target: Path) -> None:
        with suppress(FileNotFoundError):
            mark = self._read_mark(key)
            if mark is None:
                self._fetch(key, target)
                return
            partial_copy = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}")
            partial_copy.mkdir()
            try:
                for name in mark["files"]:
                    self._fetch(f"{key}.{mark['try']}/{name}", partial_copy / name)
                partial_copy.rename(target)
            finally:
                shutil.rmtree(partial_copy, ignore_errors=True)

    def _read_mark(self, key: str) -> dict[str, Any] | None:
        with _answering(), suppress(FileNotFoundError):
            found: dict[str, Any] = json.loads(self._files.cat_file(key + _MARK))
            return found
        return None

    def share(self, job_id: str, piece: str) -> bool:
        """A folder's local copy goes: a long video's work needs no room here but for its present segment."""
        local = self._scratch.place(job_id).segments / piece
        key = self._key(job_id, "segments", piece)
        if local.is_file():
            return self._share_file(local, key)
        return self._share_folder(local, key)

    def _share_file(self, local: Path, key: str) -> bool:
        try:
            with _answering():
                self._put(local, key, mode="create")
        except FileExistsError:
            self._fetch(key, local)
            return False
        return True

    def _share_folder(self, local: Path, key: str) -> bool:
        attempt = uuid.uuid4().hex[:8]
        won = True
        names = sorted(path.name for path in local.iterdir())
        try:
            with _answering():
                for name in names:
                    self._put(local / name, f"{key}.{attempt}/{name}")
                mark = json.dumps({"try": attempt, "files": names}).encode()
                self._files.pipe_file(key + _MARK, mark, mode="create")
        except (
            FileExistsError
        ):  # also when the mark is ours: it was stored, the answer lost, and the client tried again
            mark_there = self._read_mark(key)
            won = mark_there is not None and mark_there["try"] == attempt
            if not won:
                self._remove(f"{key}.{attempt}")
        shutil.rmtree(local)
        return won

    def publish(self, job_id: str, names: Sequence[str]) -> None:
        results = self._scratch.place(job_id).results
        with _answering():
            for name in names:
                self._put(results / name, self._key(job_id, "results", name))

    def result(self, job_id: str, name: str) -> ObjectFile:
        key = self._key(job_id, "results", name)
        with _answering():
            found = self._files.info(key)
        return ObjectFile(self._files, key, found["size"], found["ETag"], found["LastModified"].timestamp())

    def drop_segments(self, job_id: str) -> None:
        self._remove(self._key(job_id, "segments"))
        self._scratch.drop(job_id)

    def delete(self, job_id: str) -> None:
        self._remove(self._key(job_id))
        self._scratch.drop(job_id)

    def sweep(self, known: set[str]) -> None:
        self.data.sweep()
        self._scratch.sweep()
        before = time.time() - ABANDONED_AFTER_SECONDS
        for job_id in self._listed(self._key()):
            if job_id not in known and self._newest(job_id) < before:
                self.delete(job_id)

    def close(self) -> None:
        self._scratch.close()
        self._files.close_session(self._files.loop, self._files._s3)

    def _listed(self, folder: str) -> list[str]:
        with _answering(), suppress(FileNotFoundError):
            return [path.rpartition("/")[2] for path in self._files.ls(folder, detail=False)]
        return []

    def _newest(self, job_id: str) -> float:
        """When a job's last object was written, seconds since 1970."""
        with _answering():
            found = self._files.find(self._key(job_id), detail=True)
        return max((entry["LastModified"].timestamp() for entry in found.values()), default=time.time())

    def _put(self, local: Path, key: str, mode: str = "overwrite") -> None:
        self._files.put_file(str(local), key, mode=mode, Metadata={_DIGEST: _sha256(local)})

    def _fetch(self, key: str, target: Path) -> None:
        """A copy of an object, under its name once it is whole. Raises FileNotFoundError, NoSpace, and OSError when
        something else came than was put there."""
        bucket, _, name = key.partition("/")
        with _answering():
            head = self._files.call_s3("head_object", Bucket=bucket, Key=name)
            self.data.require_space(head["ContentLength"])
            copy = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}")
            try:
                with full_disk_is_no_space():
                    self._files.get_file(key, str(copy))
                _require_same(copy, head["ContentLength"], head["Metadata"].get(_DIGEST))
                copy.replace(target)
            finally:
                copy.unlink(missing_ok=True)

    def _remove(self, folder: str) -> None:
        with _answering(), suppress(FileNotFoundError):
            self._files.rm(folder, recursive=True)

    def _key(self, *parts: str) -> str:
        return "/".join((self._root, "videos", *parts))


def _require_same(copy: Path, size: int, sha256: str | None) -> None:
    """Raise OSError unless a copy is what was put there. An object that something else than Endomask wrote again, as a
    restore may, can have lost its checksum; then its size must do."""
    came = copy.stat().st_size
    if came != size:
        raise OSError(f"{came} of {size} bytes of an object came")
    if sha256 is not None and _sha256(copy) != sha256:
        raise OSError("an object's copy has another checksum than what was put there")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
