"""Servers and workers on one PostgreSQL and one folder, each in a process of its own, as on several machines."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from service.video.jobs.heartbeat import CHECK_SECONDS, LEASE_SECONDS
from tests.support import videos
from tests.support.cluster import Cluster
from tests.support.postgres import Postgres, needs_postgres, running_postgres
from tests.support.video_api import COMPARED, OUTPUTS, VideoApi
from tests.support.waiting import DEADLINE_SECONDS, wait_until

WORKERS = ("worker-a", "worker-b", "worker-c")
SHORT_FRAMES, LONG_FRAMES = 60, 750
SHORT_STEPS = ("index", "segment-0", "segment-1", "finish")
"""Of a short clip's job."""

pytestmark = [pytest.mark.timeout(900), needs_postgres]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture(scope="module")
def cluster(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), postgres.url, ENDOMASK_LOG_LEVEL="debug") as running:
        yield running


@pytest.fixture(scope="module")
def apis(cluster: Cluster) -> Iterator[tuple[VideoApi, VideoApi]]:
    """Two servers, and all workers running."""
    for name in WORKERS:
        cluster.start_worker(name)
    cluster.await_workers(*WORKERS)
    with VideoApi(cluster.start_server("server-a")) as first, VideoApi(cluster.start_server("server-b")) as second:
        yield first, second


