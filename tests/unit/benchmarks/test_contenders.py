"""A peer is measured in every layout of the cores, then in those that may win."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.agreement import Reference
from benchmarks.bench import QUICK, Bench
from benchmarks.contenders import PeerServer
from benchmarks.peers.catalogue import Peer
from benchmarks.peers.layouts import Layout
from benchmarks.throughput import Measurement
from service.imaging.masks import encode_png

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SERVER = """
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
if os.environ["PEER_WORKERS"] == "3":
    raise SystemExit("three are too many")
PAUSE_SECONDS = 0.0 if os.environ["PEER_THREADS"] == "2" else 1.0
class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(PAUSE_SECONDS)
        body = Path("mask.png").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PEER_PORT"])), Answer).serve_forever()
"""


def made_server(folder: Path, layouts: list[Layout]) -> tuple[PeerServer, Reference]:
    """Slow with one thread on any machine, fast with two; it does not start with three workers."""
    venv = folder / "fastapi"
    program = venv / "bin/serve"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\n{SERVER}")
    program.chmod(0o755)
    labels = np.zeros((480, 854), np.uint8)
    labels[100:200, 300:400] = 1
    (venv / "home").mkdir()
    (venv / "home/mask.png").write_bytes(encode_png(labels, [(0, 0, 0), (255, 0, 0)]))
    peer = Peer("fastapi", "Made", "fastapi", ("serve",), venvs=folder)
    (venv / "requirements.sha256").write_text(hashlib.sha256(peer.requirements.read_bytes()).hexdigest())
    reference = Reference({"854x480": labels})
    server = PeerServer(Bench(QUICK, folder / "work", say=lambda _: None), peer, reference, layouts)
    return server, reference


def cases(measured: list[Measurement]) -> list[tuple[str, int]]:
    return [(entry.layout, entry.case.clients) for entry in measured]


def test_a_layout_that_is_far_behind_in_one_round_is_left_out_of_the_next(tmp_path: Path) -> None:
    server, reference = made_server(tmp_path, [Layout(2, 1), Layout(1, 2)])
    assert cases(list(server.measure(0))) == [("2 x 1", 1), ("2 x 1", 16), ("1 x 2", 1), ("1 x 2", 16)]
    assert cases(list(server.measure(1))) == [("1 x 2", 1), ("1 x 2", 16)]
    assert reference.dice == {"fastapi": 1.0}


def test_a_layout_that_does_not_start_is_told_after_the_others_have_been_measured(tmp_path: Path) -> None:
    server, _ = made_server(tmp_path, [Layout(3, 1), Layout(1, 2)])
    measured: list[Measurement] = []
    with pytest.raises(RuntimeError, match=r"(?s)3 x 1: it ended with 1.*three are too many"):
        measured.extend(server.measure(0))
    assert cases(measured) == [("1 x 2", 1), ("1 x 2", 16)]
