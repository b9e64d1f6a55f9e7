"""The catalogue holds what it says, and what it starts is told what it needs."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.peers.catalogue import PEERS, Peer
from benchmarks.peers.layouts import Layout, layouts

SHARED = ("numpy", "onnxruntime", "opencv-python-headless")
by_name = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)


def pins(peer: Peer) -> dict[str, str]:
    lines = peer.requirements.read_text().splitlines()
    matches = [re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line) for line in lines]
    assert all(matches), "a line is no plain pin"
    return {match[1]: match[2] for match in matches if match}


@by_name
def test_every_requirement_is_pinned_and_names_no_registry(peer: Peer) -> None:
    assert set(SHARED) <= set(pins(peer))
    assert peer.version == pins(peer)[peer.distribution]


def test_all_peers_run_the_same_onnxruntime() -> None:
    assert len({pins(peer)["onnxruntime"] for peer in PEERS}) == 1


def test_mlserver_and_triton_keep_below_the_releases_that_break_them() -> None:
    found = {peer.name: pins(peer) for peer in PEERS}
    assert found["mlserver"]["uvloop"].startswith("0.21.")
    assert found["triton"]["numpy"].startswith("1.")


@pytest.fixture
def venvs(tmp_path: Path) -> Path:
    """Environments whose every program writes its arguments and environment as JSON."""
    said = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    for peer in PEERS:
        program = tmp_path / peer.name / "bin" / peer.program[0]
        program.parent.mkdir(parents=True)
        program.write_text(f"#!{sys.executable}\n{said}\n")
        program.chmod(0o755)
    return tmp_path


@by_name
def test_a_peer_is_told_its_port_its_file_and_the_cores(peer: Peer, venvs: Path, tmp_path: Path) -> None:
    arguments, environment = started(peer, venvs, tmp_path)
    given = [*arguments, *(value for name, value in environment.items() if name.startswith(peer.name.upper()))]
    assert environment["PEER_MODEL"] == str(tmp_path / "model.onnx")
    assert environment["PEER_PORT"] == "8765"
    assert int(environment["PEER_WORKERS"]) * int(environment["PEER_THREADS"]) == 2
    assert environment["HOME"].startswith(str(venvs))
    assert not any("{" in value for value in given)


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (1, ["1 x 1"]),
        (2, ["2 x 1", "1 x 2", "1 x 2, no spinning"]),
        (8, ["8 x 1", "4 x 2", "1 x 8", "4 x 2, no spinning", "1 x 8, no spinning"]),
    ],
)
def test_layouts_use_all_cores_in_each_way(cores: int, expected: list[str]) -> None:
    assert [layout.name for layout in layouts(cores)] == expected
    assert {layout.workers * layout.threads for layout in layouts(cores)} == {cores}


def test_a_peer_is_told_its_layout(venvs: Path, tmp_path: Path) -> None:
    environment = started(PEERS[0], venvs, tmp_path, Layout(3, 2, spinning=False))[1]
    names = ("PEER_WORKERS", "PEER_THREADS", "PEER_SPINNING")
    assert [environment[name] for name in names] == ["3", "2", "0"]


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [("bentoml", "BENTOML_DO_NOT_TRACK", "True"), ("ray_serve", "RAY_USAGE_STATS_ENABLED", "0")],
)
def test_nothing_is_reported_to_a_frameworks_makers(
    name: str, variable: str, value: str, venvs: Path, tmp_path: Path
) -> None:
    (peer,) = (peer for peer in PEERS if peer.name == name)
    assert started(peer, venvs, tmp_path)[1][variable] == value


def started(peer: Peer, venvs: Path, folder: Path, layout: Layout | None = None) -> tuple[list[str], dict[str, str]]:
    process = replace(peer, venvs=venvs).start(8765, folder / "model.onnx", folder / "log", layout or Layout(2, 1))
    assert process.wait(120) == 0
    arguments, environment = json.loads((folder / "log").read_text())
    return arguments, environment
