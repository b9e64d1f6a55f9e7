"""The ONNX Runtime backend on a real ONNX file, and everything that it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from service.backends.onnxruntime import OnnxRuntimeBackend, choose_precision, choose_provider, cuda_device_count
from service.errors import InferenceFailed, PackageError, ProviderUnavailable
from service.manifest import FileEntry, Package
from tests.support.red import red_frame, red_probabilities, write_red_package

WITHOUT_GPU = pytest.mark.skipif(cuda_device_count() > 0, reason="a GPU is here")


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return write_red_package(tmp_path)


def open_backend(package: Package, provider: str = "cpu", max_batch: int = 1) -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(package, provider=provider, precision="fp32", threads=1, max_batch=max_batch)


def changed(package: Package, **updates: Any) -> Package:
    return Package(package.folder, package.manifest.model_copy(update=updates))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_batch_gives_the_probabilities_of_its_frames(tmp_path: Path, classes: int, batch: int) -> None:
    package = write_red_package(tmp_path, classes=classes)
    frames = np.stack([red_frame(64, 96, (8 * index, 10, 20, 12)) for index in range(batch)])
    probabilities = open_backend(package).run(frames)
    assert probabilities.dtype == np.uint8
    assert (probabilities == red_probabilities(frames, package.manifest.channels)).all()


def test_the_golden_outputs_are_reproduced(package: Package) -> None:
    frames, expected = package.golden()
    assert (open_backend(package).run(frames) == expected).all()


def test_frames_that_are_a_view_are_run_as_seen(package: Package) -> None:
    frames = red_frame(64, 96)[np.newaxis, :, ::-1]
    assert (open_backend(package).run(frames) == red_probabilities(frames)).all()


def test_it_says_what_is_active(package: Package) -> None:
    backend = open_backend(package, max_batch=8)
    assert (backend.name, backend.provider, backend.precision) == ("onnxruntime", "cpu", "fp32")
    assert backend.max_batch == 1


@pytest.mark.parametrize("shape", [(1, 64, 95, 3), (1, 64, 96, 4), (64, 96, 3)])
def test_frames_of_the_wrong_shape_fail_without_the_runtimes_words(package: Package, shape: tuple[int, ...]) -> None:
    backend = open_backend(package)
    with pytest.raises(InferenceFailed, match=r"^red/1 failed on a batch of \d+ frames$"):
        backend.run(np.zeros(shape, np.uint8))
    assert backend.run(red_frame(64, 96)[np.newaxis]).any()


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


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_that_is_no_model_is_refused(package: Package, content: bytes) -> None:
    package.model_path("fp32").write_bytes(content)
    with pytest.raises(PackageError, match=r"red/1: onnxruntime can't load model\.onnx"):
        open_backend(package)


def test_a_missing_file_is_refused(package: Package) -> None:
    package.model_path("fp32").unlink()
    with pytest.raises(PackageError, match=r"red/1: onnxruntime can't load model\.onnx"):
        open_backend(package)


def test_an_input_of_another_size_than_the_manifests_is_refused(package: Package) -> None:
    other = changed(package, input=package.manifest.input.model_copy(update={"height": 128}))
    with pytest.raises(PackageError, match=r"red/1: the input is .*, not frames uint8 \[N, 128, 96, 3\]"):
        open_backend(other)


def test_an_output_of_another_number_of_planes_is_refused(tmp_path: Path, package: Package) -> None:
    three = write_red_package(tmp_path / "three", classes=3)
    package.model_path("fp32").write_bytes(three.model_path("fp32").read_bytes())
    with pytest.raises(PackageError, match=r"red/1: the output is .*, not probabilities uint8 \[N, 1, 64, 96\]"):
        open_backend(package)


def test_an_input_of_another_name_is_refused(package: Package) -> None:
    model = onnx.load(package.model_path("fp32"))
    model.graph.input[0].name = "images"
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == "frames":
                node.input[index] = "images"
    onnx.save(model, package.model_path("fp32"))
    with pytest.raises(PackageError, match=r"red/1: the input is \[\('images'"):
        open_backend(package)


def test_a_model_moved_under_another_manifest_is_refused(package: Package) -> None:
    other = changed(package, threshold=0.7)
    with pytest.raises(PackageError, match="red/1: the ONNX file belongs to another manifest"):
        open_backend(other)


def test_a_model_without_the_contracts_checksum_is_refused(package: Package) -> None:
    model = onnx.load(package.model_path("fp32"))
    del model.metadata_props[:]
    onnx.save(model, package.model_path("fp32"))
    with pytest.raises(PackageError, match=r"belongs to another manifest \(contract_sha256 None\)"):
        open_backend(package)