@pytest.fixture(autouse=True)
def all_workers(cluster: Cluster, apis: tuple[VideoApi, VideoApi]) -> None:
    """A test may have ended some."""
    for name in WORKERS:
        if name not in cluster.processes:
            cluster.start_worker(name)
    cluster.await_workers(*WORKERS)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute at 25 frames a second."""
    return videos.write_video(tmp_path_factory.mktemp("long") / "long.mp4", frames=LONG_FRAMES)


@pytest.fixture(scope="module")
def undisturbed(apis: tuple[VideoApi, VideoApi], long_clip: Path, tmp_path_factory: Any) -> dict[str, Any]:
    """What the long clip gives when nothing happens to its job."""
    job = apis[0].upload(long_clip, outputs=OUTPUTS)
    assert apis[1].wait(job)["status"] == "succeeded"
    return {**apis[1].results(job, tmp_path_factory.mktemp("undisturbed")), "job": job["id"]}


def workers_at(postgres: Postgres, job: dict[str, Any]) -> list[tuple[str, str]]:
    """Process id of the worker and workflow id of each task of a job that somebody is at."""
    rows = postgres.ask(
        "SELECT executor_id, workflow_uuid FROM dbos.workflow_status "
        f"WHERE status = 'PENDING' AND workflow_uuid LIKE '{job['id']}%'"
    )
    return [(row.split("|")[0].split(":")[1], row.split("|")[1]) for row in rows]


def name_of(cluster: Cluster, pid: str) -> str:
    return next(name for name, process in cluster.processes.items() if str(process.pid) == pid)


def steps_begun(cluster: Cluster, worker: str) -> list[str]:
    """`<job id>: <step>` as often as the worker's log tells it. The database alone would not tell of a step that was
    done twice: frames are counted once, and work that is queued again looks like new."""
    return re.findall(r" video (\S+: \S+) is begun$", cluster.logs(worker), re.MULTILINE)


def test_twenty_jobs_from_two_servers_run_once_each_on_three_workers(
    cluster: Cluster, apis: tuple[VideoApi, VideoApi], postgres: Postgres, tmp_path: Path
) -> None:
    before = apis[0].frames_counted()
    clip = videos.write_video(tmp_path / "short.mp4", frames=SHORT_FRAMES)
    jobs = [api.upload(clip, outputs="frames,masks") for _, api in zip(range(20), cycle(apis), strict=False)]
    most_at_once = 0
    while apis[1].client.get("/v1/videos?status=queued").json()["total"]:
        most_at_once = max(most_at_once, apis[0].client.get("/v1/videos?status=running").json()["total"])
        time.sleep(0.05)
    ended = [apis[0].wait(job) for job in jobs]
    assert [job["status"] for job in ended] == ["succeeded"] * 20
    assert most_at_once <= Settings.model_fields["max_running_videos"].default
    assert apis[1].frames_counted() - before == 20 * SHORT_FRAMES
    steps = {f"{job['id']}: {step}" for job in jobs for step in SHORT_STEPS}
    begun = {name: [line for line in steps_begun(cluster, name) if line in steps] for name in WORKERS}
    times = Counter(step for steps_of_one in begun.values() for step in steps_of_one)
    assert times == dict.fromkeys(steps, 1), "a step was begun more than once, or by nobody"
    assert all(begun.values()), f"not every worker had work: {begun}"
    for job in ended[1:]:
        assert apis[0].file(job, "frames.csv") == apis[1].file(ended[0], "frames.csv")


def test_the_segments_of_one_video_are_spread_over_the_workers(
    apis: tuple[VideoApi, VideoApi], postgres: Postgres, long_clip: Path, undisturbed: dict[str, Any]
) -> None:
    rows = postgres.ask(
        "SELECT split_part(executor_id, ':', 2), count(*) FROM dbos.workflow_status WHERE name = 'process_window' "
        f"AND workflow_uuid LIKE '{undisturbed['job']}/%' GROUP BY 1"
    )
    assert len(rows) == len(WORKERS), rows


def test_the_work_of_a_worker_that_is_killed_for_good_is_taken_over_once_its_lease_has_run_out(
    cluster: Cluster,
    apis: tuple[VideoApi, VideoApi],
    postgres: Postgres,
    long_clip: Path,
    undisturbed: dict[str, Any],
    tmp_path: Path,
) -> None:
    job = apis[0].upload(long_clip, outputs=OUTPUTS)
    apis[0].wait_for_frames(job, 100)
    killed = name_of(cluster, next(pid for pid, task in workers_at(postgres, job) if task == job["id"]))
    pid = str(cluster.processes[killed].pid)
    cluster.kill(killed)
    patience_s = LEASE_SECONDS + 2 * CHECK_SECONDS + DEADLINE_SECONDS
    wait_until(lambda: pid not in {at for at, _ in workers_at(postgres, job)}, "nobody takes over", patience_s)
    assert apis[1].wait(job)["status"] == "succeeded"
    same(apis[1].results(job, tmp_path), undisturbed)


def same(found: dict[str, Any], undisturbed: dict[str, Any]) -> None:
    for name in (*COMPARED, "frames"):
        assert found[name] == undisturbed[name], name


@pytest.mark.parametrize("away_s", [0, LEASE_SECONDS + 2 * CHECK_SECONDS], ids=["restarted", "longer than a lease"])
def test_a_database_that_is_away_in_the_middle_of_jobs_is_survived(
    cluster: Cluster,
    apis: tuple[VideoApi, VideoApi],
    postgres: Postgres,
    long_clip: Path,
    undisturbed: dict[str, Any],
    tmp_path: Path,
    away_s: float,
) -> None:
    running = {name: process.pid for name, process in cluster.processes.items()}
    before = apis[0].frames_counted()
    job = apis[0].upload(long_clip, outputs=OUTPUTS)
    apis[0].wait_for_frames(job, 100)
    postgres.stop("immediate")
    back_at = time.monotonic() + away_s
    answer = apis[0].client.get(f"/v1/videos/{job['id']}")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.headers["Retry-After"]
    wait_until(lambda: time.monotonic() >= back_at, "the clock stands")
    assert apis[1].client.get("/livez").status_code == 200
    postgres.start()
    wait_until(
        lambda: apis[0].client.get(f"/v1/videos/{job['id']}").status_code == 200, "the server does not come back"
    )
    assert apis[1].wait(job)["status"] == "succeeded"
    same(apis[1].results(job, tmp_path), undisturbed)
    assert apis[0].frames_counted() - before == LONG_FRAMES
    assert {name: process.pid for name, process in cluster.processes.items() if process.poll() is None} == running


def test_a_database_that_hangs_for_longer_than_a_lease_is_said_and_survived(
    cluster: Cluster,
    apis: tuple[VideoApi, VideoApi],
    postgres: Postgres,
    long_clip: Path,
    undisturbed: dict[str, Any],
    tmp_path: Path,
) -> None:
    """Its connections stay, and the kernel acknowledges what is sent: nothing but the clock tells."""
    running = {name: process.pid for name, process in cluster.processes.items()}
    before = apis[0].frames_counted()
    job = apis[0].upload(long_clip, outputs=OUTPUTS)
    apis[0].wait_for_frames(job, 100)
    with ThreadPoolExecutor(40) as pool:
        postgres.hang()
        try:
            began_at = time.monotonic()
            answers = list(pool.map(lambda n: apis[n % 2].client.get(f"/v1/videos/{job['id']}"), range(40)))
            wait_until(lambda: time.monotonic() > began_at + LEASE_SECONDS + CHECK_SECONDS, "the clock stands")
            assert apis[1].client.get("/livez").status_code == 200
        finally:
            postgres.wake()
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "not_ready")}
    assert {answer.json()["detail"].partition(";")[2] for answer in answers} == {" try again in a moment"}
    wait_until(
        lambda: apis[0].client.get(f"/v1/videos/{job['id']}").status_code == 200, "the server does not come back"
    )
    assert apis[1].wait(job)["status"] == "succeeded"
    same(apis[1].results(job, tmp_path), undisturbed)
    assert apis[0].frames_counted() - before == LONG_FRAMES
    assert {name: process.pid for name, process in cluster.processes.items() if process.poll() is None} == running


def test_a_job_on_other_workers_stops_when_cancelled(
    cluster: Cluster, apis: tuple[VideoApi, VideoApi], postgres: Postgres, long_clip: Path
) -> None:
    job = apis[0].upload(long_clip, outputs=OUTPUTS)
    apis[0].wait_for_frames(job, 100)
    assert apis[1].client.post(f"/v1/videos/{job['id']}/cancel").status_code == 200
    ended = apis[0].wait(job)
    assert ended["status"] == "cancelled"
    assert ended["progress"]["frames_done"] < LONG_FRAMES
    wait_until(lambda: not workers_at(postgres, job), "a worker is still at it")
    assert not (cluster.data_dir / "videos" / job["id"] / "segments").exists()


def test_a_worker_that_is_stopped_in_order_gives_its_work_back_at_once(
    cluster: Cluster, apis: tuple[VideoApi, VideoApi], postgres: Postgres, long_clip: Path
) -> None:
    job = apis[0].upload(long_clip, outputs=OUTPUTS)
    apis[0].wait_for_frames(job, 100)
    stopped = name_of(cluster, next(pid for pid, task in workers_at(postgres, job) if task == job["id"]))
    pid = str(cluster.processes[stopped].pid)
    assert cluster.stop(stopped) == 0
    assert pid not in {at for at, _ in workers_at(postgres, job)}
    assert apis[1].wait(job)["status"] == "succeeded"


def test_a_short_video_is_not_held_up_by_a_long_one(apis: tuple[VideoApi, VideoApi], tmp_path: Path) -> None:
    long = apis[0].upload(videos.write_video(tmp_path / "long.mp4", frames=4 * LONG_FRAMES), outputs=OUTPUTS)
    apis[0].wait_for_frames(long, 50)
    short = apis[1].upload(videos.write_video(tmp_path / "short.mp4"), outputs="frames")
    assert apis[1].wait(short)["status"] == "succeeded"
    assert apis[0].get(long)["status"] == "running"
    assert apis[0].client.delete(f"/v1/videos/{long['id']}").status_code == 204
