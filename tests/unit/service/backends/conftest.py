"""A red package with an INT8 file, which the scripted candidates never read."""

from pathlib import Path

import pytest

from service.manifest.entries import FileEntry
from service.manifest.package import Package
from tests.support.red import write_red_package


@pytest.fixture
def both(tmp_path: Path) -> Package:
    package = write_red_package(tmp_path / "models")
    files = {**package.manifest.files, "int8": FileEntry(file="model.int8.onnx", sha256="0" * 64)}
    return Package(package.folder, package.manifest.model_copy(update={"files": files}))
