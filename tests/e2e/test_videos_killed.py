"""kill -9 at random moments, again and again: the job goes on by itself and ends as if nothing had been.

ENDOMASK_TEST_KILLS sets how many, ENDOMASK_TEST_SEED repeats a run: the seed stands in the test's name.
"""

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import videos
from tests.support.cluster import Cluster
from tests.support.video_api import COMPARED, JOB_DEADLINE_S, OUTPUTS, VideoApi
from tests.support.waiting import wait_until

KILLS = int(os.environ.get("ENDOMASK_TEST_KILLS", "8"))
SEED = int(os.environ.get("ENDOMASK_TEST_SEED", str(random.randrange(10**6))))
FRAMES = 800

pytestmark = pytest.mark.timeout(300 + 60 * KILLS)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-two segments of a second."""
    return videos.write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=FRAMES, height=240, width=320)


def wait_for(api: VideoApi, job: dict[str, Any], frames: int) -> bool:
    """Wait until so many frames are done; False when the job has ended."""
    deadline = time.monotonic() + JOB_DEADLINE_S
    while (found := api.get(job))["status"] in {"queued", "running"}:
        if found["progress"]["frames_done"] >= frames:
            return True
        assert time.monotonic() < deadline, f"the job hangs: {found}"
        time.sleep(0.01)
    return False


def kill(cluster: Cluster, who: str) -> None:
    """The worker, the server (whose worker ends by itself when it notices), both at once, or all that they have
    started with them, decoders included."""
    workers = cluster.workers_of_servers()
    if who == "session":
        cluster.kill_session("server")
        return
    if who != "worker":
        cluster.kill("server")
    if who != "server":
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("seed", [SEED], ids="seed={}".format)
def test_a_job_whose_worker_and_server_are_killed_again_and_again_ends_as_if_nothing_had_been(
    clip: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    with Cluster(tmp_path) as cluster:
        api = VideoApi(cluster.start_server("server", workers=1))
        undisturbed = api.upload(clip, outputs=OUTPUTS)
        assert api.wait(undisturbed)["status"] == "succeeded"
        job = api.upload(clip, outputs=OUTPUTS)
        killed = []
        for number in range(KILLS):
            # Of each share of the frames one moment; the last one may fall into the putting together.
            moment = FRAMES * (number + chance.random()) / (KILLS - 1)
            if not wait_for(api, job, min(FRAMES, int(moment))):
                break
            time.sleep(chance.random() / 4)
            killed.append(chance.choice(("worker", "server", "both", "session")))
            kill(cluster, killed[-1])
            if killed[-1] != "worker":
                api.client.close()
                api = VideoApi(cluster.start_server("server", workers=1))
        assert len(killed) >= KILLS - 2, "the job was too fast to be disturbed"
        assert api.wait(job)["status"] == "succeeded"
        for made in (undisturbed, job):
            (tmp_path / made["id"]).mkdir()
        expected, found = (api.results(made, tmp_path / made["id"]) for made in (undisturbed, job))
        for name in (*COMPARED, "frames"):
            assert found[name] == expected[name], f"{name} differs after {killed}"
        assert api.frames_counted() == 2 * FRAMES
        left = cluster.data_dir / "videos" / job["id"] / "segments"  # dropped once the job has ended
        wait_until(lambda: not list(left.glob("*")), f"{left} still holds what the job is done with")
        api.client.close()
        assert cluster.stop("server") == 0
