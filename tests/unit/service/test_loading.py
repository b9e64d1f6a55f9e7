"""Which provider a package is opened on, and what is said of it."""

import logging
from pathlib import Path

import pytest

from service.backends.onnxruntime import cuda_device_count
from service.errors import ProviderUnavailable
from service.loading import open_onnxruntime
from tests.support.red import write_red_package
from tests.support.running import red_settings

pytestmark = pytest.mark.skipif(cuda_device_count() > 0, reason="a GPU is here")


def test_auto_takes_the_cpu_aloud_when_the_gpu_can_not_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    package = write_red_package(tmp_path)
    with caplog.at_level(logging.WARNING):
        backend = open_onnxruntime(package, red_settings(tmp_path, provider="auto"), choose=lambda _: "cuda")
    assert backend.provider == "cpu"
    assert "red/1 runs on the CPU although a GPU is here: provider cuda" in caplog.text


def test_a_provider_named_and_not_there_stops_the_load(tmp_path: Path) -> None:
    package = write_red_package(tmp_path)
    with pytest.raises(ProviderUnavailable):
        open_onnxruntime(package, red_settings(tmp_path, provider="cuda"))
