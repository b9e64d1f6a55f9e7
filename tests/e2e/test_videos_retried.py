"""Failures that pass: a job tries again by itself, a bounded number of times, and tells whose fault it was."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import videos
from tests.support.cluster import Cluster
from tests.support.server import children_of
from tests.support.video_api import COMPARED, VideoApi
from tests.support.waiting import wait_until

FRAMES = 750
OUTPUTS = "frames,masks"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("retried")) as started:
        yield started


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[VideoApi]:
    cluster.start_worker("worker")
    with VideoApi(cluster.start_server("server")) as started:
        yield started


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return videos.write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=FRAMES)


@pytest.fixture(scope="module")
def undisturbed(api: VideoApi, clip: Path) -> dict[str, bytes]:
    job = api.upload(clip, outputs=OUTPUTS)
    assert api.wait(job)["status"] == "succeeded"
    return results(api, job)


def results(api: VideoApi, job: dict[str, Any]) -> dict[str, bytes]:
    return {name: api.file(job, name) for name in COMPARED}


def failed_steps(cluster: Cluster) -> int:
    return cluster.logs("worker").count("a step failed")


def kill_decoder_of(worker: int) -> None:
    """As the kernel does when memory is short; the worker itself stays."""
    for pid in children_of(worker):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_job_whose_decoder_is_killed_goes_on_by_itself(
    cluster: Cluster, api: VideoApi, clip: Path, undisturbed: dict[str, bytes]
) -> None:
    worker = cluster.processes["worker"]
    job = api.upload(clip, outputs=OUTPUTS)
    api.wait_for_frames(job, 100)
    before = failed_steps(cluster)

    def killed() -> bool:
        """A decoder that has just done its work is killed in vain."""
        kill_decoder_of(worker.pid)
        return failed_steps(cluster) > before

    wait_until(killed, "no step failed", seconds=120)
    assert api.wait(job)["status"] == "succeeded"
    assert results(api, job) == undisturbed
    assert worker.poll() is None


def test_a_job_whose_folder_is_away_for_a_moment_goes_on_by_itself(
    cluster: Cluster, api: VideoApi, clip: Path, undisturbed: dict[str, bytes]
) -> None:
    job = api.upload(clip, outputs=OUTPUTS)
    api.wait_for_frames(job, 100)
    before = failed_steps(cluster)
    folder = cluster.data_dir / "videos" / job["id"] / "segments"
    folder.rename(folder.with_name("away"))
    wait_until(lambda: failed_steps(cluster) > before, "no step failed", seconds=120)
    folder.with_name("away").rename(folder)
    assert api.wait(job)["status"] == "succeeded"
    assert results(api, job) == undisturbed


def test_a_fault_that_stays_ends_the_job_after_a_few_tries_and_says_that_it_need_not_be_the_video(
    cluster: Cluster, api: VideoApi, clip: Path
) -> None:
    job = api.upload(clip, outputs=OUTPUTS)
    api.wait_for_frames(job, 100)
    before = failed_steps(cluster)
    folder = cluster.data_dir / "videos" / job["id"] / "segments"
    folder.rename(folder.with_name("away"))
    ended = api.wait(job)
    assert ended["status"] == "failed"
    assert ended["error"]["code"] == "internal"
    assert "4 tries gave the same, which need not be the video's fault" in ended["error"]["detail"]
    assert str(cluster.data_dir) not in str(ended)
    assert failed_steps(cluster) == before + 3
    log = cluster.logs("worker")
    assert "Traceback" in log
    assert str(folder) in log


def test_a_job_that_fails_by_its_video_is_not_tried_again(cluster: Cluster, api: VideoApi, clip: Path) -> None:
    cluster.kill("worker")
    job = api.upload(clip, outputs=OUTPUTS)
    videos.text_as_video(cluster.data_dir / "videos" / job["id"] / "source")
    before = failed_steps(cluster)
    cluster.start_worker("worker")
    ended = api.wait(job)
    assert ended["status"] == "failed"
    assert ended["error"]["code"] == "undecodable_video"
    assert failed_steps(cluster) == before
