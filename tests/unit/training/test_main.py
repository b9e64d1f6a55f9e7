"""The command line: what a person types, and what it says when that cannot be."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from service.manifest.package import Package
from tests.support.squares import squares_preset
from training.__main__ import app, main
from training.errors import DatasetError


def test_prepare_says_what_it_wrote(tmp_path: Path) -> None:
    for folder in ("images", "masks", "splits"):
        (tmp_path / "raw" / folder).mkdir(parents=True)
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / "raw" / "images" / f"{name}.jpg"), np.full((16, 16, 3), 90, np.uint8))
        cv2.imwrite(str(tmp_path / "raw" / "masks" / f"{name}.jpg"), np.full((16, 16), 255, np.uint8))
    (tmp_path / "raw" / "splits" / "train.txt").write_text("a\n")
    (tmp_path / "raw" / "splits" / "val.txt").write_text("b\n")
    arguments = ["prepare", "kvasir-seg", "--source", str(tmp_path / "raw"), "--data", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "kvasir-seg: 2 frames (train 1, val 1)" in result.output


def test_evaluate_scores_a_package_and_compares_with_its_manifest(
    exported: tuple[Package, Path], tmp_path: Path
) -> None:
    package, datasets = exported
    path = tmp_path / "squares.yaml"
    path.write_text(yaml.safe_dump(squares_preset().model_dump(mode="json")))
    arguments = ["evaluate", str(package.folder), "--data", str(datasets), "--preset", str(path)]
    arguments += ["--out", str(tmp_path / "out"), "--resamples", "100"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    (score,) = package.manifest.metrics
    assert f"{score.dice:.4f}" in result.output
    assert "the same as in manifest.json" in result.output


def test_evaluate_says_so_when_the_numbers_are_others(exported: tuple[Package, Path], tmp_path: Path) -> None:
    package, datasets = exported
    preset = squares_preset().model_dump(mode="json")
    preset["test"] = [{"data": "squares", "split": "train"}]
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(preset))
    arguments = ["evaluate", str(package.folder), "--data", str(datasets), "--preset", str(tmp_path / "other.yaml")]
    arguments += ["--out", str(tmp_path / "out"), "--resamples", "100"]
    assert "NOT the same as in manifest.json" in CliRunner().invoke(app, arguments).output


def test_a_foreseen_error_is_one_sentence_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise DatasetError("images/a.jpg is missing or no readable picture")

    with pytest.raises(SystemExit, match="1"):
        main(fail)
    assert capsys.readouterr().err == "error: images/a.jpg is missing or no readable picture\n"


def test_a_bug_keeps_its_trace() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main(fail)
