"""Resumable uploads on disk: what a killed process leaves, who may write, and what goes when."""

import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.errors import (
    CallerLimit,
    ChecksumMismatch,
    Conflict,
    NoSpace,
    Overloaded,
    TooLarge,
    UndecodableVideo,
    UnknownUpload,
    UploadBusy,
    UploadExpired,
)
from service.storage.disk import DataFolder
from service.video.jobs.asked import Asked
from service.video.jobs.jobs import NewJob, VideoJobs
from service.video.jobs.records import JobRecord
from service.video.options import VideoOptions
from service.video.uploads.arrival import Arrivals, PartChecksum
from service.video.uploads.resumable import ResumableUploads, Upload
from tests.support import videos
from tests.support.running import red_settings

HOUR = 3600.0


def asked(key: str | None = None, **changes: object) -> Asked:
    given = {"model": "red", "version": 1, "options": VideoOptions(), "retention_hours": None, "caller": "me"}
    return Asked(**{**given, "name": "a.mp4", "idempotency_key": key, **changes})  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data", 0)


@pytest.fixture
def uploads(data: DataFolder) -> ResumableUploads:
    return ResumableUploads(data, expires_hours=1)


@pytest.fixture
def arrivals(jobs: VideoJobs, uploads: ResumableUploads, tmp_path: Path) -> Arrivals:
    return Arrivals(red_settings(tmp_path), jobs, uploads)


