"""What every peer does with a frame, against what the service does with it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.machine import ROOT
from benchmarks.peers.check import LEAST_AGREEMENT
from benchmarks.peers.segmenting import U8, Options, Segmenter, decode, restore
from benchmarks.peers.wire import read_png
from service.backends.onnxruntime import OnnxRuntimeBackend
from service.cli.segment import newest_package
from service.imaging import geometry
from service.settings import Settings

PACKAGE = newest_package(Settings(), None)
FRAME = ROOT / "examples/frame.jpg"


def test_a_peer_answers_the_mask_that_the_service_makes_of_the_same_frame() -> None:
    labels = read_png(Segmenter(Options(str(PACKAGE.model_path("fp32")), 0, 1, 1, True)).segment(FRAME.read_bytes()))
    expected = labels_of_service(FRAME)
    assert labels.shape == (480, 854)
    assert 0.01 < labels.mean() < 0.5
    assert np.mean(labels == expected) > LEAST_AGREEMENT


def labels_of_service(path: Path) -> U8:
    spec, threshold = PACKAGE.manifest.input.spec(), PACKAGE.manifest.threshold
    rgb = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), np.uint8)
    backend = OnnxRuntimeBackend(PACKAGE, provider="cpu", precision="fp32", threads=1)
    probabilities = backend.run(geometry.prepare(rgb, spec)[None])[0]
    return geometry.decide(geometry.restore(probabilities, spec, rgb.shape[0], rgb.shape[1]), threshold)


def test_the_mask_is_decided_after_it_was_interpolated() -> None:
    probabilities = np.array([[[0, 255]]], np.uint8)
    assert restore(probabilities, 1, 8)[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_body_that_is_no_image_is_told_by_its_size() -> None:
    with pytest.raises(ValueError, match="these 9 bytes are no image"):
        decode(b"not a jpg")


def test_options_come_from_the_environment_and_none_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "PEER_MODEL": "m.onnx",
        "PEER_PORT": "8000",
        "PEER_WORKERS": "2",
        "PEER_THREADS": "1",
        "PEER_SPINNING": "0",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Options.from_environment() == Options("m.onnx", 8000, 2, 1, False)
    monkeypatch.delenv("PEER_WORKERS")
    with pytest.raises(KeyError, match="PEER_WORKERS"):
        Options.from_environment()
