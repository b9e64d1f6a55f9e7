"""The data set of red squares and its preset, for the tests of training."""

from pathlib import Path

import pytest
import torch

from service.manifest.package import Package
from tests.support.made_runs import untrained
from tests.support.squares import squares_preset, write_squares
from training.config import Preset
from training.export.package import export


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny nets gain nothing from threads, and lose much beside another busy process."""
    torch.set_num_threads(1)


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "datasets")


@pytest.fixture
def preset() -> Preset:
    return squares_preset()


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Package, Path]:
    """A package of an untrained net, and the data sets that it was scored on; made once, never changed."""
    root = tmp_path_factory.mktemp("exported")
    datasets = write_squares(root / "datasets")
    return export(untrained(squares_preset()), datasets, root / "models" / "squares" / "1"), datasets