async def pieces(*bodies: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for body in bodies:
        yield body
    if error is not None:
        raise error


def test_what_is_asked_for_is_read_as_it_was_written(uploads: ResumableUploads) -> None:
    made = uploads.create(asked(options=VideoOptions(frame_step=3, outputs=("masks",))), 10, None)
    assert uploads.get(made.id) == made


def test_what_was_not_verified_when_the_process_died_does_not_count(uploads: ResumableUploads) -> None:
    upload = uploads.create(asked(), 10, None)
    uploads.data(upload.id).write_bytes(b"good")
    uploads.begin_unverified(upload.id)
    with uploads.data(upload.id).open("ab") as file:
        file.write(b"bad")
    assert uploads.offset(upload) == 4
    with uploads.lock(upload.id):
        assert uploads.data(upload.id).read_bytes() == b"good"
    assert uploads.offset(upload) == 4


def test_one_at_a_time_writes_to_an_upload(uploads: ResumableUploads) -> None:
    upload = uploads.create(asked(), 10, None)
    with uploads.lock(upload.id), pytest.raises(UploadBusy):
        uploads.lock(upload.id)
    with uploads.lock(upload.id):
        pass


async def test_what_came_before_a_connection_broke_is_kept(uploads: ResumableUploads, arrivals: Arrivals) -> None:
    upload = uploads.create(asked(), 100, None)
    with pytest.raises(ConnectionError):
        await arrivals.receive(upload, pieces(b"x" * 30, error=ConnectionError()), None)
    assert uploads.offset(upload) == 30


async def test_what_came_before_a_connection_broke_is_dropped_when_it_can_not_be_verified(
    uploads: ResumableUploads, arrivals: Arrivals
) -> None:
    upload = uploads.create(asked(), 100, None)
    await arrivals.receive(upload, pieces(b"x" * 5), None)
    said = PartChecksum("sha1", hashlib.sha1(b"x" * 60).digest())
    with pytest.raises(ConnectionError):
        await arrivals.receive(upload, pieces(b"x" * 30, error=ConnectionError()), said)
    assert uploads.offset(upload) == 5


async def test_nothing_is_written_beyond_the_announced_length(uploads: ResumableUploads, arrivals: Arrivals) -> None:
    upload = uploads.create(asked(), 50, None)
    with pytest.raises(TooLarge, match="50 bytes"):
        await arrivals.receive(upload, pieces(b"x" * 30, b"x" * 30), None)
    assert uploads.offset(upload) == 30


@pytest.mark.parametrize("restarts", [False, True], ids=["one process", "another process ends it"])
async def test_the_stored_checksum_is_that_of_all_parts_together(
    uploads: ResumableUploads, arrivals: Arrivals, jobs: VideoJobs, tmp_path: Path, restarts: bool
) -> None:
    clip = videos.write_video(tmp_path / "clip.mp4").read_bytes()
    upload = uploads.create(asked(), len(clip), None)
    await arrivals.receive(upload, pieces(clip[:100]), None)
    wrong = PartChecksum("sha256", hashlib.sha256(b"other").digest())
    with pytest.raises(ChecksumMismatch):
        await arrivals.receive(upload, pieces(b"noise"), wrong)
    if restarts:
        arrivals = Arrivals(red_settings(tmp_path), jobs, uploads)
    await arrivals.receive(upload, pieces(clip[100:]), None)
    ended = arrivals.end(upload)
    assert ended.job_id is not None
    assert jobs.get(ended.job_id).sha256 == hashlib.sha256(clip).hexdigest()
    assert jobs.store.place(ended.job_id).source.read_bytes() == clip


def test_an_end_that_was_cut_off_is_done_again_and_makes_one_job(
    uploads: ResumableUploads, arrivals: Arrivals, jobs: VideoJobs, tmp_path: Path
) -> None:
    clip = videos.write_video(tmp_path / "clip.mp4").read_bytes()
    upload = uploads.create(asked(), len(clip), None)
    uploads.data(upload.id).write_bytes(clip)
    before = (tmp_path / "data/uploads" / upload.id / "upload.json").read_bytes()
    first = arrivals.end(upload)
    (tmp_path / "data/uploads" / upload.id / "upload.json").write_bytes(before)  # killed before it was noted
    uploads.data(upload.id).write_bytes(clip)
    again = arrivals.end(uploads.get(upload.id))
    assert again.job_id == first.job_id
    assert jobs.page(10, 0, None)[1] == 1


def test_a_job_that_is_not_on_record_leaves_the_upload_whole(
    uploads: ResumableUploads, jobs: VideoJobs, tmp_path: Path
) -> None:
    clip = videos.write_video(tmp_path / "clip.mp4").read_bytes()
    upload = uploads.create(asked(), len(clip), None)
    uploads.data(upload.id).write_bytes(clip)
    jobs.store.adopt(uploads.data(upload.id), "killed-here")
    assert uploads.offset(upload) == len(clip)
    assert uploads.data(upload.id).read_bytes() == clip


def test_an_upload_that_is_no_video_is_noted_without_its_bytes(uploads: ResumableUploads, arrivals: Arrivals) -> None:
    upload = uploads.create(asked(), 4, None)
    uploads.data(upload.id).write_bytes(b"text")
    with pytest.raises(UndecodableVideo):
        arrivals.end(upload)
    noted = uploads.get(upload.id)
    assert (noted.asked, noted.error_code) == (None, "undecodable_video")
    assert not uploads.data(upload.id).exists()
    with pytest.raises(Conflict, match="refused"):
        arrivals.end(noted)


def expire(uploads: ResumableUploads, upload: Upload, hours: float) -> None:
    folder = uploads.data(upload.id).parent
    for path in folder.iterdir():
        os.utime(path, (time.time() - hours * HOUR,) * 2)


def test_a_byte_makes_an_upload_last_longer(uploads: ResumableUploads) -> None:
    upload = uploads.create(asked(), 10, None)
    expire(uploads, upload, hours=1.01)
    with pytest.raises(UploadExpired):
        uploads.get(upload.id)
    uploads.data(upload.id).write_bytes(b"x")
    assert uploads.get(upload.id) == upload


def test_a_sweep_removes_what_has_expired_and_nothing_else(uploads: ResumableUploads, tmp_path: Path) -> None:
    old, young = (uploads.create(asked(), 10, None) for _ in range(2))
    expire(uploads, old, hours=2)
    uploads.sweep()
    assert [folder.name for folder in (tmp_path / "data/uploads").iterdir()] == [young.id]
    assert list((tmp_path / "data/trash").iterdir()) == []
    with pytest.raises(UnknownUpload):
        uploads.get(old.id)


def test_a_key_whose_upload_has_expired_begins_anew(uploads: ResumableUploads) -> None:
    first = uploads.create(asked("key"), 10, None)
    uploads.data(first.id).write_bytes(b"x")
    expire(uploads, first, hours=2)
    again = uploads.create(asked("key"), 10, None)
    assert uploads.offset(again) == 0


def test_only_uploads_on_their_way_count_as_arriving(uploads: ResumableUploads) -> None:
    for number in range(3):
        uploads.create(asked(caller="me" if number else "other"), 10, None)
    ended = uploads.create(asked(), 10, None)
    uploads.became(ended, "job")
    assert uploads.arriving("me") == 2


async def test_a_disk_that_runs_full_keeps_what_was_written_before(
    uploads: ResumableUploads, jobs: VideoJobs, tmp_path: Path
) -> None:
    def full(coming_bytes: int = 0) -> None:
        raise NoSpace("full")

    jobs.store.data.require_space = full  # type: ignore[method-assign]
    arrivals = Arrivals(red_settings(tmp_path), jobs, uploads)
    upload = uploads.create(asked(), 100_000_000, None)
    with pytest.raises(NoSpace):
        await arrivals.receive(upload, pieces(*[bytes(4_000_000)] * 20), None)
    assert 0 < uploads.offset(upload) < 64 << 20


def spoil(uploads: ResumableUploads, upload: Upload, text: str) -> Path:
    folder = uploads.data(upload.id).parent
    (folder / "upload.json").write_text(text)
    return folder


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"asked": 1}', '{"asked": null, "from": "a later version"}'])
def test_an_upload_that_can_not_be_read_is_unknown_and_goes_once_it_has_rested(
    uploads: ResumableUploads, text: str
) -> None:
    broken, other = uploads.create(asked(), 10, None), uploads.create(asked(), 10, None)
    folder = spoil(uploads, broken, text)
    with pytest.raises(UnknownUpload):
        uploads.get(broken.id)
    assert uploads.arriving("me") == 1
    uploads.sweep()
    assert folder.exists()
    os.utime(folder, (0, 0))
    uploads.sweep()
    assert not folder.exists()
    assert uploads.get(other.id) == other


