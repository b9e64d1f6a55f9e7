"""What tests of several backends begin with."""

from pathlib import Path
from typing import Any

import pytest

from service.backends.onnxruntime import OnnxRuntimeBackend
from service.backends.openvino import OpenVinoBackend
from service.manifest.entries import FileEntry
from service.manifest.package import Package
from tests.support.red import write_red_package


@pytest.fixture
def both(tmp_path: Path) -> Package:
    """A red package with an INT8 file, which the scripted candidates never read."""
    package = write_red_package(tmp_path / "models")
    files = {**package.manifest.files, "int8": FileEntry(file="model.int8.onnx", sha256="0" * 64)}
    return Package(package.folder, package.manifest.model_copy(update={"files": files}))


@pytest.fixture(params=[OnnxRuntimeBackend, OpenVinoBackend])
def kind(request: pytest.FixtureRequest) -> Any:
    """The class of a backend on the CPU."""
    pytest.importorskip("openvino")
    return request.param
