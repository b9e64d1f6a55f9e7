"""Server and workers that have nothing in common but a database and a bucket: no folder of one is another's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import videos
from tests.support.cluster import Cluster
from tests.support.postgres import needs_postgres, running_postgres
from tests.support.s3 import BUCKET, S3, running_s3
from tests.support.video_api import VideoApi
from tests.support.waiting import wait_until

FRAMES = 300
OUTPUTS = "annotated,frames,masks,report"

pytestmark = [pytest.mark.timeout(600), needs_postgres]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with running_s3() as running:
        yield running


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve segments of a second."""
    return videos.write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=FRAMES)


@pytest.fixture(scope="module")
def expected(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the clip gives in a data folder."""
    with Cluster(tmp_path_factory.mktemp("folder")) as cluster, VideoApi(cluster.start_server("server", 1)) as api:
        job = api.upload(clip, outputs=OUTPUTS)
        assert api.wait(job)["status"] == "succeeded"
        return results(api, job, tmp_path_factory.mktemp("expected"))


@pytest.fixture
def cluster(s3: S3, tmp_path: Path) -> Iterator[Cluster]:
    url = f"s3://{BUCKET}/{tmp_path.name}"
    with (
        running_postgres() as postgres,
        Cluster(tmp_path, postgres.url, ENDOMASK_STORAGE_URL=url, **s3.environment) as running,
    ):
        yield running


def results(api: VideoApi, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    assert b"<svg" in api.file(job, "report.html")
    return {**api.results(job, folder), "frames.parquet": api.file(job, "frames.parquet")}


def start_worker(cluster: Cluster, name: str, folder: Path) -> None:
    cluster.start_worker(name, ENDOMASK_DATA_DIR=str(folder / name))


def test_a_job_through_a_bucket_gives_what_it_gives_in_a_folder_though_a_worker_dies(
    cluster: Cluster, s3: S3, clip: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    with VideoApi(cluster.start_server("server")) as api:
        job = api.upload(clip, outputs=OUTPUTS)
        prefix = f"{tmp_path.name}/videos/{job['id']}/"
        assert s3.keys(prefix) == [f"{prefix}source"]
        start_worker(cluster, "first", tmp_path)
        api.wait_for_frames(job, FRAMES // 4)
        cluster.kill("first")
        assert [key for key in s3.keys(prefix) if key.endswith(".piece")], "nothing was finished before the kill"
        start_worker(cluster, "second", tmp_path)
        assert api.wait(job)["status"] == "succeeded"
        found = results(api, job, tmp_path)
        for name, content in expected.items():
            assert found[name] == content, name
        api.check_ranges(job)
        assert not (cluster.data_dir / "videos").exists()
        until_gone(s3, f"{prefix}segments/")
        assert not list((tmp_path / "second" / "scratch").rglob("source"))
        assert api.client.delete(f"/v1/videos/{job['id']}").status_code == 204
        assert s3.keys(prefix) == []
        assert cluster.stop("second") == 0


def until_gone(s3: S3, prefix: str) -> None:
    """The job has ended a moment before its unfinished work goes."""
    wait_until(lambda: not s3.keys(prefix), "the unfinished work is still there")


def test_a_job_waits_for_a_bucket_that_is_away_and_outlives_a_worker_meanwhile(
    cluster: Cluster, s3: S3, clip: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    with VideoApi(cluster.start_server("server")) as api:
        start_worker(cluster, "first", tmp_path)
        job = api.upload(clip, outputs=OUTPUTS)
        api.wait_for_frames(job, FRAMES // 4)
        try:
            s3.stop()
            wait_until(lambda: api.get(job)["waiting_since"], "the job does not say that it waits", seconds=120)
            since = api.get(job)["waiting_since"]
            answer = api.client.post("/v1/videos", content=clip.read_bytes(), headers={"Content-Type": "video/mp4"})
            assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
            cluster.kill("first")
            start_worker(cluster, "too early", tmp_path)
            wait_until(lambda: cluster.processes["too early"].poll() == 1, "it does not end", seconds=120)
            assert "ENDOMASK_STORAGE_URL can't be used" in cluster.logs("too early")
            waiting = api.get(job)
            assert (waiting["status"], waiting["waiting_since"]) == ("running", since)
        finally:
            s3.start()
        start_worker(cluster, "second", tmp_path)
        ended = api.wait(job)
        assert (ended["status"], ended["waiting_since"]) == ("succeeded", None)
        found = results(api, job, tmp_path)
        for name, content in expected.items():
            assert found[name] == content, name


def test_a_job_that_is_deleted_at_work_leaves_no_object(cluster: Cluster, s3: S3, clip: Path, tmp_path: Path) -> None:
    start_worker(cluster, "worker", tmp_path)
    with VideoApi(cluster.start_server("server")) as api:
        job = api.upload(clip, outputs=OUTPUTS)
        api.wait_for_frames(job, FRAMES // 8)
        assert api.client.delete(f"/v1/videos/{job['id']}").status_code == 204
        until_gone(s3, f"{tmp_path.name}/videos/")
        assert cluster.stop("worker") == 0
        assert s3.keys(f"{tmp_path.name}/videos/") == []


def test_a_bucket_that_does_not_answer_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with Cluster(tmp_path, ENDOMASK_STORAGE_URL="s3://bucket/x", AWS_MAX_ATTEMPTS="1", **nowhere) as cluster:
        with pytest.raises(AssertionError, match="ended with 1 before it was ready"):
            cluster.start_server("server")
        assert "ENDOMASK_STORAGE_URL can't be used" in cluster.logs("server")
        assert "Traceback" not in cluster.logs("server")
