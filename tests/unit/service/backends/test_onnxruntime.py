"""What only ONNX Runtime does: providers, and what `auto` made of them."""

from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest

from service.backends.onnxruntime import OnnxRuntimeBackend, choose_precision, choose_provider, cuda_device_count
from service.errors import PackageError, ProviderUnavailable
from service.manifest import FileEntry, Package
from tests.support.red import write_red_package

WITHOUT_GPU = pytest.mark.skipif(cuda_device_count() > 0, reason="a GPU is here")


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return write_red_package(tmp_path)


def open_backend(package: Package, provider: str = "cpu", max_batch: int = 1) -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(package, provider=provider, precision="fp32", threads=1, max_batch=max_batch)


def changed(package: Package, **updates: Any) -> Package:
    return Package(package.folder, package.manifest.model_copy(update=updates))


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


def test_auto_precision_is_fp16_on_cuda_where_the_package_has_it(package: Package) -> None:
    both = changed(package, files={**package.manifest.files, "fp16": FileEntry(file="h.onnx", sha256="0" * 64)})
    assert choose_precision(both, "cuda", "auto") == "fp16"
    assert choose_precision(both, "cpu", "auto") == "fp32"
    assert choose_precision(package, "cuda", "auto") == "fp32"
    assert choose_precision(both, "cpu", "fp16") == "fp16"


def test_a_precision_that_the_package_lacks_is_refused(package: Package) -> None:
    with pytest.raises(PackageError, match=r"red/1 has no int8 file; it has fp32 \(ENDOMASK_PRECISION\)"):
        choose_precision(package, "cpu", "int8")
