"""Real tus clients against a server that is killed in the middle: they go on where it stopped."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.cluster import Cluster
from tests.support.large_videos import padded_video
from tests.support.server import ROOT, free_port
from tests.support.waiting import wait_until

CLIENT = ROOT / "tests/support/tus_js"
PADDING = 64_000_000
CHUNK = 8_000_000
KILL_AT = 20_000_000
HOLD_AT = 3 * CHUNK
"""Here the client waits until the server has been killed."""
DEADLINE_S = 120
TUS = {"Tus-Resumable": "1.0.0"}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

needs_tus_js = pytest.mark.skipif(
    not (CLIENT / "node_modules/tus-js-client").exists() or shutil.which("node") is None,
    reason="needs node and `npm install --prefix tests/support/tus_js`",
)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A video of 64 MB and its sha256."""
    path = tmp_path_factory.mktemp("large") / "op.mp4"
    return path, padded_video(path, PADDING)


class Server:
    """One that comes back at the same address after it was killed."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._cluster = Cluster(folder, **settings)
        self._port = free_port()
        self.data_dir = self._cluster.data_dir
        self.start()

    def start(self) -> None:
        self.url = self._cluster.start_server("server", port=self._port)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=DEADLINE_S)

    def kill(self) -> None:
        self._cluster.kill("server")

    def close(self) -> None:
        self._cluster.__exit__(None, None, None)


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """The parameter is how many seconds a sender may be silent; for good where a test says nothing."""
    idle_seconds = getattr(request, "param", "3600")
    started = Server(tmp_path, ENDOMASK_MIN_FREE_DISK_GIGABYTES="0.1", ENDOMASK_SENDER_IDLE_SECONDS=idle_seconds)
    try:
        yield started
    finally:
        started.close()


def stored_bytes(server: Server) -> int:
    """Of the one upload."""
    return sum(path.stat().st_size for path in server.data_dir.glob("uploads/*/data"))


def start_client(program: list[str], server: Server, path: Path) -> "subprocess.Popen[str]":
    """One of the clients in tests/support, which goes on beyond HOLD_AT once `communicate` has closed its input."""
    command = [*program, f"{server.url}/v1/uploads", str(path), str(CHUNK), str(HOLD_AT)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def wait_until_stored(server: Server, wanted: int, client: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + DEADLINE_S
    while stored_bytes(server) < wanted:
        assert client.poll() is None, client.communicate()
        assert time.monotonic() < deadline, "the client sends nothing"
        time.sleep(0.001)


def job_of(server: Server, client: "subprocess.Popen[str]", upload: str) -> dict[str, object]:
    """The job that the upload has become, once the client has ended well."""
    output, errors = client.communicate(timeout=DEADLINE_S)
    assert client.returncode == 0, output + errors
    with server.client() as asking:
        state = asking.get(f"/v1/uploads/{upload}").raise_for_status().json()
        assert state["status"] == "accepted", state
        found: dict[str, object] = asking.get(state["links"]["video"]).raise_for_status().json()
    return {**found, "output": output}


def the_upload(server: Server) -> str:
    (folder,) = (server.data_dir / "uploads").iterdir()
    return folder.name


@needs_tus_js
def test_tus_js_client_goes_on_at_the_very_byte_where_the_server_was_killed(
    server: Server, large: tuple[Path, str]
) -> None:
    path, sha256 = large
    client = start_client(["node", str(CLIENT / "upload.mjs")], server, path)
    wait_until_stored(server, KILL_AT, client)
    server.kill()
    stopped_at = stored_bytes(server)
    assert KILL_AT <= stopped_at < path.stat().st_size
    server.start()
    job = job_of(server, client, the_upload(server))
    assert f"PATCH {stopped_at}\n" in str(job["output"])
    assert f"job {job['links']['self']}\n" in str(job["output"])  # type: ignore[index]
    assert job["input"]["sha256"] == sha256  # type: ignore[index]
    assert job["input"]["name"] == "op 3.mp4"  # type: ignore[index]


def test_tuspy_goes_on_after_the_last_part_whose_checksum_held(server: Server, large: tuple[Path, str]) -> None:
    path, sha256 = large
    client = start_client([sys.executable, str(ROOT / "tests/support/tus_py.py")], server, path)
    wait_until_stored(server, KILL_AT, client)
    server.kill()
    upload = the_upload(server)
    server.start()
    job = job_of(server, client, upload)
    assert job["input"]["sha256"] == sha256  # type: ignore[index]
    assert job["parameters"]["outputs"] == ["frames"]  # type: ignore[index]


def begin(server: Server, length: int) -> str:
    """Path of a new upload."""
    with server.client() as client:
        answer = client.post("/v1/uploads", headers={**TUS, "Upload-Length": str(length)})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def connect(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=DEADLINE_S)


def start_part(connection: socket.socket, path: str, offset: int, announced: int, body: bytes) -> None:
    """Send the head of a PATCH and less than it announces."""
    head = [f"PATCH {path} HTTP/1.1", "Host: test", "Tus-Resumable: 1.0.0", f"Upload-Offset: {offset}"]
    head += ["Content-Type: application/offset+octet-stream", f"Content-Length: {announced}", "", ""]
    connection.sendall("\r\n".join(head).encode() + body)


def read_answer(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Status and problem; the connection must be closed after it where the caller asks for its end."""
    received = b""
    while b"\r\n\r\n" not in received or b"}" not in received:
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1.1 (\d+)", head)
    assert found, received
    return int(found[1]), json.loads(body)


def offset_of(server: Server, path: str) -> int:
    with server.client() as client:
        return int(client.head(path, headers=TUS).raise_for_status().headers["Upload-Offset"])


@pytest.mark.parametrize("server", ["5"], indirect=True, ids="silent for {} s".format)
def test_a_silent_sender_is_answered_408_and_what_it_sent_is_kept(server: Server) -> None:
    path = begin(server, 1000)
    with connect(server) as silent:
        start_part(silent, path, 0, 1000, b"x" * 300)
        status, problem = read_answer(silent)
        assert (status, problem["code"]) == (408, "slow_sender")
        assert "ENDOMASK_SENDER_IDLE_SECONDS" in str(problem["detail"])
        assert silent.recv(1) == b"", "the connection is closed"
    assert offset_of(server, path) == 300


def test_a_client_that_is_back_takes_its_upload_from_its_dead_connection(server: Server) -> None:
    written = 1 << 20  # what the server writes at once
    path = begin(server, 2 * written)
    with connect(server) as dead, server.client() as back:
        start_part(dead, path, 0, 2 * written, b"x" * written)
        wait_until(lambda: stored_bytes(server) == written, "the part does not arrive")
        assert back.patch(path, content=b"y", headers=part(0)).status_code == 423
        assert offset_of(server, path) == written
        answer = back.patch(path, content=b"y" * 100, headers=part(written))
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(written + 100))
        status, problem = read_answer(dead)
        assert (status, problem["code"]) == (423, "upload_busy")


def part(offset: int) -> dict[str, str]:
    return {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
