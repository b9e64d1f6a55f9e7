"""Lanes of a backend run beside each other, and give what one run on all threads gives, bit for bit."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.backends import Precision
from service.backends.binding import BoundSession
from service.backends.onnxruntime import OnnxRuntimeBackend
from service.imaging.geometry import U8
from service.manifest.package import Package
from tests.support.gate import DEADLINE_SECONDS
from tests.support.red import red_frame, red_probabilities, write_red_package

SHIPPED = Path(__file__).parents[4] / "models" / "instruments"


@pytest.mark.parametrize("threads", [1, 2])
def test_runs_in_lanes_do_not_mix_their_answers(tmp_path: Path, kind: Any, threads: int) -> None:
    package = write_red_package(tmp_path)
    backend = kind(package, provider="cpu", precision="fp32", threads=threads, lanes=3)
    frames = [red_frame(64, 96, (index, index, 20, 20))[None] for index in range(24)]
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(backend.run, frames))
    assert (backend.lanes, backend.threads) == (3, threads)
    assert all((answer == red_probabilities(frame)).all() for answer, frame in zip(answers, frames, strict=True))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_frame_has_the_same_probabilities_in_a_lane_as_on_all_threads(kind: Any, precision: Precision) -> None:
    package = Package.read(max(SHIPPED.iterdir(), key=lambda folder: int(folder.name)))
    alone = kind(package, provider="cpu", precision=precision, threads=2)
    lanes = kind(package, provider="cpu", precision=precision, threads=1, lanes=2)
    frames = [frame[None] for frame in package.golden()[0]]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lanes.run, frames))
    assert (np.concatenate(found) == np.concatenate([alone.run(frame) for frame in frames])).all()


def test_lanes_of_onnxruntime_are_at_work_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both_inside = threading.Barrier(2, timeout=DEADLINE_SECONDS)
    ran = BoundSession.run

    def run(session: BoundSession, frames: U8) -> U8:
        both_inside.wait()
        return ran(session, frames)

    backend = OnnxRuntimeBackend(write_red_package(tmp_path), provider="cpu", precision="fp32", threads=1, lanes=2)
    monkeypatch.setattr(BoundSession, "run", run)
    frames = red_frame(64, 96)[None]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(backend.run, [frames, frames]))
    assert all((answer == red_probabilities(frames)).all() for answer in answers)
