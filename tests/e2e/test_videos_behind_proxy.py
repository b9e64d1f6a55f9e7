"""deploy/cluster.yml for real, in processes: nginx with the shipped configuration, two servers, three workers, a
database and an S3 server, with the environment that the file gives its containers.

Debian's nginx is older than the image's: names that Docker resolves are replaced by addresses, and nothing else is.
"""

import asyncio
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support import videos
from tests.support.cluster import Cluster
from tests.support.large_videos import padded_video
from tests.support.nginx import program, running_nginx
from tests.support.postgres import needs_postgres, running_postgres
from tests.support.s3 import BUCKET, running_s3
from tests.support.server import ROOT, free_port
from tests.support.video_api import VideoApi
from tests.support.waiting import until, wait_until

SERVERS = ("api-1", "api-2")
WORKERS = ("worker-1", "worker-2", "worker-3")
LARGE, CHUNK, KILL_AT, HOLD_AT = 40_000_000, 5_000_000, 12_000_000, 15_000_000
MOST_OF_A_CALLER = 3
MOST_UPLOADED = 50_000_000
FRAMES = 500
CLIENT_DEADLINE_S = 120
TUS_JS = ROOT / "tests/support/tus_js"
TUS_CLIENTS = {
    "tuspy": [sys.executable, str(ROOT / "tests/support/tus_py.py")],
    "js": ["node", str(TUS_JS / "upload.mjs")],
}

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(program() is None, reason="nginx is not installed (Debian: nginx-light)"),
    needs_postgres,
]


@dataclass(frozen=True, slots=True)
class Machines:
    cluster: Cluster
    ports: dict[str, int]
    proxy: VideoApi
    url: str

    def start(self, name: str) -> None:
        self.cluster.start_server(name, port=self.ports[name])

    @contextmanager
    def no_worker_moves(self) -> Iterator[None]:
        """Stopped as a debugger stops them: whatever is told meanwhile is told of a job that stands still."""
        workers = [self.cluster.processes[name].pid for name in WORKERS]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)

    def begun(self) -> dict[str, int]:
        """How many resumable uploads each server has begun."""
        return self._count("method=POST path=/v1/uploads ")

    def asked(self) -> dict[str, int]:
        """How often each server was asked for its models."""
        return self._count("method=GET path=/v1/models ")

    def _count(self, logged: str) -> dict[str, int]:
        return {name: self.cluster.logs(name).count(logged) for name in SERVERS}

    def uploads(self) -> set[str]:
        return {folder.name for folder in self.cluster.data_dir.glob("uploads/*")}

    def stored_bytes(self) -> int:
        """Of what is on its way, at whichever server: they share the folder."""
        paths = [*self.cluster.data_dir.glob("uploads/*/data"), *self.cluster.data_dir.glob("incoming/*")]
        return sum(path.stat().st_size for path in paths if path.is_file())


def environment(**of_this_place: str) -> dict[str, str]:
    """What deploy/cluster.yml gives servers and workers; `of_this_place` stands for cluster.env."""
    given = yaml.safe_load((ROOT / "deploy/cluster.yml").read_text())["services"]["api"]["environment"]

    def fill(found: "re.Match[str]") -> str:
        name, kind, text = found.groups()
        return of_this_place[name] if kind == "?" else of_this_place.get(name, text)

    return {name: re.sub(r"\$\{(\w+):([?-])([^}]*)\}", fill, str(value)) for name, value in given.items()}


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("machines")
    (folder / "nginx").mkdir()
    with running_postgres() as postgres, running_s3() as s3:
        settings = environment(
            ENDOMASK_DATABASE_URL=postgres.url,
            ENDOMASK_STORAGE_URL=f"s3://{BUCKET}/cluster",
            ENDOMASK_DEFAULT_MODEL="red",
            **s3.environment,
        )
        settings |= {"ENDOMASK_MIN_FREE_DISK_GIGABYTES": "0.1", "ENDOMASK_SENDER_IDLE_SECONDS": "15"}
        settings |= {"ENDOMASK_MAX_ACTIVE_VIDEOS_PER_CALLER": str(MOST_OF_A_CALLER)}
        ports = {name: free_port() for name in SERVERS}
        with Cluster(folder, ENDOMASK_MAX_UPLOAD_GIGABYTES=str(MOST_UPLOADED / 1e9), **settings) as cluster:
            for name in WORKERS:
                cluster.start_worker(name, ENDOMASK_DATA_DIR=str(folder / name))
            for name in SERVERS:
                cluster.start_server(name, port=ports[name])
            addresses = [f"127.0.0.1:{port}" for port in ports.values()]
            with running_nginx(folder / "nginx", addresses) as url, VideoApi(url) as proxy:
                yield Machines(cluster, ports, proxy, url)


