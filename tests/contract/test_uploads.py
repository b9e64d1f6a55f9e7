"""Resumable uploads over HTTP: what the tus protocol asks of a server, and what becomes of the bytes."""

import base64
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support import videos
from tests.support.running import red_settings, refused, running

TUS = {"Tus-Resumable": "1.0.0"}
PART = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def clip(folder: Path) -> bytes:
    return videos.write_video(folder / "clip.mp4").read_bytes()


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    with running(red_settings(folder, max_upload_gigabytes=0.001)) as started:
        yield started


@pytest.fixture(autouse=True)
def nothing_is_left_half_written(folder: Path) -> Iterator[None]:
    yield
    assert not [*(folder / "data" / "incoming").glob("*")]  # a folder that is not there yet is empty too


def metadata(**values: str) -> dict[str, str]:
    entries = [f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items()]
    return {"Upload-Metadata": ",".join(entries)} if entries else {}


def begin(client: TestClient, length: int, headers: dict[str, str] | None = None, **values: str) -> str:
    """The upload's address."""
    sent = {**TUS, "Upload-Length": str(length), **metadata(**values), **(headers or {})}
    answer = client.post("/v1/uploads", headers=sent)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def send(client: TestClient, address: str, offset: int, body: bytes, **headers: str) -> Any:
    return client.patch(address, content=body, headers={**PART, "Upload-Offset": str(offset), **headers})


def checksum(algorithm: str, body: bytes) -> dict[str, str]:
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(hashlib.new(algorithm, body).digest()).decode()}"}


def offset(client: TestClient, address: str) -> int:
    answer = client.head(address, headers=TUS)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    return int(answer.headers["Upload-Offset"])


def refused_by_tus(answer: Any, status: int, code: str) -> str:
    """As anywhere else, and in the protocol's version."""
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    return refused(answer, status, code)


def test_the_protocol_is_told_before_anything_is_sent(client: TestClient) -> None:
    answer = client.options("/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == "1000000"
    extensions = set(answer.headers["Tus-Extension"].split(","))
    assert extensions == {"creation", "creation-with-upload", "expiration", "termination", "checksum"}
    assert {"sha1", "sha256"} <= set(answer.headers["Tus-Checksum-Algorithm"].split(","))


def test_parts_become_one_job_with_the_parameters_of_the_metadata(client: TestClient, clip: bytes) -> None:
    address = begin(client, len(clip), filename="op 1.mp4", filetype="video/mp4", frame_step="2", outputs="frames")
    for start in range(0, len(clip), 1000):
        assert offset(client, address) == start
        answer = send(client, address, start, clip[start : start + 1000])
        assert answer.status_code == 204, answer.text
        assert answer.headers["Upload-Expires"].endswith("GMT")
    job = client.get(answer.headers["X-Video"]).json()
    assert job["input"]["sha256"] == hashlib.sha256(clip).hexdigest()
    assert (job["input"]["name"], job["input"]["bytes"]) == ("op 1.mp4", len(clip))
    assert (job["parameters"]["frame_step"], job["parameters"]["outputs"]) == (2, ["frames"])
    state = client.get(address).json()
    assert (state["status"], state["links"]["video"]) == ("accepted", answer.headers["X-Video"])
    head = client.head(address, headers=TUS)
    assert (head.headers["X-Video"], head.headers["Upload-Offset"]) == (answer.headers["X-Video"], str(len(clip)))


def test_an_upload_that_has_become_a_job_keeps_neither_bytes_nor_name(
    client: TestClient, clip: bytes, folder: Path
) -> None:
    address = begin(client, len(clip), filename="patient-7.mp4")
    send(client, address, 0, clip)
    kept = folder / "data" / "uploads" / address.rpartition("/")[2]
    assert not (kept / "data").exists()
    assert all(b"patient-7" not in path.read_bytes() for path in kept.iterdir())


def test_the_first_bytes_may_come_with_the_beginning(client: TestClient, clip: bytes) -> None:
    headers = {**PART, "Upload-Length": str(len(clip))}
    answer = client.post("/v1/uploads", content=clip[:500], headers=headers)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "500")
    assert send(client, answer.headers["Location"], 500, clip[500:]).headers["X-Video"]
    whole = client.post("/v1/uploads", content=clip, headers=headers)
    assert (whole.status_code, whole.headers["Upload-Offset"]) == (201, str(len(clip)))
    assert client.get(whole.headers["X-Video"]).status_code == 200


