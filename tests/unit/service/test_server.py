"""A server in a process of its own, on a red model: its start, its refusals to start, its end."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.errors import PortTaken
from service.server import take_port
from tests.support.red import write_red_package
from tests.support.running import RED_PNG

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
PATIENCE_SECONDS = 180
"""A machine that is busy with a training run starts a server slowly."""


class Served:
    """`python -m service serve` with its own folders; killed at the end whatever happens."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        given = {
            "ENDOMASK_MODELS_DIR": str(folder / "models"),
            "ENDOMASK_DATA_DIR": str(folder / "data"),
            "ENDOMASK_DEFAULT_MODEL": "red",
            **environment,
        }
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", "--port", "0", *arguments],
            env={**os.environ, **given},
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def address(self) -> str:
        """The base address, once it is announced."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("API docs"), self.logged()
        return line.split()[-1].removesuffix("/docs")

    def logged(self) -> str:
        return Path(self.log.name).read_text()

    def children(self) -> list[int]:
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_red_package(tmp_path / "models")
    return tmp_path


@pytest.fixture
def started() -> Iterator[list[Served]]:
    opened: list[Served] = []
    yield opened
    for server in opened:
        server.close()


def serve(started: list[Served], folder: Path, *arguments: str, **environment: str) -> Served:
    server = Served(folder, *arguments, **environment)
    started.append(server)
    return server


def get(url: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
        return answer.status, answer.read()


def segment(address: str) -> bytes:
    asked = urllib.request.Request(
        f"{address}/v1/segment?mask=none", data=RED_PNG, headers={"Content-Type": "image/png"}, method="POST"
    )
    with urllib.request.urlopen(asked, timeout=PATIENCE_SECONDS) as answer:
        body: bytes = answer.read()
        return body


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_announces_itself_answers_and_ends_cleanly_on_a_signal(
    folder: Path, started: list[Served], number: signal.Signals
) -> None:
    server = serve(started, folder, "--workers", "0")
    address = server.address()
    assert get(f"{address}/readyz")[0] == 200
    assert b'"coverage":0.1' in segment(address)
    assert b"endomask_frames_total" in get(f"{address}/metrics")[1]
    server.process.send_signal(number)
    assert server.process.wait(PATIENCE_SECONDS) == 0
    assert "Traceback" not in server.logged()
    assert "path=/v1/segment status=200 code=ok" in server.logged()


def test_a_second_ctrl_c_ends_at_once(folder: Path, started: list[Served]) -> None:
    server = serve(started, folder, "--workers", "0")
    host, port = server.address().removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"POST /v1/segment HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\nx")
        started_at = time.monotonic()
        while "GET" not in slow_log(server, f"http://{host}:{port}"):
            assert time.monotonic() - started_at < PATIENCE_SECONDS
        server.process.send_signal(signal.SIGINT)
        wait_until_refused(host, int(port))
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PATIENCE_SECONDS) == 130


def slow_log(server: Served, address: str) -> str:
    """The log after another request: what was sent before it has reached the server too."""
    get(f"{address}/v1/models")
    return server.logged()


def wait_until_refused(host: str, port: int) -> None:
    """Return once nothing new is accepted, which is how draining begins."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port)).close()
        except ConnectionRefusedError:
            return
        threading.Event().wait(0.01)
    raise TimeoutError("the server still accepts connections")


def test_killing_the_server_takes_its_worker_along(folder: Path, started: list[Served]) -> None:
    server = serve(started, folder, "--workers", "1")
    server.address()
    (worker,) = server.children()
    server.process.kill()
    server.process.wait()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def refusal(folder: Path, *arguments: str, **environment: str) -> str:
    """What a server that must not start says; its exit code is 1."""
    server = Served(folder, *arguments, **environment)
    try:
        assert server.process.wait(PATIENCE_SECONDS) == 1
        return server.logged()
    finally:
        server.close()


def test_a_taken_port_is_one_sentence_before_any_model_is_loaded(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = refusal(folder, "--workers", "0", "--port", str(taken.getsockname()[1]))
    assert "can't listen on 127.0.0.1:" in said
    assert "ENDOMASK_PORT" in said
    assert len(said.splitlines()) == 1


def test_a_broken_package_is_one_sentence_and_leaves_no_worker(folder: Path) -> None:
    (folder / "models" / "red" / "1" / "model.onnx").write_bytes(b"damaged")
    said = refusal(folder, "--workers", "1")
    assert said.splitlines()[-1].startswith("endomask: red/1: model.onnx has checksum")
    assert "Traceback" not in said


def test_a_setting_out_of_range_is_named(folder: Path) -> None:
    said = refusal(folder, "--workers", "0", ENDOMASK_MAX_QUEUED_FRAMES="-3")
    assert "ENDOMASK_MAX_QUEUED_FRAMES" in said
    assert "Traceback" not in said


def test_a_free_port_is_taken_and_a_taken_one_refused() -> None:
    with take_port("127.0.0.1", 0) as first, pytest.raises(PortTaken, match="Address already in use"):
        take_port("127.0.0.1", first.getsockname()[1])
