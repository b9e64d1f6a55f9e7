"""Which backend a package is opened on, and what is said of it."""

import logging
from pathlib import Path

import numpy as np
import pytest

from service.backends.choice import Choice
from service.backends.golden import check_golden
from service.backends.providers import cuda_device_count
from service.errors import PackageError, ProviderUnavailable
from service.imaging.geometry import U8
from service.loading import load_model, open_best
from tests.support.red import FakeBackend, write_red_package
from tests.support.running import red_settings

WITHOUT_GPU = pytest.mark.skipif(cuda_device_count() > 0, reason="a GPU is here")


@WITHOUT_GPU
def test_auto_takes_the_cpu_aloud_when_the_gpu_can_not_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    package = write_red_package(tmp_path)
    settings = red_settings(tmp_path, provider="auto", backend="onnxruntime")
    with caplog.at_level(logging.WARNING):
        choice = open_best(package, settings, find_provider=lambda _: "cuda")
    assert choice.backend.provider == "cpu"
    assert "red/1 runs on the CPU although a GPU is here: provider cuda" in caplog.text


@WITHOUT_GPU
def test_a_provider_named_and_not_there_stops_the_load(tmp_path: Path) -> None:
    package = write_red_package(tmp_path)
    with pytest.raises(ProviderUnavailable, match="provider cuda was asked for and is not there"):
        open_best(package, red_settings(tmp_path, provider="cuda"))


def test_a_precision_named_and_not_in_the_package_stops_the_load(tmp_path: Path) -> None:
    package = write_red_package(tmp_path)
    with pytest.raises(PackageError, match=r"red/1 has no int8 file; it has fp32 \(ENDOMASK_PRECISION\)"):
        open_best(package, red_settings(tmp_path, provider="cpu", precision="int8"))


def test_openvino_named_is_taken_to_the_cpu_and_to_no_gpu(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    package = write_red_package(tmp_path)
    asked = red_settings(tmp_path, backend="openvino", precision="fp32", threads=1)
    choice = open_best(package, asked, find_provider=lambda provider: "cuda" if provider == "auto" else provider)
    assert (choice.backend.name, choice.backend.provider) == ("openvino", "cpu")
    with pytest.raises(ProviderUnavailable, match="backend openvino runs on the CPU here, not on cuda"):
        open_best(package, red_settings(tmp_path, backend="openvino", provider="cuda"))


class Sized(FakeBackend):
    """Notes the sizes of its batches; `wrong` ones get the masks of nothing."""

    def __init__(self, lanes: int = 1, wrong: int | None = None) -> None:
        super().__init__(max_batch=4)
        self.lanes = lanes
        self._wrong = wrong

    def run(self, frames: U8) -> U8:
        planes = super().run(frames)
        return np.zeros_like(planes) if len(frames) == self._wrong else planes


@pytest.mark.parametrize("lanes", [1, 2])
def test_every_batch_size_runs_on_every_gpu_often_enough_to_capture_its_graph(tmp_path: Path, lanes: int) -> None:
    backend = Sized(lanes)
    loaded = load_model(write_red_package(tmp_path), red_settings(tmp_path), lambda *_: Choice(backend))
    assert sorted(loaded.run_seconds) == [1, 2, 4]
    assert min(loaded.run_seconds.values()) > 0
    assert all(backend.batch_sizes.count(size) >= 3 * lanes for size in (2, 4))


@pytest.mark.parametrize("wrong", [2, 4])
def test_a_batch_size_that_gives_other_masks_stops_the_load(tmp_path: Path, wrong: int) -> None:
    package = write_red_package(tmp_path)
    with pytest.raises(PackageError, match=rf"red/1 on fake cpu fp32 in batches of {wrong}: .* change class"):
        load_model(package, red_settings(tmp_path), lambda *_: Choice(Sized(wrong=wrong)))


def test_golden_frames_that_were_asked_for_the_choice_are_not_asked_again(tmp_path: Path) -> None:
    package, backend = write_red_package(tmp_path), FakeBackend()
    choice = Choice(backend, golden=check_golden(package, backend))
    asked = len(backend.batch_sizes)
    load_model(package, red_settings(tmp_path), lambda *_: choice)
    assert len(backend.batch_sizes) == asked + 1, "one run to see how long it takes"
