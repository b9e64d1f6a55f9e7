"""Peers are asked only about models that they answer as the service does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.agreement import Reference
from benchmarks.bench import QUICK, Bench
from benchmarks.contenders import PeerServer
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.check import check
from benchmarks.peers.model import model_for_peers
from tests.support.red import write_red_package


def test_two_classes_of_a_stretched_frame_are_for_peers(tmp_path: Path) -> None:
    package = write_red_package(tmp_path)
    assert model_for_peers(package) == package.model_path("fp32")


@pytest.mark.parametrize(
    ("classes", "of_input", "threshold", "said"),
    [
        (3, {}, 0.5, "red/1 has 3 classes;"),
        (2, {"resize": "letterbox"}, 0.5, "red/1 has resize letterbox;"),
        (2, {"filters": ("equalise", "smooth")}, 0.5, "red/1 has filters equalise, smooth;"),
        (3, {"resize": "letterbox"}, 0.4, "red/1 has 3 classes, resize letterbox, threshold 0.4;"),
    ],
)
def test_a_model_that_they_would_answer_otherwise_is_refused(
    tmp_path: Path, classes: int, of_input: dict[str, Any], threshold: float, said: str
) -> None:
    package = write_red_package(tmp_path, classes=classes)
    wanted = package.manifest.input.model_copy(update=of_input)
    manifest = package.manifest.model_copy(update={"input": wanted, "threshold": threshold})
    with pytest.raises(ValueError, match=said):
        model_for_peers(replace(package, manifest=manifest))


def test_both_comparisons_refuse_it_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_red_package(tmp_path / "models", classes=3)
    monkeypatch.setenv("ENDOMASK_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("ENDOMASK_DEFAULT_MODEL", "red")
    peer = replace(PEERS[0], venvs=tmp_path / "venvs")
    with pytest.raises(ValueError, match="red/1 has 3 classes"):
        check([peer], tmp_path, lambda _: None)
    server = PeerServer(Bench(QUICK, tmp_path, say=lambda _: None), peer, Reference({}), [])
    with pytest.raises(ValueError, match="red/1 has 3 classes"):
        list(server.measure(0))
    assert not (tmp_path / "venvs").exists()
