"""Jobs of the real server that are watched, stopped, deleted, killed and restarted in the middle."""

import json
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import videos
from tests.support.folders import paths_in
from tests.support.red import write_red_package
from tests.support.server import RunningServer, children_of, start_server
from tests.support.video_api import COMPARED, OUTPUTS, VideoApi
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(600)

LONG_FRAMES = 750
BEGUN_FRAMES = 100
"""Frames after which a job is disturbed: more than a segment."""


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute at 25 frames a second."""
    return videos.write_video(tmp_path_factory.mktemp("long") / "long.mp4", frames=LONG_FRAMES)


@contextmanager
def serving(folder: Path, workers: int = 1) -> Iterator[tuple[RunningServer, VideoApi]]:
    """A server on `folder` with the red model and segments of a second."""
    if not (folder / "models").exists():
        write_red_package(folder / "models")
    given = {"ENDOMASK_MODELS_DIR": str(folder / "models"), "ENDOMASK_DEFAULT_MODEL": "red"}
    with (
        start_server(folder, ENDOMASK_SEGMENT_SECONDS="1", ENDOMASK_WORKERS=str(workers), **given) as running,
        VideoApi(running.url) as api,
    ):
        yield running, api


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, VideoApi]]:
    with serving(tmp_path_factory.mktemp("jobs")) as started:
        yield started


@pytest.fixture(scope="module")
def undisturbed(server: tuple[RunningServer, VideoApi], long_clip: Path, tmp_path_factory: Any) -> dict[str, Any]:
    """What the long clip gives when nothing happens to its job, and the job's events."""
    _, api = server
    job = api.upload(long_clip, outputs=OUTPUTS)
    events = follow(api, job)
    return {**api.results(job, tmp_path_factory.mktemp("undisturbed")), "events": events}


