"""What only ONNX Runtime does: providers, and what `auto` made of them."""

from pathlib import Path

import onnxruntime as ort
import pytest

from service.backends.onnxruntime import OnnxRuntimeBackend
from service.backends.providers import Device, choose_provider, cuda_device_count
from service.errors import PackageError, ProviderUnavailable
from service.manifest.package import Package
from tests.support.red import write_red_package

WITHOUT_GPU = pytest.mark.skipif(cuda_device_count() > 0, reason="a GPU is here")


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return write_red_package(tmp_path)


def open_backend(package: Package, provider: str = "cpu", max_batch: int = 1) -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(package, provider=provider, precision="fp32", threads=1, max_batch=max_batch)


def test_it_says_what_is_active(package: Package) -> None:
    backend = open_backend(package, max_batch=8)
    assert (backend.name, backend.provider, backend.precision) == ("onnxruntime", "cpu", "fp32")
    assert backend.max_batch == 1


@WITHOUT_GPU
def test_cuda_asked_for_by_name_on_a_machine_without_is_refused(package: Package) -> None:
    with pytest.raises(ProviderUnavailable, match=r"provider cuda was asked for and is not there: .*ENDOMASK_PROVIDER"):
        open_backend(package, "cuda")


@WITHOUT_GPU
def test_auto_takes_the_cpu_where_there_is_no_gpu() -> None:
    assert choose_provider("auto") == "cpu"


@pytest.mark.skipif(
    cuda_device_count() == 0 or "CUDAExecutionProvider" not in ort.get_available_providers(), reason="no GPU is here"
)
def test_a_gpu_gives_what_the_cpu_gives(package: Package) -> None:
    assert choose_provider("auto") == "cuda"
    backend = open_backend(package, "cuda", max_batch=4)
    frames, expected = package.golden()
    assert (backend.provider, backend.max_batch) == ("cuda", 4)
    assert (backend.run(frames) == expected).all()


@pytest.mark.parametrize("asked", ["cpu", "cuda"])
def test_a_provider_named_is_never_replaced(asked: str) -> None:
    assert choose_provider(asked) == asked


def test_bf16_is_refused(package: Package) -> None:
    with pytest.raises(ProviderUnavailable, match=r"onnxruntime does not compute in bf16 \(ENDOMASK_PRECISION\)"):
        OnnxRuntimeBackend(package, provider="cpu", precision="bf16", threads=1)


def test_a_gpu_that_does_not_take_the_model_is_no_fault_of_the_package(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.backends.onnxruntime.devices_of", lambda _: [Device("cuda")])
    monkeypatch.setattr("service.backends.onnxruntime.load_libraries", lambda _: None)
    package.model_path("fp32").write_bytes(b"too large, say")
    with pytest.raises(ProviderUnavailable, match=r"red/1: provider cuda can't load model\.onnx"):
        open_backend(package, "cuda")


def test_providers_that_onnxruntime_refuses_are_not_replaced_by_its_own(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = [[("CPUExecutionProvider", "no options")]]
    monkeypatch.setattr("service.backends.onnxruntime.attempts_for", lambda *_: refused)
    with pytest.raises(PackageError, match=r"red/1: onnxruntime can't load model\.onnx"):
        open_backend(package)


def test_only_tensorrt_keeps_engines(package: Package, tmp_path: Path) -> None:
    kept = tmp_path / "compiled"
    OnnxRuntimeBackend(package, provider="cpu", precision="fp32", threads=1, cache_dir=kept)
    assert not kept.exists()