def test_another_offset_is_a_conflict_that_names_the_right_one(client: TestClient) -> None:
    address = begin(client, 100)
    send(client, address, 0, b"x" * 40)
    assert "40" in refused_by_tus(send(client, address, 39, b"x"), 409, "offset_mismatch")
    assert "40" in refused_by_tus(send(client, address, 41, b"x"), 409, "offset_mismatch")
    assert offset(client, address) == 40


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5", "sha512"])
def test_a_part_whose_checksum_does_not_hold_is_kept_not_at_all(client: TestClient, algorithm: str) -> None:
    address = begin(client, 100)
    assert send(client, address, 0, b"x" * 30, **checksum(algorithm, b"x" * 30)).status_code == 204
    wrong = send(client, address, 30, b"y" * 30, **checksum(algorithm, b"z" * 30))
    assert algorithm in refused_by_tus(wrong, 460, "checksum_mismatch")
    assert wrong.json()["title"] == "Checksum Mismatch"
    assert offset(client, address) == 30


def test_the_whole_is_right_after_a_part_that_was_not(client: TestClient, clip: bytes) -> None:
    sha256 = hashlib.sha256(clip).hexdigest()
    address = begin(client, len(clip), sha256=sha256.upper())
    send(client, address, 0, clip[:1000])
    refused_by_tus(send(client, address, 1000, b"noise", **checksum("sha1", b"other")), 460, "checksum_mismatch")
    answer = send(client, address, 1000, clip[1000:], **checksum("sha1", clip[1000:]))
    assert client.get(answer.headers["X-Video"]).json()["input"]["sha256"] == sha256


def test_a_whole_that_is_not_what_its_sender_says_is_refused(client: TestClient, clip: bytes) -> None:
    address = begin(client, len(clip), sha256="0" * 64)
    refused_by_tus(send(client, address, 0, clip), 460, "checksum_mismatch")
    assert client.get(address).json()["error"]["code"] == "checksum_mismatch"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("crc32 AAAA", "crc32"),
        ("sha1 !!", "base64"),
        ("sha1 AAAA", "3 bytes"),
        ("sha1", "0 bytes"),
        (b"sha1 \xe4", "base64"),
    ],
)
def test_a_checksum_that_can_not_be_read_is_refused(client: TestClient, value: str | bytes, said: str) -> None:
    headers: dict[str, Any] = {**PART, "Upload-Offset": "0", "Upload-Checksum": value}
    answer = client.patch(begin(client, 10), content=b"x", headers=headers)
    assert said in refused_by_tus(answer, 400, "malformed_request")


def test_what_is_no_video_is_refused_with_its_last_byte_and_said_later_too(client: TestClient, folder: Path) -> None:
    address = begin(client, 2000)
    said = refused_by_tus(send(client, address, 0, b"n" * 2000), 422, "undecodable_video")
    state = client.get(address).json()
    assert (state["status"], state["error"]) == ("refused", {"code": "undecodable_video", "detail": said})
    assert not (folder / "data" / "uploads" / address.rpartition("/")[2] / "data").exists()
    refused_by_tus(send(client, address, 2000, b""), 409, "conflict")


