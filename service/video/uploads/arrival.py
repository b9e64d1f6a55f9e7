"""Bytes for a resumable upload, from where it is to where they end; and its end, when all have come."""

import asyncio
import base64
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from service.errors import CallerError, CallerLimit, ChecksumMismatch, Conflict, TooLarge, UnknownVideo
from service.settings import Settings
from service.video.jobs.asked import Asked
from service.video.jobs.jobs import VideoJobs
from service.video.uploads.acceptance import accept
from service.video.uploads.resumable import ResumableUploads, Upload
from service.video.uploads.upload import Checksum, UploadFile

ALGORITHMS = ("sha1", "sha256", "sha512", "md5")
"""Of checksums of parts."""
_MOST_REMEMBERED = 1024
_OWN_KEY = "resumable-upload:"


@dataclass(frozen=True, slots=True)
class PartChecksum:
    """What a sender says of the part that it sends."""

    algorithm: str
    digest: bytes


class Arrivals:
    """Writes parts and ends uploads. Its caller holds the upload's lock."""

    def __init__(self, settings: Settings, jobs: VideoJobs, uploads: ResumableUploads) -> None:
        self._settings = settings
        self._jobs = jobs
        self._uploads = uploads
        self._running: OrderedDict[str, tuple[int, Checksum]] = OrderedDict()
        """Length and checksum of what this process has seen of an upload, so that it need not be read again."""

    def begin(self, asked: Asked, length: int, sha256: str | None, metadata: str | None = None) -> Upload:
        """A new upload, or the one that the same request began, which takes no room anew; raises Conflict, CallerLimit,
        Overloaded, NoSpace, UploadBusy."""
        begun = self._uploads.begun_before(asked, length, sha256)
        if begun is not None:
            if begun.job_id is None or self._is_there(begun.job_id):
                return begun
            self._uploads.remove(begun.id)
        self._jobs.require_room(asked, arriving=self._uploads.arriving(asked.caller))
        self._jobs.store.data.require_space(length)
        return self._uploads.create(asked, length, sha256, metadata)

    def _is_there(self, job_id: str) -> bool:
        try:
            self._jobs.get(job_id)
        except UnknownVideo:
            return False
        return True

    async def receive(self, upload: Upload, chunks: AsyncIterator[bytes], said: PartChecksum | None) -> None:
        """Add a part. What came is kept when the sender breaks off, unless it can't be verified. Raises TooLarge,
        ChecksumMismatch, NoSpace and what `chunks` raises."""
        offset = await asyncio.to_thread(self._uploads.offset, upload)
        whole = self._checksum_until(upload.id, offset)
        checksums: list[Checksum] = [whole] if whole else []
        if said is None:
            part = None
        else:
            part = hashlib.new(said.algorithm, usedforsecurity=False)
            checksums.append(part)
            await asyncio.to_thread(self._uploads.begin_unverified, upload.id)
        file = UploadFile(self._uploads.data(upload.id), self._jobs.store.data.require_space, checksums)
        try:
            await file.receive(_at_most(chunks, upload.length - offset))
            if said and part and part.digest() != said.digest:
                raise ChecksumMismatch(
                    f"the {said.algorithm} of these {file.bytes} bytes is {base64.b64encode(part.digest()).decode()}, "
                    "not what Upload-Checksum says; nothing of them was kept"
                )
            if said:
                await asyncio.to_thread(self._uploads.verified, upload.id)
        finally:
            arrived = await asyncio.to_thread(self._settle, upload)
            if whole and arrived == offset + file.bytes:
                self._remember(upload.id, arrived, whole)

    def _settle(self, upload: Upload) -> int:
        """Drop what was not verified; how many bytes there are now."""
        self._uploads.drop_unverified(upload.id)
        return self._uploads.offset(upload)

    def end(self, upload: Upload) -> Upload:
        """Make a whole upload a job. Raises what may pass, CallerLimit and Unavailable, and after noting it what makes
        the upload no job: ChecksumMismatch, UndecodableVideo, TooLarge, Conflict."""
        asked = upload.asked
        if upload.error_code is not None:
            raise Conflict(f"this upload was refused: {upload.error_detail}")
        if asked is None:
            self._uploads.drop_bytes(upload)
            return upload
        data = self._uploads.data(upload.id)
        try:
            sha256 = self._whole_checksum(upload, data)
            job = accept(self._settings, self._jobs, _once(asked, upload.id), data, sha256)
        except CallerLimit:
            raise
        except CallerError as error:
            self._uploads.refused(upload, error)
            self._running.pop(upload.id, None)
            raise
        ended = self._uploads.became(upload, job.id)
        self._running.pop(upload.id, None)
        return ended

    def _whole_checksum(self, upload: Upload, data: Path) -> str:
        """In hexadecimal; raises ChecksumMismatch when it is not the sender's. It stays known until the upload's end:
        one that finds no room asks again, and again."""
        length, checksum = self._running.get(upload.id, (0, None))
        if checksum is None or length != upload.length:
            with data.open("rb") as file:
                checksum = hashlib.file_digest(file, "sha256")
            self._remember(upload.id, upload.length, checksum)
        found = checksum.hexdigest()
        if upload.sha256 not in {None, found}:
            raise ChecksumMismatch(f"the sha256 of what arrived is {found}, not {upload.sha256}; send it again")
        return found

    def _checksum_until(self, upload_id: str, offset: int) -> Checksum | None:
        """Checksum of the first bytes, where this process has seen them all."""
        if offset == 0:
            return hashlib.sha256()
        length, checksum = self._running.pop(upload_id, (0, None))
        return checksum if length == offset else None

    def _remember(self, upload_id: str, length: int, checksum: Checksum) -> None:
        self._running[upload_id] = (length, checksum)
        while len(self._running) > _MOST_REMEMBERED:
            self._running.popitem(last=False)


async def _at_most(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """Raises TooLarge when more comes, and hands out nothing that is too much."""
    left = most
    async for chunk in chunks:
        if len(chunk) > left:
            raise TooLarge(f"more came than the {most} bytes that this upload still lacked by its Upload-Length")
        left -= len(chunk)
        yield chunk


def _once(asked: Asked, upload_id: str) -> Asked:
    """With a key, so that an upload whose end was cut off becomes one job and not two."""
    return replace(asked, idempotency_key=asked.idempotency_key or f"{_OWN_KEY}{upload_id}")