def test_a_key_whose_upload_can_not_be_read_begins_anew(uploads: ResumableUploads) -> None:
    spoil(uploads, uploads.create(asked("key"), 10, None), "half")
    again = uploads.create(asked("key"), 10, None)
    assert uploads.get(again.id) == again


def test_an_upload_that_can_not_be_removed_is_not_begun_for_ever(uploads: ResumableUploads) -> None:
    spoil(uploads, uploads.create(asked("key"), 10, None), "half")
    uploads.remove = lambda upload_id: None  # type: ignore[method-assign]
    with pytest.raises(UploadBusy):
        uploads.create(asked("key"), 10, None)


def test_an_upload_that_ends_while_it_is_looked_at_is_whole(uploads: ResumableUploads) -> None:
    seen = uploads.create(asked(), 10, None)
    uploads.became(seen, "job")
    assert uploads.offset(seen) == 10


def test_bytes_that_an_end_left_behind_go_with_the_next_sweep(uploads: ResumableUploads) -> None:
    upload = uploads.create(asked(), 4, None)
    uploads.became(upload, "job")
    uploads.data(upload.id).write_bytes(b"left")
    uploads.sweep()
    assert not uploads.data(upload.id).exists()
    assert uploads.get(upload.id).job_id == "job"


def test_a_lock_that_comes_to_nothing_is_given_back(uploads: ResumableUploads) -> None:
    upload = uploads.create(asked(), 10, None)
    mark = uploads.data(upload.id).with_name("unverified")
    mark.write_text("no number")
    with pytest.raises(ValueError, match="no number"):
        uploads.lock(upload.id)
    mark.unlink()
    with uploads.lock(upload.id):
        pass


async def test_a_whole_that_finds_no_room_is_not_read_again_for_its_checksum(
    uploads: ResumableUploads, jobs: VideoJobs, tmp_path: Path
) -> None:
    clip = videos.write_video(tmp_path / "clip.mp4").read_bytes()
    arrivals = Arrivals(red_settings(tmp_path), jobs, uploads)
    upload = uploads.create(asked(), len(clip), None)
    await arrivals.receive(upload, pieces(clip), None)
    create, refusals = jobs.create, iter([Overloaded("full"), CallerLimit("full")])

    def create_or_refuse(new: NewJob) -> JobRecord:
        for refusal in refusals:
            raise refusal
        return create(new)

    jobs.create = create_or_refuse  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises((Overloaded, CallerLimit)):
            arrivals.end(upload)
        assert upload.id in arrivals._running
    ended = arrivals.end(upload)
    assert ended.job_id is not None
    assert jobs.get(ended.job_id).sha256 == hashlib.sha256(clip).hexdigest()
    assert upload.id not in arrivals._running
