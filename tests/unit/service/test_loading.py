"""Which backend a package is opened on, and what is said of it."""

import logging
from pathlib import Path

import pytest

from service.backends.providers import cuda_device_count
from service.errors import PackageError, ProviderUnavailable
from service.loading import open_best
from tests.support.red import write_red_package
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
