"""Starting, waiting for and ending a peer; judging its mask."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.catalogue import PEERS, Peer
from benchmarks.peers.check import compare
from benchmarks.peers.layouts import Layout
from benchmarks.peers.running import running
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import members

SERVER = """
import os, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
class Answer(BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Answer.asked += 1
        self.send_response(200 if Answer.asked > 2 else 503)
        self.end_headers()
HTTPServer(("127.0.0.1", int(os.environ["PEER_PORT"])), Answer).serve_forever()
"""
REQUEST = HttpRequest("GET", "/", {}, b"")
LAYOUT = Layout(2, 1)


def made_peer(folder: Path, code: str) -> Peer:
    """A peer whose program is `code`, installed in `folder`."""
    program = folder / "made/bin/serve"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\n{code}")
    program.chmod(0o755)
    return Peer("made", "Made", "made", ("serve",), venvs=folder)


def test_a_peer_is_waited_for_and_leaves_no_process_behind(tmp_path: Path) -> None:
    peer = made_peer(tmp_path, SERVER)
    with running(peer, tmp_path / "model.onnx", REQUEST, tmp_path / "logs", LAYOUT) as server:
        assert len(members(server.family)) == 2
    assert members(server.family) == []


def test_a_peer_that_ends_early_is_told_with_its_last_words(tmp_path: Path) -> None:
    peer = made_peer(tmp_path, "raise SystemExit('the port is taken')")
    with (
        pytest.raises(RuntimeError, match=r"(?s)ended with 1.*the port is taken"),
        running(peer, tmp_path / "model.onnx", REQUEST, tmp_path / "logs", LAYOUT),
    ):
        pass


def test_masks_are_judged_by_their_size_and_by_their_pixels() -> None:
    mask = np.zeros((100, 100), np.uint8)
    nearly, too_far = mask.copy(), mask.copy()
    nearly[0, :9], too_far[0, :11] = 1, 1
    assert compare(PEERS[0], nearly, mask, 1.0).problem == ""
    assert compare(PEERS[0], too_far, mask, 1.0).problem == "less than 99.9% of the pixels are the service's"
    assert compare(PEERS[0], mask[:, :50], mask, 1.0).problem == "the mask is (50, 100), the frame (100, 100)"
