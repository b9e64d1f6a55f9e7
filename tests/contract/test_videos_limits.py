"""What bounds an upload: one job for a key, a caller's share, a video's length, the disk."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from service.errors import VideoTooLong
from service.video.decoding.lengths import require_hours
from service.video.jobs.database import jobs, open_database
from tests.support import videos
from tests.support.large_videos import padded_video
from tests.support.running import MP4, red_settings, refused, running

_MOUNT = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return videos.write_video(tmp_path_factory.mktemp("clip") / "clip.mp4").read_bytes()


def post(client: TestClient, body: bytes, query: str = "", key: str | None = None) -> Any:
    headers = MP4 if key is None else {**MP4, "Idempotency-Key": key}
    return client.post(f"/v1/videos{query}", content=body, headers=headers)


def nothing_half_written(data_dir: Path) -> bool:
    return not any((data_dir / "incoming").iterdir()) and not any((data_dir / "trash").iterdir())


def test_requests_with_one_key_at_the_same_time_give_one_job(tmp_path: Path, clip: bytes) -> None:
    with running(red_settings(tmp_path)) as client, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: post(client, clip, key="same"), range(6)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert client.get("/v1/videos").json()["total"] == 1
    assert len(list((tmp_path / "data/videos").iterdir())) == 1
    assert nothing_half_written(tmp_path / "data")


def test_of_two_bodies_with_one_key_at_the_same_time_one_is_a_conflict(tmp_path: Path, clip: bytes) -> None:
    other = clip + bytes(8)
    with running(red_settings(tmp_path)) as client, ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda body: post(client, body, key="same"), [clip, other]))
    assert sorted(answer.status_code for answer in answers) == [202, 409]


def test_the_same_key_with_another_time_to_keep_is_a_conflict_before_the_body_is_read(
    tmp_path: Path, clip: bytes
) -> None:
    with running(red_settings(tmp_path)) as client:
        made = post(client, clip, "?retention_hours=5", key="kept").json()
        assert made["parameters"]["retention_hours"] == 5
        assert post(client, clip, "?retention_hours=5", key="kept").json()["id"] == made["id"]
        refused(post(client, b"", "?retention_hours=6", key="kept"), 409, "conflict")


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "1e7"])
def test_a_time_to_keep_is_a_sensible_number(tmp_path: Path, clip: bytes, hours: str) -> None:
    with running(red_settings(tmp_path)) as client:
        refused(post(client, clip, f"?retention_hours={hours}"), 422, "invalid_parameter")


def test_a_caller_with_too_many_videos_is_told_when_to_come_again(tmp_path: Path, clip: bytes) -> None:
    with running(red_settings(tmp_path, max_active_videos_per_caller=2)) as client:
        first = post(client, clip, key="first").json()
        post(client, clip)
        answer = post(client, clip)
        assert "ENDOMASK_MAX_ACTIVE_VIDEOS_PER_CALLER" in refused(answer, 429, "caller_limit")
        assert int(answer.headers["Retry-After"]) > 0
        assert post(client, clip, key="first").json()["id"] == first["id"]
        client.post(f"{first['links']['self']}/cancel")
        assert post(client, clip).status_code == 202
    assert nothing_half_written(tmp_path / "data")


def test_a_callers_share_holds_for_requests_at_the_same_time(tmp_path: Path, clip: bytes) -> None:
    with running(red_settings(tmp_path, max_active_videos_per_caller=2)) as client, ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: post(client, clip), range(5)))
        assert sorted(answer.status_code for answer in answers) == [202, 202, 429, 429, 429]
    assert len(list((tmp_path / "data/videos").iterdir())) == 2
    assert nothing_half_written(tmp_path / "data")


def test_a_full_house_is_our_overload_and_not_the_callers_fault(tmp_path: Path, clip: bytes) -> None:
    with running(red_settings(tmp_path, max_active_videos=1)) as client:
        post(client, clip)
        answer = post(client, clip)
        assert "ENDOMASK_MAX_ACTIVE_VIDEOS" in refused(answer, 503, "overloaded")
        assert int(answer.headers["Retry-After"]) > 0


def test_a_plain_upload_beyond_those_that_may_be_read_at_once_is_refused(tmp_path: Path, clip: bytes) -> None:
    with running(red_settings(tmp_path, max_uploads=3, max_uploads_per_caller=2)) as client, ExitStack() as others:
        senders = client.app.state.senders  # type: ignore[attr-defined]
        mine = ExitStack()
        for _ in range(2):
            mine.enter_context(senders.admit("testclient"))
        answer = post(client, clip)
        assert "ENDOMASK_MAX_UPLOADS_PER_CALLER" in refused(answer, 429, "caller_limit")
        assert answer.headers["Retry-After"]
        mine.close()
        for number in range(3):
            assert post(client, clip).status_code == 202
            others.enter_context(senders.admit(f"another {number}"))
        assert "ENDOMASK_MAX_UPLOADS)" in refused(post(client, clip), 503, "overloaded")
        assert nothing_half_written(tmp_path / "data")


def test_a_video_with_too_many_frames_is_refused_unless_fewer_are_asked_for(tmp_path: Path, clip: bytes) -> None:
    with running(red_settings(tmp_path, max_video_frames=videos.FRAMES - 1)) as client:
        said = refused(post(client, clip), 413, "video_too_long")
        assert said.startswith(f"{videos.FRAMES} frames")
        assert "ENDOMASK_MAX_VIDEO_FRAMES" in said
        assert post(client, clip, "?max_frames=5").status_code == 202
    assert nothing_half_written(tmp_path / "data")


def test_a_video_of_too_many_hours_is_refused(tmp_path: Path, clip: bytes) -> None:
    with running(red_settings(tmp_path, max_video_hours=1e-5)) as client:
        assert "ENDOMASK_MAX_VIDEO_HOURS" in refused(post(client, clip), 413, "video_too_long")


def test_hours_are_counted_too_where_the_header_says_none(tmp_path: Path) -> None:
    require_hours(3599.0, red_settings(tmp_path, max_video_hours=1))
    with pytest.raises(VideoTooLong, match=r"1\.5 hours"):
        require_hours(5400.0, red_settings(tmp_path, max_video_hours=1))


@pytest.fixture
def finished(tmp_path: Path, clip: bytes) -> Iterator[tuple[TestClient, str]]:
    """A server, and the path of a succeeded job's summary of 100 bytes."""
    settings = red_settings(tmp_path)
    with running(settings) as client:
        job = post(client, clip).json()
        (tmp_path / "data/videos" / job["id"] / "results/summary.json").write_bytes(bytes(100))
        engine = open_database(settings)
        with engine.begin() as connection:
            connection.execute(sa.update(jobs).values(status="succeeded"))
        engine.dispose()
        yield client, f"{job['links']['self']}/summary.json"


