"""What both backends do with a package's ONNX file: the same masks, and the same refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from service.backends import Backend
from service.errors import InferenceFailed, PackageError
from service.manifest.entries import FileEntry
from service.manifest.package import Package
from tests.support.red import red_frame, red_probabilities, write_red_package


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return write_red_package(tmp_path)


def open_as(kind: Any, package: Package, precision: str = "fp32") -> Backend:
    backend: Backend = kind(package, provider="cpu", precision=precision, threads=1, max_batch=8)
    return backend


def changed(package: Package, **updates: Any) -> Package:
    return Package(package.folder, package.manifest.model_copy(update=updates))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_batch_gives_the_probabilities_of_its_frames(tmp_path: Path, kind: Any, classes: int, batch: int) -> None:
    package = write_red_package(tmp_path, classes=classes)
    frames = np.stack([red_frame(64, 96, (8 * index, 10, 20, 12)) for index in range(batch)])
    probabilities = open_as(kind, package).run(frames)
    assert probabilities.dtype == np.uint8
    assert (probabilities == red_probabilities(frames, package.manifest.channels)).all()


def test_an_answer_outlives_the_next_run(package: Package, kind: Any) -> None:
    backend = open_as(kind, package)
    red, pink = red_frame(64, 96)[None], red_frame(64, 96, (0, 0, 0, 0))[None]
    first = backend.run(red)
    backend.run(pink)
    assert (first == red_probabilities(red)).all()


def test_frames_that_do_not_lie_in_one_piece_or_may_not_be_written_are_read(package: Package, kind: Any) -> None:
    frames = np.stack([red_frame(64, 192, (8, 10, 60, 12))])[:, :, ::2]
    frames.flags.writeable = False
    assert (open_as(kind, package).run(frames) == red_probabilities(frames)).all()


@pytest.mark.parametrize("shape", [(2, 32, 32, 3), (1, 64, 95, 3), (1, 64, 96, 4), (64, 96, 3)])
def test_frames_of_the_wrong_shape_fail_without_the_runtimes_words(
    package: Package, kind: Any, shape: tuple[int, ...]
) -> None:
    backend = open_as(kind, package)
    with pytest.raises(InferenceFailed, match=r"^red/1 failed on a batch of \d+ frames$"):
        backend.run(np.zeros(shape, np.uint8))
    assert backend.run(red_frame(64, 96)[None]).any()


def test_a_cpu_takes_frames_one_by_one_and_says_its_threads(package: Package, kind: Any) -> None:
    backend = open_as(kind, package)
    assert (backend.max_batch, backend.threads, backend.provider) == (1, 1, "cpu")


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_each_precision_reads_its_own_file(package: Package, kind: Any, precision: str) -> None:
    (package.folder / "other.onnx").write_bytes(package.model_path("fp32").read_bytes())
    package.model_path("fp32").write_bytes(b"not this one")
    files = {**package.manifest.files, precision: FileEntry(file="other.onnx", sha256="0" * 64)}
    backend = open_as(kind, changed(package, files=files), precision)
    frames = red_frame(64, 96)[None]
    assert backend.precision == precision
    assert (backend.run(frames) == red_probabilities(frames)).all()


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_that_is_no_model_is_refused(package: Package, kind: Any, content: bytes) -> None:
    package.model_path("fp32").write_bytes(content)
    with pytest.raises(PackageError, match=rf"red/1: {kind.name} can't load model\.onnx"):
        open_as(kind, package)


def test_a_missing_file_is_refused(package: Package, kind: Any) -> None:
    package.model_path("fp32").unlink()
    with pytest.raises(PackageError, match=rf"red/1: {kind.name} can't load model\.onnx"):
        open_as(kind, package)


def test_an_input_of_another_size_than_the_manifests_is_refused(package: Package, kind: Any) -> None:
    other = changed(package, input=package.manifest.input.model_copy(update={"height": 128}))
    with pytest.raises(PackageError, match=r"red/1: the input is .*, not frames uint8 \[N, 128, 96, 3\]"):
        open_as(kind, other)


def test_an_output_of_another_number_of_planes_is_refused(tmp_path: Path, package: Package, kind: Any) -> None:
    three = write_red_package(tmp_path / "three", classes=3)
    package.model_path("fp32").write_bytes(three.model_path("fp32").read_bytes())
    with pytest.raises(PackageError, match=r"red/1: the output is .*, not probabilities uint8 \[N, 1, 64, 96\]"):
        open_as(kind, package)


def test_an_input_of_another_name_is_refused(package: Package, kind: Any) -> None:
    model = onnx.load(package.model_path("fp32"))
    model.graph.input[0].name = "images"
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == "frames":
                node.input[index] = "images"
    onnx.save(model, package.model_path("fp32"))
    with pytest.raises(PackageError, match=r"red/1: the input is \[\('images'"):
        open_as(kind, package)


def test_a_model_moved_under_another_manifest_is_refused(package: Package, kind: Any) -> None:
    other = changed(package, threshold=0.7)
    with pytest.raises(PackageError, match="red/1: the ONNX file belongs to another manifest"):
        open_as(kind, other)


def test_a_model_without_the_contracts_checksum_is_refused(package: Package, kind: Any) -> None:
    model = onnx.load(package.model_path("fp32"))
    del model.metadata_props[:]
    onnx.save(model, package.model_path("fp32"))
    with pytest.raises(PackageError, match=r"belongs to another manifest \(contract_sha256 None\)"):
        open_as(kind, package)