def follow(api: VideoApi, job: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """All events of a job until the server ends the stream."""
    found = []
    with api.client.stream("GET", f"/v1/videos/{job['id']}/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        kind = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((kind, json.loads(line.removeprefix("data: "))))
    return found


def worker_pid(running: RunningServer) -> int:
    (pid,) = [pid for pid, command in children_of(running.process.pid).items() if " worker" in command]
    return pid


def test_events_tell_progress_until_the_end(undisturbed: dict[str, Any]) -> None:
    *progress, last = undisturbed["events"]
    done = [job["progress"]["frames_done"] for kind, job in progress if kind == "progress"]
    assert len(done) == len(progress) > 2
    assert done == sorted(done)
    assert any(job["progress"]["fps"] and job["progress"]["eta_s"] is not None for _, job in progress)
    assert last[0] == "end"
    assert last[1]["status"] == "succeeded"
    assert last[1]["progress"]["frames_done"] == LONG_FRAMES


def test_a_job_whose_worker_is_killed_goes_on_and_ends_as_if_nothing_had_been(
    server: tuple[RunningServer, VideoApi], long_clip: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    running, api = server
    job = api.upload(long_clip, outputs=OUTPUTS)
    before = api.wait_for_frames(job, BEGUN_FRAMES)
    kept = sorted((running.data_dir / "videos" / job["id"] / "segments").glob("?????/stats.json"))
    stamps = [path.stat().st_mtime_ns for path in kept]
    os.kill(worker_pid(running), signal.SIGKILL)
    assert before["status"] == "running"
    api.wait_for_frames(job, before["progress"]["frames_done"] + BEGUN_FRAMES)
    assert kept
    assert [path.stat().st_mtime_ns for path in kept] == stamps, "a finished segment was done again"
    assert api.wait(job)["status"] == "succeeded"
    found = api.results(job, tmp_path)
    for name in COMPARED:
        assert found[name] == undisturbed[name], name
    assert found["frames"] == undisturbed["frames"]


def test_a_job_goes_on_after_an_orderly_restart(long_clip: Path, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path) as (_, api):
        job = api.upload(long_clip, outputs=OUTPUTS)
        api.wait_for_frames(job, BEGUN_FRAMES)
    with serving(tmp_path) as (_, api):
        assert api.wait(job)["status"] == "succeeded"
        found = api.results(job, tmp_path)
    for name in COMPARED:
        assert found[name] == undisturbed[name], name


def test_workers_of_one_machine_share_a_video_and_make_what_one_makes(
    long_clip: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """They start at once on an empty SQLite."""
    with serving(tmp_path, workers=3) as (running, api):
        wait_until(lambda: running.log.read_text().count("takes videos") == 3, "not all workers take videos")
        job = api.upload(long_clip, outputs=OUTPUTS)
        assert api.wait(job)["status"] == "succeeded"
        found = api.results(job, tmp_path)
        with closing(sqlite3.connect(running.data_dir / "endomask.sqlite")) as database:
            query = "SELECT executor_id, count(*) FROM workflow_status WHERE name = 'process_window' GROUP BY 1"
            assert len(database.execute(query).fetchall()) > 1, "one worker did it all"
    for name in (*COMPARED, "frames"):
        assert found[name] == undisturbed[name], name


def test_a_running_job_stops_when_cancelled(server: tuple[RunningServer, VideoApi], long_clip: Path) -> None:
    running, api = server
    job = api.upload(long_clip, outputs=OUTPUTS)
    api.wait_for_frames(job, BEGUN_FRAMES)
    assert api.client.post(f"/v1/videos/{job['id']}/cancel").status_code == 200
    ended = api.wait(job)
    assert ended["status"] == "cancelled"
    assert ended["progress"]["frames_done"] < LONG_FRAMES
    assert ended["finished_at"]
    assert api.client.get(f"/v1/videos/{job['id']}/annotated.mp4").json()["code"] == "conflict"
    segments = running.data_dir / "videos" / job["id"] / "segments"
    wait_until(lambda: not segments.exists(), "the unfinished work is still there")


def test_deleting_a_running_job_leaves_nothing_and_frees_the_worker(
    server: tuple[RunningServer, VideoApi], long_clip: Path, tmp_path: Path
) -> None:
    running, api = server
    job = api.upload(long_clip, outputs=OUTPUTS)
    api.wait_for_frames(job, BEGUN_FRAMES)
    assert api.client.delete(f"/v1/videos/{job['id']}").status_code == 204
    assert api.client.get(f"/v1/videos/{job['id']}").json()["code"] == "unknown_video"
    short = api.wait(api.upload(videos.write_video(tmp_path / "short.mp4"), outputs="frames"))
    assert short["status"] == "succeeded"
    left = [path for part in ("videos", "trash") for path in paths_in(running.data_dir / part)]
    assert not [path for path in left if job["id"] in str(path)]


def test_frames_stay_counted_when_their_job_is_deleted(server: tuple[RunningServer, VideoApi], tmp_path: Path) -> None:
    _, api = server

    def counted() -> float:
        lines = api.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("endomask_video_frames_total{"))

    before = counted()
    job = api.wait(api.upload(videos.write_video(tmp_path / "short.mp4"), outputs="frames"))
    assert counted() == before + videos.FRAMES
    api.client.delete(f"/v1/videos/{job['id']}")
    assert counted() == before + videos.FRAMES


def test_an_upload_that_breaks_off_leaves_nothing(server: tuple[RunningServer, VideoApi]) -> None:
    running, api = server
    total = api.client.get("/v1/videos").json()["total"]
    host, port = running.host_port.split(":")
    incoming = running.data_dir / "incoming"
    with socket.create_connection((host, int(port))) as connection:
        head = "POST /v1/videos HTTP/1.1\r\nHost: x\r\nContent-Type: video/mp4\r\nContent-Length: 90000000\r\n\r\n"
        connection.sendall(head.encode() + bytes(4_000_000))
        wait_until(lambda: any(incoming.iterdir()), "nothing arrives")
    wait_until(lambda: not any(incoming.iterdir()), "the half upload is still there")
    assert api.client.get("/v1/videos").json()["total"] == total


def test_other_requests_are_answered_while_a_large_upload_comes_in(server: tuple[RunningServer, VideoApi]) -> None:
    _, api = server
    answered = 0

    def body() -> Iterator[bytes]:
        """Each piece comes only after another request was answered."""
        nonlocal answered
        for _ in range(40):
            yield bytes(1_000_000)
            answered += other.client.get("/livez").is_success

    with VideoApi(str(api.client.base_url)) as other:
        answer = api.client.post("/v1/videos", content=body(), headers={"Content-Type": "video/mp4"})
    assert answer.json()["code"] == "undecodable_video"
    assert answered == 40
