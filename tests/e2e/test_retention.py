"""A worker deletes what is kept no longer: files, rows, and the queue's own record, so that nothing tells of it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import videos
from tests.support.cluster import Cluster
from tests.support.folders import paths_in
from tests.support.video_api import VideoApi

NAME = b"patient-4711.mp4"
DEADLINE_S = 60

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path) as started:
        yield started


def traces(data_dir: Path, job_id: str) -> dict[str, int]:
    """What still tells of a job: by table the rows, and by file name those that are named for it or hold its name."""
    with closing(sqlite3.connect(data_dir / "endomask.sqlite", timeout=DEADLINE_S)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {table: _rows_with(database, table, job_id) for table in tables}
    files = [path for path in paths_in(data_dir) if job_id in str(path) or (path.is_file() and NAME in _read(path))]
    return {name: count for name, count in {**rows, **{path.name: 1 for path in files}}.items() if count}


def _rows_with(database: sqlite3.Connection, table: str, text: str) -> int:
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    somewhere = " OR ".join(f"instr(CAST({column} AS TEXT), ?)" for column in columns)
    return int(database.execute(f"SELECT count(*) FROM {table} WHERE {somewhere}", [text] * len(columns)).fetchone()[0])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def let_hours_pass(data_dir: Path) -> None:
    """Two, since jobs have ended."""
    with closing(sqlite3.connect(data_dir / "endomask.sqlite", timeout=DEADLINE_S)) as database, database:
        database.execute("UPDATE video_jobs SET finished_at = finished_at - 7200")


def test_a_finished_job_leaves_no_trace_once_it_was_kept_long_enough(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.start_server("server")
    cluster.start_worker("worker")
    with VideoApi(url) as api:
        _delete_one_of_two(cluster, api, tmp_path)


def _delete_one_of_two(cluster: Cluster, api: VideoApi, tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.mp4", frames=40)
    sent = api.client.post(
        "/v1/videos?retention_hours=1", files={"file": (NAME.decode(), clip.read_bytes(), "video/mp4")}
    )
    gone, kept = sent.json(), api.upload(clip, retention_hours=3)
    for job in (gone, kept):
        assert api.wait(job)["status"] == "succeeded"
    there = traces(cluster.data_dir, gone["id"])
    assert {"video_jobs", "video_steps", "workflow_status", "operation_outputs", gone["id"]} <= set(there)
    assert any(name.startswith("endomask.sqlite") for name in there), "the test sees names in the database"

    assert cluster.stop("worker") == 0
    let_hours_pass(cluster.data_dir)
    cluster.start_worker("another")  # each worker sweeps when it starts, and every ten minutes
    deadline = time.monotonic() + DEADLINE_S
    while left := traces(cluster.data_dir, gone["id"]):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert api.get(kept)["status"] == "succeeded"
    assert api.file(kept, "summary.json")
    assert api.client.get(f"/v1/videos/{gone['id']}").status_code == 404


def test_unfinished_work_that_an_ended_job_left_is_swept_by_the_next_worker(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.start_server("server")
    cluster.start_worker("worker")
    with VideoApi(url) as api:
        job = api.upload(videos.write_video(tmp_path / "clip.mp4", frames=40))
        assert api.wait(job)["status"] == "succeeded"
        assert cluster.stop("worker") == 0
        segments = cluster.data_dir / "videos" / job["id"] / "segments"
        (segments / "00000").mkdir(parents=True)
        let_hours_pass(cluster.data_dir)
        cluster.start_worker("another")
        deadline = time.monotonic() + DEADLINE_S
        while segments.exists():
            assert time.monotonic() < deadline, "it is left for ever"
            time.sleep(0.1)
        assert api.file(job, "summary.json")
