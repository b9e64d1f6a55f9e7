"""What the video routes refuse and how, without a worker: jobs stay queued."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support import videos
from tests.support.running import MP4, red_settings, refused, running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def clip(folder: Path) -> bytes:
    return videos.write_video(folder / "clip.mp4").read_bytes()


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    settings = red_settings(folder, max_upload_gigabytes=0.001, max_frame_megapixels=0.05)
    with running(settings) as started:
        yield started


@pytest.fixture(autouse=True)
def nothing_is_left_half_written(folder: Path) -> Iterator[None]:
    yield
    assert list((folder / "data" / "incoming").iterdir()) == []


def test_an_upload_is_queued_and_described(client: TestClient, clip: bytes) -> None:
    answer = client.post("/v1/videos?threshold=0.25&frame_step=2", content=clip, headers=MP4)
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == job["links"]["self"]
    assert job["status"] == "queued"
    assert job["model"] == {"name": "red", "version": 1}
    assert job["parameters"]["threshold"] == 0.25
    assert job["input"]["sha256"] == hashlib.sha256(clip).hexdigest()
    assert (job["input"]["width"], job["input"]["height"], job["input"]["codec"]) == (128, 96, "h264")
    assert job["progress"]["frames_total"] == videos.FRAMES
    assert client.get(answer.headers["Location"]).json() == job


def test_what_is_asked_of_the_analysis_is_kept(client: TestClient, clip: bytes) -> None:
    plain = client.post("/v1/videos", content=clip, headers=MP4).json()["parameters"]
    assert (plain["smoothing"], plain["bridge_s"], plain["out_of_body"]) == (1, 0, "off")
    query = "smoothing=5&bridge_s=0.5&out_of_body=pixelate"
    asked = client.post(f"/v1/videos?{query}", content=clip, headers=MP4).json()["parameters"]
    assert (asked["smoothing"], asked["bridge_s"], asked["out_of_body"]) == (5, 0.5, "pixelate")


def test_a_multipart_upload_keeps_the_senders_file_name(client: TestClient, clip: bytes) -> None:
    answer = client.post("/v1/videos", files={"file": ("surgery 1.mp4", clip, "video/mp4")})
    assert answer.status_code == 202
    assert answer.json()["input"]["name"] == "surgery 1.mp4"
    assert answer.json()["input"]["sha256"] == hashlib.sha256(clip).hexdigest()


def test_jobs_are_listed_newest_first_in_pages(client: TestClient, clip: bytes) -> None:
    ids = [client.post("/v1/videos", content=clip, headers=MP4).json()["id"] for _ in range(3)]
    page = client.get("/v1/videos?limit=2").json()
    assert [job["id"] for job in page["videos"]] == ids[:0:-1]
    assert client.get("/v1/videos?limit=1&offset=2").json()["videos"][0]["id"] == ids[0]
    assert page["total"] == client.get("/v1/videos?status=queued").json()["total"] >= 3
    assert client.get("/v1/videos?status=failed").json()["videos"] == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (videos.text_as_video, "no known container"),
        (videos.truncated, "cut off before its index"),
        (videos.without_frames, "not a readable video"),
        (videos.audio_only, "only audio"),
    ],
)
def test_what_is_no_video_is_refused_with_the_reason(client: TestClient, tmp_path: Path, make: Any, said: str) -> None:
    body = make(tmp_path / "input.mp4").read_bytes()
    assert said in refused(client.post("/v1/videos", content=body, headers=MP4), 422, "undecodable_video")


@pytest.mark.parametrize("make", [videos.hls_playlist, videos.concat_playlist])
@pytest.mark.parametrize("target", ["/etc/passwd", "clip.mp4", "http://127.0.0.1:1/a.ts"])
def test_a_playlist_that_names_other_files_is_refused(
    client: TestClient, tmp_path: Path, make: Any, target: str
) -> None:
    body = make(tmp_path / "list", [target]).read_bytes()
    refused(client.post("/v1/videos", content=body, headers=MP4), 422, "undecodable_video")


def test_an_empty_body_is_refused(client: TestClient) -> None:
    refused(client.post("/v1/videos", content=b"", headers=MP4), 400, "empty_body")


def test_too_many_pixels_are_refused_with_size_and_limit(client: TestClient, tmp_path: Path) -> None:
    body = videos.write_video(tmp_path / "large.mp4", height=240, width=320, frames=2).read_bytes()
    said = refused(client.post("/v1/videos", content=body, headers=MP4), 413, "too_many_pixels")
    assert "320x240" in said
    assert "ENDOMASK_MAX_FRAME_MEGAPIXELS" in said


def test_too_many_bytes_are_refused_before_and_while_reading(client: TestClient) -> None:
    announced = client.post("/v1/videos", content=bytes(1_100_000), headers=MP4)
    assert "ENDOMASK_MAX_UPLOAD_GIGABYTES" in refused(announced, 413, "too_large")
    chunked = client.post("/v1/videos", content=(bytes(100_000) for _ in range(20)), headers=MP4)
    assert "ENDOMASK_MAX_UPLOAD_GIGABYTES" in refused(chunked, 413, "too_large")


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, clip: bytes) -> None:
    with running(red_settings(tmp_path, min_free_disk_gigabytes=1_000_000)) as full:
        answer = full.post("/v1/videos", content=clip, headers=MP4)
        assert "ENDOMASK_MIN_FREE_DISK_GIGABYTES" in refused(answer, 507, "no_space")
        assert answer.headers["Retry-After"]
        assert full.get("/v1/videos").json()["total"] == 0
        never = {**MP4, "Content-Length": "50000000001"}
        refused(full.post("/v1/videos", content=iter([clip]), headers=never), 413, "too_large")
    assert list((tmp_path / "data" / "incoming").iterdir()) == []


@pytest.mark.parametrize("content_type", ["text/plain", "image/png", "application/json", ""])
def test_another_content_type_is_refused(client: TestClient, clip: bytes, content_type: str) -> None:
    answer = client.post("/v1/videos", content=clip, headers={"Content-Type": content_type})
    refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("frame_step=0", 422, "invalid_parameter"),
        ("max_frames=0", 422, "invalid_parameter"),
        ("threshold=1.1", 422, "invalid_parameter"),
        ("outputs=annotated,movie", 422, "invalid_parameter"),
        ("framestep=2", 422, "invalid_parameter"),
        ("smoothing=0", 422, "invalid_parameter"),
        ("smoothing=26", 422, "invalid_parameter"),
        ("bridge_s=-1", 422, "invalid_parameter"),
        ("out_of_body=hide", 422, "invalid_parameter"),
        ("model=nope", 404, "unknown_model"),
        ("version=7", 404, "unknown_model"),
    ],
)
def test_parameters_out_of_range_are_refused(
    client: TestClient, clip: bytes, query: str, status: int, code: str
) -> None:
    refused(client.post(f"/v1/videos?{query}", content=clip, headers=MP4), status, code)


@pytest.mark.parametrize(
    "body",
    [
        b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\nabc\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc',
        b"--x--\r\n",
        b"no boundary at all",
    ],
)
def test_a_multipart_body_without_one_whole_file_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/videos", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    refused(answer, 400, "malformed_request")


@pytest.mark.parametrize("route", ["/v1/videos", "/v1/uploads"])
def test_an_empty_key_is_no_key(client: TestClient, clip: bytes, route: str) -> None:
    headers = {**MP4, "Tus-Resumable": "1.0.0", "Upload-Length": "10", "Idempotency-Key": ""}
    answer = client.post(route, content=clip, headers=headers)
    assert "idempotency-key" in refused(answer, 422, "invalid_parameter")


def test_two_files_in_one_request_are_refused(client: TestClient, clip: bytes) -> None:
    answer = client.post("/v1/videos", files=[("file", ("a.mp4", clip)), ("file", ("b.mp4", clip))])
    assert "one video" in refused(answer, 400, "malformed_request")


def test_the_same_key_gives_the_same_job_and_another_body_a_conflict(client: TestClient, clip: bytes) -> None:
    headers = {**MP4, "Idempotency-Key": "one"}
    first, again = (client.post("/v1/videos", content=clip, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    other = client.post("/v1/videos?frame_step=2", content=clip, headers=headers)
    assert "Idempotency-Key" in refused(other, 409, "conflict")
    assert client.post("/v1/videos", content=clip, headers=MP4).json()["id"] != first.json()["id"]


@pytest.mark.parametrize("path", ["", "/events", "/annotated.mp4", "/summary.json", "/masks.zip"])
def test_an_unknown_video_is_not_found(client: TestClient, path: str) -> None:
    refused(client.get(f"/v1/videos/nothing{path}"), 404, "unknown_video")


def test_results_that_are_not_there_yet_are_a_conflict(client: TestClient, clip: bytes) -> None:
    job = client.post("/v1/videos", content=clip, headers=MP4).json()
    assert "queued" in refused(client.get(f"{job['links']['self']}/frames.csv"), 409, "conflict")


def test_a_queued_job_is_cancelled_at_once_and_only_once(client: TestClient, clip: bytes) -> None:
    job = client.post("/v1/videos", content=clip, headers=MP4).json()
    assert client.post(f"{job['links']['self']}/cancel").json()["status"] == "cancelled"
    refused(client.post(f"{job['links']['self']}/cancel"), 409, "conflict")
    events = client.get(job["links"]["events"]).text
    assert events.startswith("event: end\n")


def test_a_deleted_job_is_gone_with_all_its_files(client: TestClient, clip: bytes, folder: Path) -> None:
    job = client.post("/v1/videos", content=clip, headers=MP4).json()
    assert (folder / "data" / "videos" / job["id"] / "source").read_bytes() == clip
    assert client.delete(job["links"]["self"]).status_code == 204
    assert not (folder / "data" / "videos" / job["id"]).exists()
    refused(client.get(job["links"]["self"]), 404, "unknown_video")
    refused(client.delete(job["links"]["self"]), 404, "unknown_video")