def test_more_than_was_announced_is_refused(client: TestClient) -> None:
    address = begin(client, 100)
    assert "101 bytes would be sent" in refused_by_tus(send(client, address, 0, b"x" * 101), 413, "too_large")
    assert offset(client, address) == 0
    chunked = client.patch(address, content=(b"x" * 60 for _ in range(2)), headers={**PART, "Upload-Offset": "0"})
    refused_by_tus(chunked, 413, "too_large")
    assert offset(client, address) <= 100


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "malformed_request"),
        ({"Upload-Length": "-1"}, 400, "malformed_request"),
        ({"Upload-Length": "ten"}, 400, "malformed_request"),
        ({"Upload-Length": "0"}, 400, "empty_body"),
        ({"Upload-Length": "1", "Upload-Metadata": "model cmVk,model cmVk"}, 400, "malformed_request"),
        ({"Upload-Length": "1000001"}, 413, "too_large"),
        ({"Upload-Length": "10", "Upload-Metadata": "frame_step %%"}, 400, "malformed_request"),
        ({"Upload-Length": "10", "Upload-Metadata": b"filename \xe4"}, 400, "malformed_request"),
        ({"Upload-Length": "10", **metadata(frame_step="0")}, 422, "invalid_parameter"),
        ({"Upload-Length": "10", **metadata(framestep="2")}, 422, "invalid_parameter"),
        ({"Upload-Length": "10", **metadata(outputs="movie")}, 422, "invalid_parameter"),
        ({"Upload-Length": "10", **metadata(sha256="abc")}, 422, "invalid_parameter"),
        ({"Upload-Length": "10", **metadata(model="nope")}, 404, "unknown_model"),
        ({"Upload-Length": "10", "Tus-Resumable": "0.2.2"}, 412, "other_protocol"),
    ],
)
def test_a_beginning_that_can_not_end_well_is_refused(
    client: TestClient, headers: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post("/v1/uploads", headers={**TUS, **headers})
    refused_by_tus(answer, status, code)
    assert answer.headers.get("Tus-Version") == ("1.0.0" if status == 412 else None)


def test_a_part_is_sent_as_the_protocol_has_it(client: TestClient) -> None:
    address = begin(client, 10)
    refused_by_tus(
        client.patch(address, content=b"x", headers={**TUS, "Upload-Offset": "0"}), 415, "unsupported_media_type"
    )
    refused_by_tus(client.patch(address, content=b"x", headers=PART), 400, "malformed_request")
    refused_by_tus(client.patch(address, content=b"x", headers={"Upload-Offset": "0"}), 412, "other_protocol")
    compressed = send(client, address, 0, b"x", **{"Content-Encoding": "gzip"})
    refused_by_tus(compressed, 415, "unsupported_media_type")


@pytest.mark.parametrize("name", ["nothing", "0" * 32, "..%2F..%2Fmodels"])
def test_an_upload_that_is_not_there_is_not_found(client: TestClient, name: str) -> None:
    for answer in (client.get(f"/v1/uploads/{name}"), client.delete(f"/v1/uploads/{name}", headers=TUS)):
        assert answer.status_code == 404
    if "%" not in name:
        refused_by_tus(send(client, f"/v1/uploads/{name}", 0, b"x"), 404, "unknown_upload")


def test_an_upload_that_is_given_up_is_gone_with_its_bytes(client: TestClient, folder: Path) -> None:
    address = begin(client, 10)
    send(client, address, 0, b"x")
    assert client.delete(address, headers=TUS).status_code == 204
    assert not (folder / "data" / "uploads" / address.rpartition("/")[2]).exists()
    assert list((folder / "data" / "trash").iterdir()) == []
    refused_by_tus(client.get(address), 404, "unknown_upload")


def test_an_upload_that_nobody_went_on_with_has_expired(client: TestClient, folder: Path) -> None:
    address = begin(client, 10)
    day_ago = time.time() - 86_401
    for path in (folder / "data" / "uploads" / address.rpartition("/")[2]).iterdir():
        os.utime(path, (day_ago, day_ago))
    refused_by_tus(client.get(address), 410, "upload_expired")
    refused_by_tus(send(client, address, 0, b"x"), 410, "upload_expired")


def test_a_post_may_stand_for_patch_and_delete(client: TestClient) -> None:
    address = begin(client, 10)
    headers = {**PART, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert client.post(address, content=b"xy", headers=headers).headers["Upload-Offset"] == "2"
    refused_by_tus(client.post(address, headers={**TUS, "X-HTTP-Method-Override": "GET"}), 405, "method_not_allowed")
    assert client.post(address, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}).status_code == 204
    refused_by_tus(client.get(address), 404, "unknown_upload")


def test_the_same_key_goes_on_with_the_same_upload_and_gives_one_job(client: TestClient, clip: bytes) -> None:
    key = {"Idempotency-Key": "again"}
    address = begin(client, len(clip), key, frame_step="2")
    send(client, address, 0, clip[:700])
    assert begin(client, len(clip), key, frame_step="2") == address
    assert offset(client, address) == 700
    other = client.post(
        "/v1/uploads", headers={**TUS, **key, "Upload-Length": str(len(clip)), **metadata(frame_step="3")}
    )
    assert "Idempotency-Key" in refused_by_tus(other, 409, "conflict")
    job = send(client, address, 700, clip[700:]).headers["X-Video"]
    assert begin(client, len(clip), key, frame_step="2") == address
    assert client.head(address, headers=TUS).headers["X-Video"] == job
    plain = client.post("/v1/videos?frame_step=2", content=clip, headers={"Content-Type": "video/mp4", **key})
    assert plain.json()["links"]["self"] == job
    longer = client.post("/v1/uploads", headers={**TUS, **key, "Upload-Length": "10", **metadata(frame_step="2")})
    refused_by_tus(longer, 409, "conflict")


def test_a_key_whose_job_was_deleted_begins_anew(client: TestClient, clip: bytes) -> None:
    key = {"Idempotency-Key": "deleted meanwhile"}
    address = begin(client, len(clip), key)
    client.delete(send(client, address, 0, clip).headers["X-Video"])
    again = begin(client, len(clip), key)
    assert offset(client, again) == 0
    assert send(client, again, 0, clip).headers["X-Video"]


def test_a_key_whose_upload_was_refused_may_send_it_again(client: TestClient) -> None:
    key = {"Idempotency-Key": "refused"}
    address = begin(client, 10, key)
    refused_by_tus(send(client, address, 0, b"x" * 10), 422, "undecodable_video")
    assert offset(client, begin(client, 10, key)) == 0


def test_a_full_disk_is_said_when_an_upload_begins_and_when_it_goes_on(tmp_path: Path) -> None:
    with running(red_settings(tmp_path)) as client:
        address = begin(client, 100)
    with running(red_settings(tmp_path, min_free_disk_gigabytes=1_000_000)) as full:
        refused_by_tus(full.post("/v1/uploads", headers={**TUS, "Upload-Length": "10"}), 507, "no_space")
        assert refused_by_tus(send(full, address, 0, b"x"), 507, "no_space")
        assert offset(full, address) == 0
    assert list((tmp_path / "data" / "incoming").iterdir()) == []


def test_an_upload_goes_on_with_another_server(tmp_path: Path, clip: bytes) -> None:
    with running(red_settings(tmp_path)) as client:
        address = begin(client, len(clip))
        send(client, address, 0, clip[:900])
    with running(red_settings(tmp_path)) as other:
        assert offset(other, address) == 900
        job = other.get(send(other, address, 900, clip[900:]).headers["X-Video"]).json()
    assert job["input"]["sha256"] == hashlib.sha256(clip).hexdigest()


def test_uploads_that_have_not_arrived_count_as_their_callers_videos(tmp_path: Path, clip: bytes) -> None:
    with running(red_settings(tmp_path, max_active_videos_per_caller=2)) as client:
        first = begin(client, len(clip))
        second = begin(client, len(clip))
        answer = client.post("/v1/uploads", headers={**TUS, "Upload-Length": "10"})
        assert "ENDOMASK_MAX_ACTIVE_VIDEOS_PER_CALLER" in refused_by_tus(answer, 429, "caller_limit")
        assert answer.headers["Retry-After"]
        job = send(client, first, 0, clip).headers["X-Video"]
        refused_by_tus(client.post("/v1/uploads", headers={**TUS, "Upload-Length": "10"}), 429, "caller_limit")
        client.post(f"{job}/cancel")
        begin(client, 10)
        assert send(client, second, 0, clip).headers["X-Video"]


def test_the_metadata_are_told_as_they_were_given_until_the_end(client: TestClient, clip: bytes) -> None:
    given = metadata(filename="op 1.mp4", frame_step="2")
    address = begin(client, len(clip), given)
    assert client.head(address, headers=TUS).headers["Upload-Metadata"] == given["Upload-Metadata"]
    send(client, address, 0, clip)
    assert "Upload-Metadata" not in client.head(address, headers=TUS).headers


def test_a_repeated_beginning_takes_no_room_and_other_videos_have_none(tmp_path: Path, clip: bytes) -> None:
    key = {"Idempotency-Key": "again"}
    with running(red_settings(tmp_path, max_active_videos_per_caller=1)) as client:
        address = begin(client, 10, key)
        assert begin(client, 10, key) == address
        plain = client.post("/v1/videos", content=clip, headers={"Content-Type": "video/mp4"})
        assert (plain.status_code, plain.json()["code"]) == (429, "caller_limit")


def test_an_upload_whose_first_bytes_find_no_reader_begins_without_them(tmp_path: Path) -> None:
    with running(red_settings(tmp_path)) as client:
        senders = client.app.state.senders  # type: ignore[attr-defined]
        with ExitStack() as others:
            for number in range(client.app.state.settings.max_uploads):  # type: ignore[attr-defined]
                others.enter_context(senders.admit(f"another {number}"))
            answer = client.post("/v1/uploads", content=b"first", headers={**PART, "Upload-Length": "10"})
            assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "0")
            refused_by_tus(send(client, answer.headers["Location"], 0, b"first"), 503, "overloaded")
        assert send(client, answer.headers["Location"], 0, b"first").headers["Upload-Offset"] == "5"