def test_a_range_beyond_the_end_is_told_where_the_end_is(finished: tuple[TestClient, str]) -> None:
    client, path = finished
    answer = client.get(path, headers={"Range": "bytes=100-"})
    refused(answer, 416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == "bytes */100"


def test_head_of_a_result_tells_what_get_would_and_no_cache_keeps_it_unasked(finished: tuple[TestClient, str]) -> None:
    client, path = finished
    got, told = client.get(path), client.head(path)
    assert (told.status_code, told.content) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges", "Content-Disposition"):
        assert told.headers[name] == got.headers[name], name
    assert got.headers["Cache-Control"] == "private, no-cache"
    assert client.get(path, headers={"If-None-Match": got.headers["ETag"]}).status_code == 304
    assert client.head(path, headers={"Range": "bytes=200-"}).headers["Content-Range"] == "bytes */100"


def test_a_result_whose_file_is_gone_is_not_found(finished: tuple[TestClient, str], tmp_path: Path) -> None:
    client, path = finished
    next(tmp_path.glob("data/videos/*/results/summary.json")).unlink()
    refused(client.get(path), 404, "unknown_video")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 20 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount")
    if not mounted or subprocess.run([*_MOUNT, str(folder)], check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("announced", [True, False], ids=["length announced", "length unknown"])
def test_a_disk_that_runs_full_while_writing_is_said_and_nothing_is_left_on_it(
    small_disk: Path, tmp_path: Path, announced: bool
) -> None:
    padded_video(tmp_path / "large.mp4", 30_000_000)
    body = (tmp_path / "large.mp4").read_bytes()
    settings = red_settings(tmp_path, data_dir=small_disk / "data", min_free_disk_gigabytes=0)
    with running(settings) as client:
        before = shutil.disk_usage(small_disk).free
        sent: Any = body if announced else (body[at : at + 100_000] for at in range(0, len(body), 100_000))
        answer = client.post("/v1/videos", content=sent, headers=MP4)
        refused(answer, 507, "no_space")
        assert nothing_half_written(small_disk / "data")
        assert not any((small_disk / "data/videos").iterdir())
        assert before - shutil.disk_usage(small_disk).free < 1_000_000
        assert client.get("/v1/videos").json()["total"] == 0
        assert post(client, (tmp_path / "large.mp4").read_bytes()[:100]).status_code == 422, "it goes on"


def test_a_resumable_upload_outlasts_a_full_disk_and_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    sha256 = padded_video(tmp_path / "op.mp4", 10_000_000)
    body = (tmp_path / "op.mp4").read_bytes()
    part = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    settings = red_settings(tmp_path, data_dir=small_disk / "data", min_free_disk_gigabytes=0)
    with running(settings) as client:
        address = client.post("/v1/uploads", headers={**part, "Upload-Length": str(len(body))}).headers["Location"]
        others = small_disk / "what others write meanwhile"
        others.write_bytes(bytes(shutil.disk_usage(small_disk).free - 4_000_000))
        sent: Any = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
        refused(client.patch(address, content=sent, headers={**part, "Upload-Offset": "0"}), 507, "no_space")
        others.unlink()
        kept = int(client.head(address, headers=part).headers["Upload-Offset"])
        assert 1_000_000 < kept <= 4_000_000, "what was on the disk need not be sent again"
        answer = client.patch(address, content=body[kept:], headers={**part, "Upload-Offset": str(kept)})
        assert client.get(answer.headers["X-Video"]).json()["input"]["sha256"] == sha256