@pytest.fixture
def both_servers(machines: Machines) -> None:
    """For those that kill one, as one before may have done. nginx leaves a server alone for some seconds that it has
    found dead, and would have none if the other were killed meanwhile."""
    for name in SERVERS:
        if name not in machines.cluster.processes:
            machines.start(name)
    before = machines.asked()

    def both_are_asked() -> bool:
        machines.proxy.client.get("/v1/models").raise_for_status()
        return all(count > before[name] for name, count in machines.asked().items())

    wait_until(both_are_asked, "nginx passes nothing on to one of the servers")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty segments of a second."""
    return videos.write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=FRAMES)


@pytest.mark.usefixtures("both_servers")
@pytest.mark.parametrize("client", TUS_CLIENTS)
async def test_an_upload_goes_on_at_the_other_server_when_its_own_is_killed(
    machines: Machines, tmp_path: Path, client: str
) -> None:
    if client == "js" and (not (TUS_JS / "node_modules/tus-js-client").exists() or shutil.which("node") is None):
        pytest.skip("needs node and `npm install --prefix tests/support/tus_js`")
    path = tmp_path / "op.mp4"
    sha256 = padded_video(path, LARGE)
    known, begun = machines.uploads(), machines.begun()
    command = [*TUS_CLIENTS[client], f"{machines.url}/v1/uploads", str(path), str(CHUNK), str(HOLD_AT)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as sender:  # noqa: ASYNC220
        try:
            await until(lambda: sender.poll() is not None or machines.stored_bytes() >= KILL_AT)
            assert sender.poll() is None, sender.communicate()
            (its_own,) = {name for name, count in machines.begun().items() if count > begun[name]}
            machines.cluster.kill(its_own)
            output, errors = sender.communicate(timeout=CLIENT_DEADLINE_S)
        finally:
            sender.kill()  # or leaving would wait for its tries to end
    assert sender.returncode == 0, output + errors
    (upload,) = machines.uploads() - known
    state = machines.proxy.client.get(f"/v1/uploads/{upload}").json()
    assert state["status"] == "accepted", state
    job = machines.proxy.client.get(state["links"]["video"]).json()
    assert job["input"]["sha256"] == sha256
    assert machines.proxy.wait(job)["status"] == "succeeded"


async def test_a_plain_upload_is_passed_on_while_it_comes(machines: Machines, tmp_path: Path) -> None:
    path = tmp_path / "op.mp4"
    sha256 = padded_video(path, LARGE)
    body = path.read_bytes()
    host, port = machines.url.removeprefix("http://").split(":")
    head = "\r\n".join(
        [
            "POST /v1/videos?outputs=frames HTTP/1.1",
            "Host: test",
            "Content-Type: video/mp4",
            f"Content-Length: {len(body)}",
        ]
    )
    with closing(socket.create_connection((host, int(port)), timeout=CLIENT_DEADLINE_S)) as connection:
        connection.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode())
        await asyncio.to_thread(connection.sendall, body[: len(body) // 2])
        await until(lambda: machines.stored_bytes() > len(body) // 4)
        await asyncio.to_thread(connection.sendall, body[len(body) // 2 :])
        answer = await asyncio.to_thread(lambda: b"".join(iter(lambda: connection.recv(65536), b"")))
    assert answer.startswith(b"HTTP/1.1 202"), answer
    job = json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])
    assert job["input"]["sha256"] == sha256


def test_a_body_that_is_too_large_is_told_so_by_the_server_and_not_by_nginx(machines: Machines) -> None:
    for content in (bytes(MOST_UPLOADED + 1), iter([bytes(1_000_000)] * 51)):
        answer = machines.proxy.client.post("/v1/videos", content=content, headers={"Content-Type": "video/mp4"})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_silent_sender_hears_from_the_server_why_it_is_left(machines: Machines) -> None:
    host, port = machines.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=CLIENT_DEADLINE_S)) as connection:
        head = "POST /v1/videos HTTP/1.1\r\nHost: test\r\nContent-Type: video/mp4\r\nContent-Length: 1000\r\n\r\nabc"
        connection.sendall(head.encode())
        answer = http.client.HTTPResponse(connection, method="POST")
        answer.begin()
        assert (answer.status, json.loads(answer.read())["code"]) == (408, "slow_sender")


@pytest.mark.usefixtures("both_servers")
def test_events_come_as_they_happen_and_a_killed_server_stops_neither_job_nor_callers(
    machines: Machines, clip: Path
) -> None:
    api = machines.proxy
    with machines.no_worker_moves():
        job = api.upload(clip, outputs="annotated,frames")
        with api.client.stream("GET", f"/v1/videos/{job['id']}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            told = next(line for line in stream.iter_lines() if line.startswith("data: "))
            assert json.loads(told[6:])["status"] == "queued"
    api.wait_for_frames(job, 1)
    machines.cluster.kill(SERVERS[0])
    for _ in range(20):
        assert api.client.get(f"/v1/videos/{job['id']}").status_code == 200
    with api.client.stream("GET", f"/v1/videos/{job['id']}/events") as stream:
        events = [line for line in stream.iter_lines() if line.startswith("event: ")]
    assert events[-1] == "event: end"
    assert api.get(job)["status"] == "succeeded"
    api.check_ranges(job)


def test_callers_are_told_apart_by_the_address_that_nginx_saw_whatever_they_say(machines: Machines, clip: Path) -> None:
    def post(address: str, **headers: str) -> httpx.Response:
        transport = httpx.HTTPTransport(local_address=address)
        with httpx.Client(transport=transport, base_url=machines.url, timeout=CLIENT_DEADLINE_S) as caller:
            return caller.post(
                "/v1/videos", content=clip.read_bytes(), headers={"Content-Type": "video/mp4", **headers}
            )

    with machines.no_worker_moves():
        answers = [post("127.0.0.2") for _ in range(MOST_OF_A_CALLER + 1)]
        assert [answer.status_code for answer in answers] == [202] * MOST_OF_A_CALLER + [429]
        assert post("127.0.0.2", **{"X-Forwarded-For": "127.0.0.9"}).status_code == 429
        answers.append(post("127.0.0.3"))
        assert answers[-1].status_code == 202
        for answer in answers:
            if answer.status_code == 202:
                assert machines.proxy.client.delete(answer.headers["Location"]).status_code == 204


@pytest.mark.parametrize("path", ["/v1/videos/%00", "/v1/videos/a%00/summary.json", "/v1/videos/compare?ids=a%00,b"])
def test_no_id_is_too_odd_for_the_database(machines: Machines, path: str) -> None:
    answer = httpx.get(f"http://127.0.0.1:{machines.ports[SERVERS[1]]}{path}", timeout=CLIENT_DEADLINE_S)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_video")


def test_what_is_for_prometheus_alone_is_not_told_outside(machines: Machines) -> None:
    assert machines.proxy.client.get("/metrics").status_code == 404
    assert machines.proxy.client.get("/livez").status_code == 200
